# data: mini.root:Events
#
# The decay of a top quark into three jets, one with a b-tag and two whose mass is a W boson's: the mass of the three, and
# the two masses against one another.
from hist import Hist, axis
from hq import invariant_mass
from itertools import combinations

top = Hist(axis.Regular(50, 50, 550, name="mass", label="mass of three jets [GeV]"))
plane = Hist(
    axis.Regular(20, 30, 130, name="w", label="mass of two jets [GeV]"),
    axis.Regular(20, 50, 550, name="top", label="mass of three jets [GeV]"),
)

for event in events:
    for a, b in combinations(event.Jet[:8], 2):
        w = invariant_mass(a, b)
        if min(a.pt, b.pt) < 30 or max(a.btagDeepFlavB, b.btagDeepFlavB) > 0.2783 or not 30 < w < 130:
            continue
        for c in event.Jet[:8]:
            if c.pt > 30 and c.btagDeepFlavB > 0.2783:
                m = invariant_mass(a, b, c)
                plane.fill(w, m)
                if 65 < w < 95:
                    top.fill(m)
