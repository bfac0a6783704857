from hist import Hist, axis
EDGES = [0, 5, 3]
h = Hist(axis.Variable(EDGES))
for event in events:
    h.fill(1)
