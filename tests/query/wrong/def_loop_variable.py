from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def scaled():
    return 2 * x
for event in events:
    x = event.x
    h.fill(scaled())
