from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    x = 100000000000000000000
