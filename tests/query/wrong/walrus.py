from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for event in events:
    if (n := len(event.Muon)) > 1:
        h.fill(n)
