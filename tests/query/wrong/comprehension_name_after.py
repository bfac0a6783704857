from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    n = sum(x for x in event.hit)
    h.fill(x)
