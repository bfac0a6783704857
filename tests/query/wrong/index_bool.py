from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

for event in events:
    for m in event.Muon:
        h.fill(event.Muon[m.pt > 30].pt)
