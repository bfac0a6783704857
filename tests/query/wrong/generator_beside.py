from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    h.fill(max(x for x in event.hit, default=0))
