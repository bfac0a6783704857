# data: adl_*.root:Events
#
# ADL benchmark 1: the missing transverse energy of all events.
from hist import Hist, axis

met = Hist(axis.Regular(100, 0, 200, name="met", label="missing transverse energy [GeV]"))

for event in events:
    met.fill(event.MET_pt)
