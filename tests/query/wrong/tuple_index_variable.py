from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    t = (1, event.x)
    h.fill(t[event.run])
