# data: adl_*.root:Events
#
# ADL benchmark 3: the transverse momentum of the jets in the barrel, |η| < 1.
from hist import Hist, axis

pt = Hist(axis.Regular(100, 0, 200, name="pt", label="jet pᵀ [GeV]"))

for event in events:
    for jet in event.Jet:
        if abs(jet.eta) < 1:
            pt.fill(jet.pt)
