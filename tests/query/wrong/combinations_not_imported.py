from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    for a, b in combinations(event.Muon, 2):
        h.fill(a.pt)
