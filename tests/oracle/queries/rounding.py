# data: uproot-HZZ.root:events
#
# From floats to whole numbers.
from hist import Hist, axis
from math import ceil, floor, inf, trunc

whole = Hist(axis.Regular(20, 0, 20, name="rule"), axis.Regular(400, -200, 200, name="value"))

for event in events:
    for jet in event.Jet:
        x = jet.Px
        half = round(x) / 2
        whole.fill(0, int(x))
        whole.fill(1, round(x))
        whole.fill(2, floor(x))
        whole.fill(3, ceil(x))
        whole.fill(4, trunc(-x))
        whole.fill(5, round(half))
        whole.fill(6, round(-half))
        whole.fill(7, int(half) % 7)
        whole.fill(8, float(int(x)) / 3)
        whole.fill(9, int(jet.ID) + int(jet.Px > 0))
        whole.fill(10, int(1e30 * x) // 100000000000000000)
        whole.fill(11, int(inf - inf) + round(0.0 * inf))
        whole.fill(12, floor(x * inf) // 100000000000000000)
        whole.fill(13, x - floor(x) - 0.5)
        whole.fill(14, round(event.NJet) + floor(event.NMuon))
        whole.fill(15, x // 1 - floor(x))
        whole.fill(16, round(x, 1) * 10 - round(x * 10))
        whole.fill(17, round(jet.E, -1) + round(x * 1e-20, 21) * 1e20)
        whole.fill(18, round(round(x), -1) + round(-x * 1e250, -250) / 1e250 + round(x, -200) + round(x, 400))
        whole.fill(19, round(round(x) * 5 / 8, 2) * 8 % 1 * 100)
