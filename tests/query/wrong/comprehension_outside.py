from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
xs = [x for x in range(3)]
for event in events:
    h.fill(1)
