from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

g = Hist(axis.Regular(10, 0, 100))
for event in events:
    for each in (h, g):
        each.fill(event.MET_pt)
