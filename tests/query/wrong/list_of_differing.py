from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    xs = [1, event.Muon]
    h.fill(len(xs))
