from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100, growth=True))
for event in events:
    h.fill(1)
