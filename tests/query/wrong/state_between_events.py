from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
total = 0
for event in events:
    total += event.run
    h.fill(total)
