from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    m = max(event.Muon, key=lambda m: m)
    h.fill(m.pt)
