from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    h.fill(round(event.MET_pt, 1.5))
