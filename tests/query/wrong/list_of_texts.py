from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))

for event in events:
    names = ['a', 'b']
