from hist import Hist, axis
EDGES = 5
h = Hist(axis.Variable(EDGES))
for event in events:
    h.fill(1)
