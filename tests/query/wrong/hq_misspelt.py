from hist import Hist, axis
from hq import delta_R
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    h.fill(1)
