# data: mini.root:Events
#
# ADL benchmark 5: the missing transverse energy of events with a pair of muons of opposite charge that may come from a
# Z boson.
from hist import Hist, axis
from hq import invariant_mass
from itertools import combinations

met = Hist(axis.Regular(100, 0, 200, name="met", label="missing transverse energy [GeV]"))

for event in events:
    if any(a.charge != b.charge and 60 < invariant_mass(a, b) < 120 for a, b in combinations(event.Muon, 2)):
        met.fill(event.MET_pt)
