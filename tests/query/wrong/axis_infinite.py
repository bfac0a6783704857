from hist import Hist, axis
import math
h = Hist(axis.Regular(10, 0, math.inf))
