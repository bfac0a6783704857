from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

from itertools import product
for event in events:
    h.fill(1)
