from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    for a in event.Muon:
        for b in event.Muon:
            if a == b:
                h.fill(a.pt)
