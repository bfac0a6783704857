from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def total(xs):
    return sum(xs)
for event in events:
    h.fill(total(x for x in event.hit))
