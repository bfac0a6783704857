# data: mini.root:Events
#
# The summed transverse momentum of the jets as it is and with the jets' energy scaled up and down by 3 %, and as many
# histograms again for events with a b-tag: all in one pass, with the generator's weight.
from hist import Hist, axis

every = Hist(
    axis.StrCategory(["nominal", "up", "down"], name="scale"),
    axis.Regular(40, 0, 1000, name="ht", label="Hᵀ [GeV]"),
)
tagged = Hist(
    axis.StrCategory(["nominal", "up", "down"], name="scale"),
    axis.Regular(40, 0, 1000, name="ht", label="Hᵀ [GeV]"),
)


def ht(jets, factor):
    return sum(factor * jet.pt for jet in jets if factor * jet.pt > 30 and abs(jet.eta) < 2.4)


for event in events:
    nominal = ht(event.Jet, 1.0)
    up = ht(event.Jet, 1.03)
    down = ht(event.Jet, 0.97)
    every.fill("nominal", nominal, weight=event.genWeight)
    every.fill("up", up, weight=event.genWeight)
    every.fill("down", down, weight=event.genWeight)
    if any(jet.pt > 30 and jet.btagDeepFlavB > 0.2783 for jet in event.Jet):
        tagged.fill("nominal", nominal, weight=event.genWeight)
        tagged.fill("up", up, weight=event.genWeight)
        tagged.fill("down", down, weight=event.genWeight)
