# data: mini.root:Events
#
# Where the jets go: a map in η and φ, and the mean transverse momentum along η.
from hist import Hist, axis
from math import pi

where = Hist(
    axis.Regular(25, -5, 5, name="eta", label="η"),
    axis.Regular(16, -pi, pi, name="phi", label="φ"),
)
hardness = Hist(axis.Regular(25, -5, 5, name="eta", label="η"), storage="Mean")

for event in events:
    for jet in event.Jet:
        where.fill(jet.eta, jet.phi)
        hardness.fill(eta=jet.eta, sample=jet.pt)
