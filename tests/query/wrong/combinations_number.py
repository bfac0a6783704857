from hist import Hist, axis
from itertools import combinations
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    for t in combinations(event.Muon, event.run):
        h.fill(1)
