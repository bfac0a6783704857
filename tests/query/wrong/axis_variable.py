from hist import Hist, axis
h = Hist(axis.Variable([0, 1, 1, 2]))
for event in events:
    h.fill(event.x)
