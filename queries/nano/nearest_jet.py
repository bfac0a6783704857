# data: mini.root:Events
#
# How far the nearest jet is from each lepton, by whether the lepton is a muon.
from hist import Hist, axis
from hq import delta_r
from math import inf

distance = Hist(
    axis.Boolean(name="muon"),
    axis.Regular(60, 0, 6, name="dr", label="ΔR to the nearest jet"),
)

for event in events:
    for i, lepton in enumerate(event.Muon + event.Electron):
        if lepton.pt > 15:
            nearest = min((delta_r(lepton, jet) for jet in event.Jet if jet.pt > 30), default=inf)
            distance.fill(i < len(event.Muon), nearest)
