from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100, transform=axis.transform.Pow(2)))
for event in events:
    h.fill(1)
