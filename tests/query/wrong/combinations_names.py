from hist import Hist, axis
from itertools import combinations
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    for a, b, c in combinations(event.Muon, 2):
        h.fill(a.pt)
