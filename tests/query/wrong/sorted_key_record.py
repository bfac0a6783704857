from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    for m in sorted(event.Muon, key=lambda m: (m.pt, m)):
        h.fill(m.pt)
