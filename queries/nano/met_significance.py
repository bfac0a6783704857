# data: mini.root:Events
#
# The significance of the missing transverse energy: as the experiment computes it, and as the energy over the square
# root of the jets' summed transverse momentum; both against the number of vertices.
from hist import Hist, axis
from math import sqrt

computed = Hist(axis.Regular(50, 0, 25, transform=axis.transform.sqrt, name="s", label="significance of the MET"))
simple = Hist(axis.Regular(50, 0, 25, name="s", label="MET / √Hᵀ [√GeV]"))
pileup = Hist(axis.Integer(0, 60, name="vertices"), storage="Mean")

for event in events:
    computed.fill(event.MET_significance)
    ht = sum(jet.pt for jet in event.Jet if jet.pt > 30)
    if ht > 0:
        simple.fill(event.MET_pt / sqrt(ht))
        pileup.fill(event.PV_npvs, sample=event.MET_pt / sqrt(ht))
