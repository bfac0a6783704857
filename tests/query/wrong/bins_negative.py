from hist import Hist, axis
h = Hist(axis.Regular(-5, 0, 10))
