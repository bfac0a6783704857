# data: mini.root:Events
#
# Tag and probe: how often the second muon of a Z boson is isolated, when the first one is; by its transverse momentum and
# whether it is in the barrel. The mean of yes and no is the efficiency.
from hist import Hist, axis
from hq import invariant_mass
from itertools import combinations

efficiency = Hist(
    axis.Variable([10, 20, 25, 30, 40, 50, 60, 120], name="pt", label="probe's pᵀ [GeV]"),
    axis.Boolean(name="barrel"),
    storage="Mean",
)
mass = Hist(axis.Regular(40, 71, 111, name="mass", label="mass of tag and probe [GeV]"))


def is_isolated(muon):
    return muon.pfRelIso04_all < 0.15


for event in events:
    for a, b in combinations(event.Muon, 2):
        m = invariant_mass(a, b)
        if a.charge + b.charge != 0 or not 71 < m < 111:
            continue
        mass.fill(m)
        if a.pt > 26 and a.tightId and is_isolated(a):
            efficiency.fill(b.pt, abs(b.eta) < 1.2, sample=is_isolated(b))
        if b.pt > 26 and b.tightId and is_isolated(b):
            efficiency.fill(a.pt, abs(a.eta) < 1.2, sample=is_isolated(a))
