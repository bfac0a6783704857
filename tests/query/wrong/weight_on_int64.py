from hist import Hist, axis, storage
h = Hist(axis.Regular(1, 0, 1), storage=storage.Int64())
for event in events:
    h.fill(0, weight=2)
