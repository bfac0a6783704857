# data: mini.root:Events
#
# How many events are left after each cut of a selection of top quark pairs with one lepton; with the generator's weight.
from hist import Hist, axis

left = Hist(axis.StrCategory(["all", "lepton", "no second", "four jets", "b-tag"], name="cut"), storage="weight")

for event in events:
    weight = event.genWeight
    left.fill("all", weight=weight)
    leptons = sum(m.pt > 26 and abs(m.eta) < 2.4 and m.tightId for m in event.Muon)
    leptons += sum(e.pt > 30 and abs(e.eta) < 2.1 and e.cutBased >= 4 for e in event.Electron)
    if leptons == 0:
        continue
    left.fill("lepton", weight=weight)
    if leptons > 1:
        continue
    left.fill("no second", weight=weight)
    if sum(jet.pt > 30 and abs(jet.eta) < 2.4 for jet in event.Jet) < 4:
        continue
    left.fill("four jets", weight=weight)
    if any(jet.pt > 30 and abs(jet.eta) < 2.4 and jet.btagDeepFlavB > 0.2783 for jet in event.Jet):
        left.fill("b-tag", weight=weight)
