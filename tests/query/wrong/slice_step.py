from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    for x in event.hit[::0]:
        h.fill(x)
