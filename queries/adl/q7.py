# data: mini.root:Events
#
# ADL benchmark 7: the summed transverse momentum of the jets above 30 GeV that have no lepton above 10 GeV near them, of
# events with such a jet.
from hist import Hist, axis
from hq import delta_r

ht = Hist(axis.Regular(100, 0, 200, name="ht", label="sum of the isolated jets' pᵀ [GeV]"))


def is_isolated(jet, leptons):
    return not any(lepton.pt > 10 and delta_r(jet, lepton) < 0.4 for lepton in leptons)


for event in events:
    leptons = event.Muon + event.Electron
    total = sum(jet.pt for jet in event.Jet if jet.pt > 30 and is_isolated(jet, leptons))
    if total > 0:
        ht.fill(total)
