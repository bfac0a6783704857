from hist import Hist, axis
h = Hist(axis.Regular(0, 0, 10))
