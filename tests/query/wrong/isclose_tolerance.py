from math import isclose
from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    h.fill(isclose(event.x, 1, rel_tol=-0.1))
