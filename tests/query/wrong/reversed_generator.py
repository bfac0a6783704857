from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    for m in reversed(m for m in event.Muon):
        h.fill(m.pt)
