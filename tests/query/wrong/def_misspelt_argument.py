from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def scale(value, factor=2):
    return value * factor
for event in events:
    h.fill(scale(event.x, factr=3))
