from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def nothing(x):
    y = x
for event in events:
    h.fill(nothing(event.x))
