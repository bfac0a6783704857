from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    if (event.run, 2) in (1, 2):
        h.fill(1)
