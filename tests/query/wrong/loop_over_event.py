from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

for e in event:
    h.fill(e.MET_pt)
