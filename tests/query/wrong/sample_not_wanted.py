from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 1))
for event in events:
    h.fill(event.x, sample=1)
