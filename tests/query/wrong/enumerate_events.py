from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

for i, event in enumerate(events):
    h.fill(i)
