from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    if [1, 2] < [event.run, 3]:
        h.fill(1)
