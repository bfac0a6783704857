# data: uproot-HZZ.root:events
#
# The jet of the largest transverse momentum, and how many others there are.
from hist import Hist, axis
from math import hypot

pt = Hist(axis.Regular(50, 0, 300, name="pt", label="leading jet pᵀ [GeV]"))
count = Hist(axis.Regular(10, 0, 10, name="jets", label="jets"))
second = Hist(axis.Regular(40, 0, 1, name="ratio", label="second pᵀ / first pᵀ"))

for event in events:
    count.fill(len(event.Jet))
    first = 0.0
    next_to_it = 0.0
    for jet in event.Jet:
        jet_pt = hypot(jet.Px, jet.Py)
        if jet_pt > first:
            next_to_it = first
            first = jet_pt
        elif jet_pt > next_to_it:
            next_to_it = jet_pt
    if len(event.Jet) > 0:
        pt.fill(first)
    if len(event.Jet) > 1:
        second.fill(next_to_it / first)
