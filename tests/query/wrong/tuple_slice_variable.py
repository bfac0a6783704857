from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    t = (1, 2.5, 3)
    h.fill(len(t[event.run:]))
