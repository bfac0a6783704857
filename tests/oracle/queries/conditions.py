# data: uproot-HZZ.root:events
#
# Truth, chains, and what and and or give.
from hist import Hist, axis

truth = Hist(axis.Regular(30, 0, 30, name="rule"), axis.Regular(2, 0, 2, name="holds"))
values = Hist(axis.Regular(20, 0, 20, name="rule"), axis.Regular(120, -60, 60, name="value"))

for event in events:
    a = event.NJet
    b = event.NMuon
    x = event.MET_px
    y = event.MET_py
    fired = event.triggerIsoMu24 and event.MET_px > 5
    nan = (x - x) / (x - x)
    truth.fill(0, a < b)
    truth.fill(1, 0 < a < 3)
    truth.fill(2, a == b != 0)
    truth.fill(3, -10 < x <= y < 40.5)
    truth.fill(4, not a)
    truth.fill(5, not fired)
    truth.fill(6, a > 1 and b > 1)
    truth.fill(7, a > 1 or b > 1)
    truth.fill(8, not (a > 1 or b > 1) == fired)
    truth.fill(9, a > 1 and b > 1 or x > 0 and not y > 0)
    truth.fill(10, fired == 1)
    truth.fill(11, fired < 0.5)
    truth.fill(12, fired != (a > 0))
    truth.fill(13, nan == nan)
    truth.fill(14, nan != nan)
    truth.fill(15, not nan < 1)
    truth.fill(16, 1 if nan else 0)
    truth.fill(17, True if x else False)
    truth.fill(18, bool(a))
    truth.fill(19, bool(x) and bool(0.0 * x))
    truth.fill(20, (a > 0) & (b > 0))
    truth.fill(21, (a > 0) | fired)
    truth.fill(22, (a > 0) ^ fired)
    truth.fill(23, a / 0 == b / 0 if a and b else False)
    truth.fill(24, a + 0.5 > b)

    values.fill(0, (a > 0) + (b > 0) + fired)
    values.fill(1, a and b)
    values.fill(2, a or b)
    values.fill(3, x and a)
    values.fill(4, (a or x) and (b or y))
    values.fill(5, a if a > b else b)
    values.fill(6, x if a > b else a)
    values.fill(7, 1 if a == 0 else 2 if a == 1 else 3.5 if b else 4)
    values.fill(8, min(a, b) - max(a, b, 2))
    values.fill(9, min(x, a, y))
    values.fill(10, max(x, 0) + max(-y, 0.0))
    values.fill(11, abs(x) - abs(-a))
    values.fill(12, -(a > 0))
    values.fill(13, min(nan, x))
    values.fill(14, max(x, nan))
