from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def twice(a):
    return 2 * a
for event in events:
    h.fill(twice(event.x, 3))
