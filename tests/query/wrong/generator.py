from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    pts = (m.pt for m in event.Muon)
    h.fill(max(pts))
