# data: mini.root:Events
#
# The b-tag of jets from light quarks and gluons, c and b quarks: its distribution, and its mean by the jet's transverse
# momentum, both with the generator's weight.
from hist import Hist, axis

btag = Hist(
    axis.IntCategory([0, 4, 5], name="flavour"),
    axis.Regular(50, 0, 1, name="btag", label="b-tag"),
)
mean = Hist(
    axis.IntCategory([0, 4, 5], name="flavour"),
    axis.Variable([20, 30, 50, 80, 140, 200, 600], name="pt", label="jet pᵀ [GeV]"),
    storage="WeightedMean",
)

for event in events:
    weight = abs(event.genWeight)
    for jet in event.Jet:
        if jet.pt > 20 and abs(jet.eta) < 2.4:
            btag.fill(jet.hadronFlavour, jet.btagDeepFlavB, weight=weight)
            mean.fill(jet.hadronFlavour, jet.pt, weight=weight, sample=jet.btagDeepFlavB)
