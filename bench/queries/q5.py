from hist import Hist, axis
from math import cos, sin, sinh, sqrt

met = Hist(axis.Regular(100, 0, 200, name="met"))

for event in events:
    found = False
    for i, a in enumerate(event.Muon):
        for b in event.Muon[i + 1:]:
            if a.charge != b.charge:
                ax = a.pt * cos(a.phi)
                ay = a.pt * sin(a.phi)
                az = a.pt * sinh(a.eta)
                bx = b.pt * cos(b.phi)
                by = b.pt * sin(b.phi)
                bz = b.pt * sinh(b.eta)
                e = sqrt(ax * ax + ay * ay + az * az + a.mass * a.mass) + sqrt(bx * bx + by * by + bz * bz + b.mass * b.mass)
                x = ax + bx
                y = ay + by
                z = az + bz
                square = e * e - x * x - y * y - z * z
                mass = -sqrt(-square) if square < 0 else sqrt(square)
                if 60 < mass < 120:
                    found = True
                    break
        if found:
            break
    if found:
        met.fill(event.MET_pt)
