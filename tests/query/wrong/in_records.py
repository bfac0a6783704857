from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    for m in event.Muon:
        h.fill(m in event.Muon[1:])
