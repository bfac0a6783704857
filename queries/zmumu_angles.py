# data: uproot-Zmumu.root:events
#
# The same Z from transverse momenta and angles alone, as if the muons had no mass, and how that differs from the mass
# that the experiment wrote down.
from hist import Hist, axis
from math import cos, cosh, pi, sqrt

mass = Hist(axis.Regular(80, 50, 130, name="mass", label="dimuon mass [GeV]"))
difference = Hist(axis.Regular(50, -0.05, 0.05, name="difference", label="mass less recorded mass [GeV]"))
opening = Hist(
    axis.Regular(30, -2.5, 2.5, name="eta", label="mean η"),
    axis.Regular(24, 0, pi, name="dphi", label="Δφ"),
)

for event in events:
    if event.Q1 * event.Q2 >= 0:
        continue
    deta = event.eta1 - event.eta2
    dphi = abs(event.phi1 - event.phi2)
    if dphi > pi:
        dphi = 2 * pi - dphi
    m = sqrt(2 * event.pt1 * event.pt2 * (cosh(deta) - cos(dphi)))
    mass.fill(m)
    difference.fill(m - event.M)
    opening.fill((event.eta1 + event.eta2) / 2, dphi)
