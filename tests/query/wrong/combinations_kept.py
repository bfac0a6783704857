from hist import Hist, axis
from itertools import combinations
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    pairs = combinations(event.Muon, 2)
    h.fill(1)
