from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

PAIRS = [[1, 2], [3, 4]]
for event in events:
    h.fill(1)
