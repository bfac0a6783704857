from hist import Hist, axis
h = Hist(axis.IntCategory([1, 2, 1]))
for event in events:
    h.fill(event.x)
