from hist import Hist, axis
h = Hist(axis.IntCategory(["a"]))
for event in events:
    h.fill(event.x)
