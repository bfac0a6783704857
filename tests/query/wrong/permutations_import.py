from hist import Hist, axis
from itertools import permutations
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    h.fill(1)
