from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    if event.x < 0:
        return
    h.fill(event.x)
