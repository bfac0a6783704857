from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    def square(x):
        return x * x
    h.fill(square(2))
