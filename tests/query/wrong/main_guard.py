from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10, name="x"))
if __name__ == '__main__':
    pass
