# data: uproot-HZZ.root:events
#
# The W boson where one muon was found: the transverse mass of the muon and the missing energy.
from hist import Hist, axis
import math

mt = Hist(axis.Regular(50, 0, 150, name="mt", label="transverse mass [GeV]"))
dphi = Hist(axis.Regular(32, 0, math.pi, name="dphi", label="angle between muon and missing energy"))

for event in events:
    if len(event.Muon) == 1:
        muon = event.Muon[0]
        pt = math.hypot(muon.Px, muon.Py)
        met = math.hypot(event.MET_px, event.MET_py)
        angle = abs(math.atan2(muon.Py, muon.Px) - math.atan2(event.MET_py, event.MET_px))
        angle = 2 * math.pi - angle if angle > math.pi else angle
        dphi.fill(angle)
        if met > 20:
            mt.fill(math.sqrt(2 * pt * met * (1 - math.cos(angle))), weight=event.EventWeight)
