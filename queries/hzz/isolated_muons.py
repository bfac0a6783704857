# data: uproot-HZZ.root:events
#
# Muons that nothing else flies along with, in the middle of the detector.
from hist import Hist, axis
from math import asinh, hypot, log10

pt = Hist(axis.Regular(50, 0, 200, name="pt", label="muon pᵀ [GeV]"))
eta = Hist(axis.Regular(48, -2.4, 2.4, name="eta", label="muon η"))
isolation = Hist(axis.Regular(40, -5, 1, name="iso", label="log₁₀(isolation / pᵀ)"))

for event in events:
    if not event.triggerIsoMu24:
        continue
    for muon in event.Muon:
        muon_pt = hypot(muon.Px, muon.Py)
        muon_eta = asinh(muon.Pz / muon_pt)
        isolation.fill(log10(muon.Iso / muon_pt))  # no activity at all: -inf, the underflow
        if muon.Iso / muon_pt < 0.12 and -2.1 < muon_eta <= 2.1:
            pt.fill(muon_pt, weight=event.EventWeight)
            eta.fill(muon_eta)
