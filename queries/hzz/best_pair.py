# data: uproot-HZZ.root:events
#
# Of all pairs of muons of opposite charge the one whose mass is nearest to the Z's; its mass, and its transverse
# momentum against it.
from hist import Hist, axis
from math import hypot, inf, sqrt

best = Hist(axis.Regular(50, 66, 116, name="mass", label="mass of the best pair [GeV]"))
plane = Hist(
    axis.Regular(25, 66, 116, name="mass", label="mass of the best pair [GeV]"),
    axis.Regular(20, 0, 200, name="pt", label="its pᵀ [GeV]"),
)

for event in events:
    nearest = inf
    mass = 0.0
    pt = 0.0
    for i in range(len(event.Muon)):
        for j in range(i + 1, len(event.Muon)):
            a = event.Muon[i]
            b = event.Muon[j]
            if a.Charge + b.Charge != 0:
                continue
            px = a.Px + b.Px
            py = a.Py + b.Py
            m = sqrt(max((a.E + b.E)**2 - px**2 - py**2 - (a.Pz + b.Pz)**2, 0.0))
            if abs(m - 91.19) < nearest:
                nearest = abs(m - 91.19)
                mass = m
                pt = hypot(px, py)
    if nearest < inf:
        best.fill(mass, weight=event.EventWeight)
        plane.fill(mass, pt, weight=event.EventWeight)
