from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 100))


def f(x):
    def g(y):
        return y
    return g(x)


for event in events:
    h.fill(f(event.MET_pt))
