# data: mini.root:Events
#
# ADL benchmark 6: of all triplets of jets the one whose mass is nearest to the top quark's; its transverse momentum, and
# the greatest b-tag in it.
from hist import Hist, axis
from hq import invariant_mass
from itertools import combinations
from math import cos, sin, sqrt

pt = Hist(axis.Regular(100, 0, 200, name="pt", label="trijet pᵀ [GeV]"))
btag = Hist(axis.Regular(100, 0, 1, name="btag", label="greatest b-tag of the trijet"))

for event in events:
    if len(event.Jet) >= 3:
        a, b, c = min(combinations(event.Jet, 3), key=lambda t: abs(invariant_mass(t[0], t[1], t[2]) - 172.5))
        px = a.pt * cos(a.phi) + b.pt * cos(b.phi) + c.pt * cos(c.phi)
        py = a.pt * sin(a.phi) + b.pt * sin(b.phi) + c.pt * sin(c.phi)
        pt.fill(sqrt(px**2 + py**2))
        btag.fill(max(a.btag, b.btag, c.btag))
