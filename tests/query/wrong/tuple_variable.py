from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    x = 1, 2
    a, b, c = x
    h.fill(a)
