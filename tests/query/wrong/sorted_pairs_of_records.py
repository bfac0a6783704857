from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    for pt, m in sorted((m.pt, m) for m in event.Muon):
        h.fill(pt)
