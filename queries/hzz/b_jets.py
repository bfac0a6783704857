# data: uproot-HZZ.root:events
#
# Jets that pass the identification, the sum of their transverse momenta, and how many look like b quarks.
from hist import Hist, axis
from math import sqrt

ht = Hist(axis.Regular(60, 0, 600, name="ht", label="Hᵀ [GeV]"))
tags = Hist(axis.Regular(5, 0, 5, name="tags", label="b-tagged jets"))
discriminant = Hist(axis.Regular(44, -1.1, 1.1, name="btag", label="b tag"))

for event in events:
    total = 0.0
    tagged = 0
    for jet in event.Jet:
        if not jet.ID:
            continue
        jet_pt = sqrt(jet.Px * jet.Px + jet.Py * jet.Py)
        if jet_pt < 30:
            continue
        total += jet_pt
        discriminant.fill(jet.btag)
        if jet.btag > 0.7:
            tagged += 1
    if total > 0:
        ht.fill(total, weight=event.EventWeight)
        tags.fill(tagged, weight=event.EventWeight)
