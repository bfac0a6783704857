# data: uproot-HZZ.root:events
#
# Values on and beside the edges of bins, where the order of operations decides.
from hist import Hist, axis

tenths = Hist(axis.Regular(100, 0, 10, name="x"))
thirds = Hist(axis.Regular(30, -1.5, 1.5, name="x"))
odd = Hist(axis.Regular(7, 0.1, 0.8, name="x"))
fine = Hist(axis.Regular(12345, -3.3, 9.7, name="x"))
one = Hist(axis.Regular(1, -0.1, 0.1, name="x"))

for event in events:
    n = event.NJet * 10 + event.NMuon
    for k in range(-3, 3):
        tenths.fill((n + k) * 0.1)
        tenths.fill((n + k) / 10)
        fine.fill((event.MET_px + k) / 7)
    if event.NJet < 4:
        continue
    for k in range(-12, 120):
        tenths.fill(k / 10)
        tenths.fill(k * 0.1)
        thirds.fill(k / 30)
        thirds.fill(k / 10 - 1.5)
        odd.fill(k * 0.1 + 0.1)
        odd.fill(0.8 - k * 1e-17)
        one.fill(k * 0.01)
