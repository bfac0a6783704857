# data: mini.root:Events
#
# How often the trigger for a muon of 24 GeV fired, by the transverse momentum of the hardest muon: the mean of yes and
# no is the efficiency.
from hist import Hist, axis, storage

efficiency = Hist(
    axis.Variable([0, 5, 10, 15, 20, 22, 24, 26, 30, 40, 60, 100], name="pt", label="hardest muon's pᵀ [GeV]"),
    storage=storage.Mean(),
)

for event in events:
    hardest = max((muon.pt for muon in event.Muon if muon.mediumId and abs(muon.eta) < 2.4), default=-1.0)
    if hardest >= 0:
        efficiency.fill(hardest, sample=event.HLT_IsoMu24)
