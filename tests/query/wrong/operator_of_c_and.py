from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

for event in events:
    if event.MET_pt > 3 && event.run > 1:
        h.fill(1)
