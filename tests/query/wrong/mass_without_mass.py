from hist import Hist, axis
from hq import invariant_mass
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    for m in event.Muon:
        h.fill(invariant_mass(m, m))
