# data: mini.root:Events
#
# Hᵀ, the number of jets, the hardest jet (-1 where there is none), and how the four hardest share Hᵀ.
from hist import Hist, axis

ht = Hist(axis.Regular(50, 0, 1500, name="ht", label="Hᵀ [GeV]"))
count = Hist(axis.Integer(0, 15, name="jets", label="jets above 30 GeV"))
hardest = Hist(axis.Regular(51, -10, 500, name="pt", label="hardest jet's pᵀ [GeV]"))
share = Hist(axis.Integer(1, 5, name="rank"), axis.Regular(20, 0, 1, name="share", label="pᵀ / Hᵀ"))

for event in events:
    total = sum(jet.pt for jet in event.Jet if jet.pt > 30)
    ht.fill(total)
    count.fill(sum(jet.pt > 30 for jet in event.Jet))
    hardest.fill(max((jet.pt for jet in event.Jet), default=-1.0))
    for rank, jet in enumerate(sorted(event.Jet, key=lambda j: j.pt, reverse=True)[:4]):
        if jet.pt > 30:
            share.fill(rank + 1, jet.pt / total)
