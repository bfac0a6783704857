from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def add(a, b):
    return a + b
for event in events:
    h.fill(add(event.x))
