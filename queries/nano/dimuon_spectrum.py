# data: mini.root:Events
#
# The mass of all pairs of muons of opposite charge, from the ω to the Z, on a logarithmic axis.
from hist import Hist, axis
from hq import invariant_mass
from itertools import combinations

mass = Hist(axis.Regular(60, 0.3, 300, transform=axis.transform.log, name="mass", label="dimuon mass [GeV]"))

for event in events:
    for a, b in combinations(event.Muon, 2):
        if a.charge != b.charge:
            mass.fill(invariant_mass(a, b))
