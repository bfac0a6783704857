from hist import Hist, axis
h = Hist(axis.Regular(10.0, 0, 10))
