from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

LOW, HIGH = 1, 2, 3
for event in events:
    h.fill(LOW)
