from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    xs = sorted(event.hit, reverse=event.flag)
    h.fill(xs[0])
