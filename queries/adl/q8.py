# data: mini.root:Events
#
# ADL benchmark 8: in events with three leptons or more, the pair of one flavour and opposite charge whose mass is nearest
# to the Z boson's; the transverse mass of the hardest other lepton and the missing energy.
from hist import Hist, axis
from hq import invariant_mass
from itertools import combinations
from math import cos, inf, sqrt

mt = Hist(axis.Regular(100, 0, 200, name="mt", label="transverse mass [GeV]"))

for event in events:
    leptons = event.Muon + event.Electron
    if len(leptons) < 3:
        continue
    muons = len(event.Muon)
    nearest = inf
    first = -1
    second = -1
    for i, j in combinations(range(len(leptons)), 2):
        a = leptons[i]
        b = leptons[j]
        if (i < muons) == (j < muons) and a.charge != b.charge:
            distance = abs(invariant_mass(a, b) - 91.2)
            if distance < nearest:
                nearest = distance
                first = i
                second = j
    if nearest < inf:
        other = max((leptons[k] for k in range(len(leptons)) if k != first and k != second), key=lambda l: l.pt)
        mt.fill(sqrt(2 * other.pt * event.MET_pt * (1 - cos(event.MET_phi - other.phi))))
