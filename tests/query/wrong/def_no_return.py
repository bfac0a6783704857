from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def sign(x):
    if x > 0:
        return 1
for event in events:
    h.fill(sign(event.x))
