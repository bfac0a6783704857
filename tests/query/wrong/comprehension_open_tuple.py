from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

for event in events:
    h.fill(sum(a * b for a, b in (x, x + 1 for x in range(3))))
