from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def f(x):
    break
for event in events:
    h.fill(1)
    f(1)
