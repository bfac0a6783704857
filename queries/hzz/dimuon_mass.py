# data: uproot-HZZ.root:events
#
# Every pair of muons, split by charge.
from hist import Hist, axis
from math import sqrt

opposite = Hist(axis.Regular(60, 0, 120, name="mass", label="mass of μ⁺μ⁻ [GeV]"))
same = Hist(axis.Regular(60, 0, 120, name="mass", label="mass of μ⁺μ⁺ and μ⁻μ⁻ [GeV]"))

for event in events:
    for i, a in enumerate(event.Muon):
        for b in event.Muon[i + 1:]:
            m2 = (a.E + b.E)**2 - (a.Px + b.Px)**2 - (a.Py + b.Py)**2 - (a.Pz + b.Pz)**2
            m = sqrt(m2) if m2 > 0 else 0.0
            if a.Charge != b.Charge:
                opposite.fill(m)
            else:
                same.fill(m)
