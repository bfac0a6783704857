from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def good(x):
    return x
for event in events:
    good = 1
    h.fill(good)
