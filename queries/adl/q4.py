# data: mini.root:Events
#
# ADL benchmark 4: the missing transverse energy of events with at least two jets above 40 GeV.
from hist import Hist, axis

met = Hist(axis.Regular(100, 0, 200, name="met", label="missing transverse energy [GeV]"))

for event in events:
    if sum(jet.pt > 40 for jet in event.Jet) >= 2:
        met.fill(event.MET_pt)
