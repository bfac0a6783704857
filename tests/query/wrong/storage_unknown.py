from hist import Hist, axis, storage
h = Hist(axis.Regular(1, 0, 1), storage=storage.Unlimited())
