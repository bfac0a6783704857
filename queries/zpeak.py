# data: uproot-Zmumu.root:events
#
# The Z boson in 2,304 events of CMS with two muons each: the mass that two muons of opposite charge come from.
from hist import Hist, axis
from math import sqrt

mass = Hist(axis.Regular(60, 60, 120, name="mass", label="dimuon mass [GeV]"))

for event in events:
    if event.Q1 != event.Q2:
        energy = event.E1 + event.E2
        px = event.px1 + event.px2
        py = event.py1 + event.py2
        pz = event.pz1 + event.pz2
        mass.fill(sqrt(energy**2 - px**2 - py**2 - pz**2))
