from hist import Hist, axis
from math import pi, sqrt

ht = Hist(axis.Regular(100, 0, 200, name="ht"))

for event in events:
    total = 0.0
    for jet in event.Jet:
        if jet.pt > 30:
            near = False
            for muon in event.Muon:
                if muon.pt > 10:
                    d_eta = jet.eta - muon.eta
                    d_phi = jet.phi - muon.phi
                    if d_phi > pi:
                        d_phi -= 2 * pi
                    elif d_phi < -pi:
                        d_phi += 2 * pi
                    if sqrt(d_eta * d_eta + d_phi * d_phi) < 0.4:
                        near = True
                        break
            if not near:
                for electron in event.Electron:
                    if electron.pt > 10:
                        d_eta = jet.eta - electron.eta
                        d_phi = jet.phi - electron.phi
                        if d_phi > pi:
                            d_phi -= 2 * pi
                        elif d_phi < -pi:
                            d_phi += 2 * pi
                        if sqrt(d_eta * d_eta + d_phi * d_phi) < 0.4:
                            near = True
                            break
            if not near:
                total += jet.pt
    if total > 0:
        ht.fill(total)
