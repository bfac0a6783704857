from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    ms = reversed(event.Muon)
    h.fill(ms[0].pt)
