# data: uproot-HZZ.root:events
#
# Values and weights that are infinite or no numbers.
from hist import Hist, axis
from math import inf, nan, sqrt

values = Hist(axis.Regular(10, -5, 5, name="x"))
plane = Hist(axis.Regular(3, -1, 1, name="x"), axis.Regular(3, -1, 1, name="y"))
weights = Hist(axis.Regular(6, 0, 6, name="jets"))

for event in events:
    n = event.NJet
    m = event.NMuon
    values.fill((n - 1) / (m - 1))
    values.fill(inf * (n - m))
    values.fill(sqrt(n - m))
    plane.fill(nan, n / 4)
    plane.fill((m - 1) / 2, (n - 1) / 0)
    if n == 1:
        weights.fill(n, weight=inf)
    elif n == 2:
        weights.fill(n, weight=nan)
    elif n == 3:
        weights.fill(n, weight=inf * (m - 1))
    else:
        weights.fill(n, weight=1e200 * event.EventWeight)
