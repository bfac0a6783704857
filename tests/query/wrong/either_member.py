from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    for l in event.Muon + event.Muon:
        h.fill(l.mass)
