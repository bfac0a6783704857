# data: uproot-HZZ-lz4.root:events
# data: uproot-HZZ-zstd.root:events
#
# Ways to declare and to fill, over two files.
import hist
import hist.axis as ax
from hist import Hist, axis, storage
from math import sqrt as root

BINS = 20
"""A string that stands alone says nothing."""

plain = Hist(axis.Regular(BINS, -50, 50))
named = hist.Hist(hist.axis.Regular(BINS * 2, -50.5, 2 * 25 + 0.5, name="px", label="p \"x\" \\ [GeV]\tµ"))
weight = Hist(axis.Regular(bins=5, start=0, stop=5, name="jets"), storage=storage.Weight())
double = Hist(axis.Regular(5, 0, 5, name="jets", flow=True), storage=storage.Double())
int64 = Hist(axis.Regular(5, 0, 5, name="jets", underflow=True, growth=False), storage=storage.Int64())
four = Hist(
    ax.Regular(2, 0, 2, name="a"),
    ax.Regular(3, 0, 3, name="b"),
    ax.Regular(4, -100, 100, name="c"),
    ax.Regular(5, 0, 150, name="d"),
)
negative = Hist(axis.Regular(5, 0, 5, name="jets"))
empty = Hist(axis.Regular(3, 0, 1))
never = Hist(axis.Regular(3, 0, 1))

for event in events:
    plain.fill(event.MET_px)
    named.fill(px=event.MET_px)
    weight.fill(event.NJet)
    double.fill(jets=event.NJet)
    int64.fill(event.NJet)
    four.fill(event.NMuon, event.NJet, d=root(event.MET_px**2 + event.MET_py**2), c=event.MET_py)
    negative.fill(event.NJet, weight=event.MET_px)
    if event.NJet > 1000:
        never.fill(0.5, weight=2)
