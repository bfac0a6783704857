from hist import Hist, axis
h = Hist(axis.Boolean(overflow=True))
for event in events:
    h.fill(event.x)
