from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    if event.x > 1 & event.MET_pt > 2.5:
        h.fill(1)
