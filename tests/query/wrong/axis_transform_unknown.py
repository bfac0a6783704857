from hist import Hist, axis
h = Hist(axis.Regular(10, 1, 2, transform=axis.transform.pow))
for event in events:
    h.fill(event.x)
