from hist import Hist, axis
from hq import delta_r
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    h.fill(delta_r(event.x, 1))
