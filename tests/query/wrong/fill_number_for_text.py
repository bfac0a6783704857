from hist import Hist, axis
h = Hist(axis.StrCategory(["a", "b"]))
for event in events:
    h.fill(event.x)
