# data: mini.root:Events
#
# The angle between the quark's likely direction and the negative lepton in Z decays (Collins and Soper's), in bins of
# the pair's mass: what the forward-backward asymmetry is counted from.
from hist import Hist, axis
from hq import invariant_mass
from itertools import combinations
from math import copysign, cosh, sinh, sqrt

cosine = Hist(
    axis.Variable([50, 80, 100, 200], name="mass", label="dimuon mass [GeV]"),
    axis.Regular(20, -1, 1, name="cos", label="cos θ*"),
)


def energy(muon):
    return sqrt((muon.pt * cosh(muon.eta))**2 + muon.mass**2)


for event in events:
    for a, b in combinations(event.Muon, 2):
        if a.charge + b.charge != 0:
            continue
        minus = a if a.charge < 0 else b
        plus = b if a.charge < 0 else a
        mass = invariant_mass(a, b)
        pz1 = minus.pt * sinh(minus.eta)
        pz2 = plus.pt * sinh(plus.eta)
        e1 = energy(minus)
        e2 = energy(plus)
        pz = pz1 + pz2
        transverse = sqrt(mass**2 + max((e1 + e2)**2 - pz**2 - mass**2, 0.0))
        if mass > 0:
            angle = ((e1 + pz1) * (e2 - pz2) - (e1 - pz1) * (e2 + pz2)) / (mass * transverse)
            cosine.fill(mass, copysign(1, pz) * angle)
