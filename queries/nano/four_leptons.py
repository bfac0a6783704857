# data: mini.root:Events
#
# The mass of four leptons that make up two Z bosons: two pairs, each of one flavour and of opposite charge; by channel.
from hist import Hist, axis
from hq import invariant_mass
from itertools import combinations

mass = Hist(
    axis.StrCategory(["4μ", "4e", "2μ2e"], name="channel"),
    axis.Regular(35, 70, 420, name="mass", label="mass of four leptons [GeV]"),
)

for event in events:
    if len(event.Muon) >= 4:
        a, b, c, d = event.Muon[0], event.Muon[1], event.Muon[2], event.Muon[3]
        if a.charge + b.charge + c.charge + d.charge == 0:
            mass.fill("4μ", invariant_mass(a, b, c, d))
    if len(event.Electron) >= 4:
        a, b, c, d = event.Electron[0], event.Electron[1], event.Electron[2], event.Electron[3]
        if a.charge + b.charge + c.charge + d.charge == 0:
            mass.fill("4e", invariant_mass(a, b, c, d))
    for a, b in combinations(event.Muon, 2):
        for c, d in combinations(event.Electron, 2):
            if a.charge + b.charge == 0 and c.charge + d.charge == 0:
                mass.fill("2μ2e", invariant_mass(a, b, c, d))
