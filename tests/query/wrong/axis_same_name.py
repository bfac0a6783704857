from hist import Hist, axis
h = Hist(axis.Regular(1, 0, 1, name='a'), axis.Regular(1, 0, 1, name='a'))
