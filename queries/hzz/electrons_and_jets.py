# data: uproot-HZZ.root:events
#
# Electrons: the first two of an event, and those that a jet covers within ΔR = 0.4.
from hist import Hist, axis
from math import asinh, atan2, hypot, pi, sqrt

mass = Hist(axis.Regular(40, 50, 130, name="mass", label="mass of the first two electrons [GeV]"))
covered = Hist(axis.Regular(2, 0, 2, name="covered", label="within ΔR = 0.4 of a jet"))
distance = Hist(axis.Regular(50, 0, 5, name="dr", label="ΔR to the nearest jet"))

for event in events:
    electrons = event.Electron
    if len(electrons) >= 2:
        a, b = electrons[0], electrons[1]
        m2 = (a.E + b.E)**2 - (a.Px + b.Px)**2 - (a.Py + b.Py)**2 - (a.Pz + b.Pz)**2
        if m2 > 0 and a.Charge * b.Charge < 0:
            mass.fill(sqrt(m2))
    for electron in electrons:
        eta = asinh(electron.Pz / hypot(electron.Px, electron.Py))
        phi = atan2(electron.Py, electron.Px)
        nearest = 100.0
        for jet in event.Jet:
            deta = eta - asinh(jet.Pz / hypot(jet.Px, jet.Py))
            dphi = phi - atan2(jet.Py, jet.Px)
            if dphi > pi:
                dphi -= 2 * pi
            elif dphi <= -pi:
                dphi += 2 * pi
            nearest = min(nearest, hypot(deta, dphi))
        covered.fill(nearest < 0.4)
        if nearest < 100:
            distance.fill(nearest)
