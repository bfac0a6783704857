# data: uproot-HZZ.root:events
#
# Names above the event loop for numbers, texts, tuples and lists of these.
from hist import Hist, axis, storage

LOW, HIGH = -50, 50
LOW -= 10.5
(FIRST, SECOND), THIRD = (1, 2.5), 3
EDGES = [LOW, -20, -5, 0, 5, 20, HIGH]
NUMBERS = (0, 1, 2, 4)
CUTS = ["all", "muon", "jets"]
WIDTHS = [1, 2.5, True]
SAME = WIDTHS
PAIRS = ((1, 0.5), (2, 0.25), (3, 0.125))
LAST = EDGES[-1] + len(NUMBERS)

px = Hist(axis.Variable(EDGES, name="px"), axis.IntCategory(NUMBERS), storage.Weight())
flow = Hist(axis.StrCategory(CUTS), "int64")
values = Hist(axis.Integer(0, 30, name="rule"), axis.Regular(80, -20, 60, name="value"))


def widest(x, widths):
    best = widths[0]
    for w in widths:
        if abs(x) > w:
            best = w
    return best


def scaled(x):
    return x * WIDTHS[1] + SAME[0]


LOW = 7

for event in events:
    n = event.NJet
    px.fill(event.MET_px, n)
    flow.fill("all")
    if n in NUMBERS:
        flow.fill("jets")
    flow.fill("none")
    values.fill(0, WIDTHS[n % 3])
    values.fill(1, SAME[-1] + len(SAME))
    values.fill(2, sum(WIDTHS) + max(EDGES) - min(EDGES))
    values.fill(3, sum(x * y for x, y in zip(WIDTHS, NUMBERS)))
    values.fill(4, widest(n, WIDTHS))
    values.fill(5, widest(event.MET_px, WIDTHS[:2]))
    values.fill(6, scaled(n))
    values.fill(7, n in WIDTHS)
    values.fill(8, (n, 0.5) in PAIRS)
    values.fill(9, sum(a * b for a, b in PAIRS))
    values.fill(10, PAIRS[1][1] * 8 + LAST)
    values.fill(11, (WIDTHS + [n])[3])
    values.fill(12, sorted(WIDTHS, reverse=True)[0])
    values.fill(13, LOW + HIGH / 10)
    values.fill(14, FIRST + SECOND + THIRD)
    values.fill(15, len(EDGES[1:None]) + len(WIDTHS[None:None:-1]) + len(EDGES[None:2]))
    values.fill(16, round(event.MET_px, ndigits=1))
    for i, w in enumerate(WIDTHS):
        values.fill(17 + i, w)
    total = 0.0
    for w in WIDTHS[::-1]:
        total += w * total + 1
    values.fill(20, total)
    values.fill(21, any(x == w for x in EDGES for w in WIDTHS))
