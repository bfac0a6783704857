# data: adl_*.root:Events
#
# ADL benchmark 2: the transverse momentum of all jets.
from hist import Hist, axis

pt = Hist(axis.Regular(100, 0, 200, name="pt", label="jet pᵀ [GeV]"))

for event in events:
    for jet in event.Jet:
        pt.fill(jet.pt)
