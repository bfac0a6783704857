from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 1, overflow=False))
