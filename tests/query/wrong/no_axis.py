from hist import Hist, axis
h = Hist()
