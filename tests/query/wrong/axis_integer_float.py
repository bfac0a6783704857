from hist import Hist, axis
h = Hist(axis.Integer(0, 2.5))
for event in events:
    h.fill(event.x)
