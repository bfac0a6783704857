from hist import Hist, axis
from math import cos, inf, sin, sinh, sqrt

pt = Hist(axis.Regular(100, 0, 200, name="pt"))
btag = Hist(axis.Regular(100, 0, 1, name="btag"))

for event in events:
    if len(event.Jet) < 3:
        continue
    nearest = inf
    first = 0
    second = 1
    third = 2
    for i, a in enumerate(event.Jet):
        for j in range(i + 1, len(event.Jet)):
            b = event.Jet[j]
            for k in range(j + 1, len(event.Jet)):
                c = event.Jet[k]
                ax = a.pt * cos(a.phi)
                ay = a.pt * sin(a.phi)
                az = a.pt * sinh(a.eta)
                bx = b.pt * cos(b.phi)
                by = b.pt * sin(b.phi)
                bz = b.pt * sinh(b.eta)
                cx = c.pt * cos(c.phi)
                cy = c.pt * sin(c.phi)
                cz = c.pt * sinh(c.eta)
                ae = sqrt(ax * ax + ay * ay + az * az + a.mass * a.mass)
                be = sqrt(bx * bx + by * by + bz * bz + b.mass * b.mass)
                ce = sqrt(cx * cx + cy * cy + cz * cz + c.mass * c.mass)
                x = ax + bx + cx
                y = ay + by + cy
                z = az + bz + cz
                e = ae + be + ce
                square = e * e - x * x - y * y - z * z
                mass = -sqrt(-square) if square < 0 else sqrt(square)
                distance = abs(mass - 172.5)
                if distance < nearest:
                    nearest = distance
                    first = i
                    second = j
                    third = k
    p = event.Jet[first]
    q = event.Jet[second]
    r = event.Jet[third]
    px = p.pt * cos(p.phi) + q.pt * cos(q.phi) + r.pt * cos(r.phi)
    py = p.pt * sin(p.phi) + q.pt * sin(q.phi) + r.pt * sin(r.phi)
    pt.fill(sqrt(px * px + py * py))
    btag.fill(max(p.btag, max(q.btag, r.btag)))
