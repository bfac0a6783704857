from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
for i in range(3):
    pass
