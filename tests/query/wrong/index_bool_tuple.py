from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

for event in events:
    h.fill((1, 2)[event.MET_pt > 30])
