from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 1, transform=axis.transform.log))
for event in events:
    h.fill(event.x)
