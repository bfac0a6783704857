# data: uproot-HZZ.root:events
#
# Missing transverse energy, plain and with the weights that bring the simulation to the data's luminosity.
from hist import Hist, axis
from math import atan2, sqrt

met = Hist(axis.Regular(40, 0, 200, name="met", label="missing Eᵀ [GeV]"))
weighted = Hist(axis.Regular(40, 0, 200, name="met", label="missing Eᵀ [GeV]"))
direction = Hist(axis.Regular(32, -3.2, 3.2, name="phi", label="φ of the missing Eᵀ"))

for event in events:
    size = sqrt(event.MET_px**2 + event.MET_py**2)
    met.fill(size)
    weighted.fill(size, weight=event.EventWeight)
    if size > 10:
        direction.fill(atan2(event.MET_py, event.MET_px), weight=event.EventWeight * size)
