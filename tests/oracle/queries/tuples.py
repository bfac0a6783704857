# data: uproot-HZZ.root:events
#
# Tuples: compared part by part, as what is sorted and chosen by, in slices and sums; and what reversed, in and steps of
# slices give.
import math
from itertools import combinations
from hist import Hist, axis

h = Hist(axis.Regular(80, 0, 80, name="rule"), axis.Regular(240, -60, 60, name="value"))


def side(jet):
    return jet.Px > 0, jet.Py > 0


def smaller(one, other):
    return min(one.Px, other.Px)


for event in events:
    jets = event.Jet
    n = len(jets)
    k = event.NMuon - 2
    here = (event.NMuon, event.MET_px)

    h.fill(0, (n, k) < (k, n))
    h.fill(1, (n, k) <= (n, event.NMuon))
    h.fill(2, (1, n) > (1.0, k))
    h.fill(3, (n % 2, k % 2, n) >= (1, 0, k))
    h.fill(4, (n % 3, 1) == (k % 3, 1))
    h.fill(5, (n % 3, k) != (1, k))
    h.fill(6, (n, 1) < (n, 1, 0))
    h.fill(7, (n,) == (n, 0))
    h.fill(8, (math.nan, 1) < (math.nan, 2))
    h.fill(9, (math.nan, n) == (math.nan, n))
    h.fill(10, (0, math.nan) <= (n - n, 1))
    h.fill(11, ((n, k), n) < ((n, k), k))
    h.fill(12, (0, 0) < here < (2, 0.0))
    h.fill(13, () < (n,))

    for i, jet in enumerate(sorted(jets, key=lambda j: (j.Px > 0, -j.E))):
        h.fill(14, jet.Px / (i + 1))
    for i, jet in enumerate(sorted(jets, key=lambda j: (j.ID, round(j.Py / 20), j.Px), reverse=True)):
        h.fill(15, jet.Px / (i + 1))
    for i, jet in enumerate(sorted(jets, key=side)):
        h.fill(16, jet.Py / (i + 1))
    for i, (a, b) in enumerate(sorted((round(j.Px / 30), j.Py) for j in jets)):
        h.fill(17, a + b / (i + 1))
    for i, (a, (b, c)) in enumerate(sorted([(j.Px > 0, (-(i % 2), j.Pz)) for i, j in enumerate(jets)], reverse=True)):
        h.fill(18, a + b + c / (i + 1))
    if jets:
        h.fill(19, max(jets, key=lambda j: (j.Px > 0, j.Py)).Px)
        h.fill(20, min(jets, key=lambda j: (round(j.Px / 50), -j.Py)).Px)
        h.fill(21, max((round(j.Px / 40), j.Py) for j in jets)[1])
        h.fill(22, min((j.ID, j.Px) for j in jets)[1])
    a, b = max(((j.E > 60, j.Px) for j in jets), default=(False, 0.0))
    h.fill(23, a + b)
    best = min((n, 1.5), (k, 2.5), (2, event.MET_py))
    h.fill(24, best[0] + best[1])
    h.fill(25, max((n, -k), (k, -n), key=lambda t: (t[0] % 3, t[1]))[1])
    if n > 1:
        one, other = min(combinations(jets, 2), key=lambda p: (p[0].Px * p[1].Px > 0, abs(p[0].E - p[1].E)))
        h.fill(26, one.Px - other.Px)

        pair = max(combinations(jets, 2), key=lambda p: smaller(*p))
        h.fill(27, smaller(*pair) + min(*(k, n), 3) + max(*(n, 2.5)[1:], k))

    for i, jet in enumerate(reversed(jets)):
        h.fill(28, jet.Px / (i + 1))
    for i in reversed(range(k, n, 2)):
        h.fill(29, i)
    for one, other in zip(reversed(jets), jets):
        h.fill(30, one.Px - other.Py)
    for x, y in combinations(reversed(event.Jet_Px), 2):
        h.fill(31, x - y / 2)
    for i, x in enumerate(reversed(sorted(event.Jet_Py))):
        h.fill(32, x / (i + 1))
    for jet in reversed(jets[1:] + jets[:1]):
        h.fill(33, jet.Px)
    for x in reversed((n, k, 7)):
        h.fill(34, x)
    for x in [2 * x for x in reversed([n, k])]:
        h.fill(35, x)

    h.fill(36, n in (1, 2, 3))
    h.fill(37, n not in [0, k, 5])
    h.fill(38, k in range(-1, n))
    h.fill(39, n / 2 in range(0, 10, 2))
    h.fill(40, n in range(9, -1, -3))
    h.fill(41, k in range(n, k))
    h.fill(42, -1.0 * n in range(0, -8, -2))
    h.fill(43, event.MET_px in event.Jet_Px)
    h.fill(44, round(event.MET_px / 20) in [round(x / 20) for x in event.Jet_Px])
    h.fill(45, (n, 0) in enumerate(x > 50 for x in event.Jet_Px))
    h.fill(46, (n, k) not in [(1, 0), (2, 1), (k, n)])
    h.fill(47, 0 < n in range(k, 8))
    h.fill(48, math.nan in event.Jet_Px)
    h.fill(49, n in (round(x) % 5 for x in event.Jet_Px) and k in (0, 1))
    h.fill(50, 2.5 in range(5))
    h.fill(51, not n in (1, 2) or k not in (0, 1))

    for i, jet in enumerate(jets[::2]):
        h.fill(52, jet.Px / (i + 1))
    for i, jet in enumerate(jets[::-1]):
        h.fill(53, jet.Px / (i + 1))
    for i, x in enumerate(event.Jet_Px[-2:0:-1]):
        h.fill(54, x / (i + 1))
    for i, x in enumerate(event.Jet_Px[n:k:-2]):
        h.fill(55, x / (i + 1))
    for i, x in enumerate(event.Jet_Px[k:n:3]):
        h.fill(56, x / (i + 1))
    for i, x in enumerate(event.Jet_Px[-100:100:2][::-1]):
        h.fill(57, x / (i + 1))
    step = 1 if n % 2 else -2
    for i, x in enumerate(event.Jet_Px[::step]):
        h.fill(58, x / (i + 1))
    for i, x in enumerate(event.Jet_Px[k::step][1:]):
        h.fill(59, x / (i + 1))
    for i, x in enumerate(event.Jet_Px[:k:step][::-1][:2]):
        h.fill(60, x / (i + 1))
    for x in range(k, 20, 3)[n::-2]:
        h.fill(61, x)
    h.fill(62, len(jets[::3]) + 10 * len(jets[::-3]))
    for i, x in enumerate([j.Px for j in jets][1::2] + [1.0, 2.0]):
        h.fill(63, x / (i + 1))
    every = jets[::-1]
    for one, other in combinations(every[1:], 2):
        h.fill(64, one.Px - other.Py)
    if every:
        h.fill(65, every[0].Px - every[-1].Px)
    for jet in (jets[1:] + jets[:1])[::-2]:
        h.fill(66, jet.Px)

    t = (n, k, 1.5, n > 2)
    h.fill(67, t[1:][0] + t[::-1][0] + t[-2:][0] + len(t[:-1]) + t[3:0:-2][1])
    h.fill(68, sum((n, k) + (1.5, t[2])) + len(t + ()))
