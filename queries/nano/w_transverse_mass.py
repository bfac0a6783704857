# data: mini.root:Events
#
# The transverse mass of the only good lepton and the missing energy, for muons and electrons.
from hist import Hist, axis
from hq import delta_phi
from math import cos, sqrt

muons = Hist(axis.Regular(40, 0, 200, name="mt", label="transverse mass [GeV]"))
electrons = Hist(axis.Regular(40, 0, 200, name="mt", label="transverse mass [GeV]"))


def transverse_mass(pt, phi, met, met_phi):
    return sqrt(2 * pt * met * (1 - cos(delta_phi(phi, met_phi))))


for event in events:
    good_muons = sum(m.pt > 26 and m.tightId and m.pfRelIso04_all < 0.15 for m in event.Muon)
    good_electrons = sum(e.pt > 30 and e.cutBased >= 4 for e in event.Electron)
    if good_muons + good_electrons != 1:
        continue
    for m in event.Muon:
        if m.pt > 26 and m.tightId and m.pfRelIso04_all < 0.15:
            muons.fill(transverse_mass(m.pt, m.phi, event.MET_pt, event.MET_phi))
    for e in event.Electron:
        if e.pt > 30 and e.cutBased >= 4:
            electrons.fill(transverse_mass(e.pt, e.phi, event.MET_pt, event.MET_phi))
