from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    h.fill(any(event.flag, event.run > 2))
