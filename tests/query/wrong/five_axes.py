from hist import Hist, axis
a = 1
h = Hist(axis.Regular(1, 0, 1), axis.Regular(1, 0, 1), axis.Regular(1, 0, 1), axis.Regular(1, 0, 1), axis.Regular(1, 0, 1))
