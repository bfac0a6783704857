# data: uproot-HZZ.root:events
#
# Slices and indices by Python's rules, columns by full name, and records in variables.
from hist import Hist, axis

lengths = Hist(axis.Regular(24, 0, 24, name="rule"), axis.Regular(8, 0, 8, name="length"))
px = Hist(axis.Regular(24, 0, 24, name="rule"), axis.Regular(100, -100, 100, name="px"))

for event in events:
    jets = event.Jet
    n = len(jets)
    k = event.NMuon - 1
    lengths.fill(0, n)
    lengths.fill(1, len(jets[1:]))
    lengths.fill(2, len(jets[:2]))
    lengths.fill(3, len(jets[-2:]))
    lengths.fill(4, len(jets[:-1]))
    lengths.fill(5, len(jets[1:-1]))
    lengths.fill(6, len(jets[3:1]))
    lengths.fill(7, len(jets[k:]))
    lengths.fill(8, len(jets[:k]))
    lengths.fill(9, len(jets[-k:n]))
    lengths.fill(10, len(jets[1:][1:]))
    lengths.fill(11, len(jets[:]))
    lengths.fill(12, len(event.Jet_Px))
    lengths.fill(13, len(event["Jet_Px"][1:]))
    lengths.fill(14, len(jets[100:]) + len(jets[:-100]) + len(jets[-100:100]))

    for x in event.Jet_Px:
        px.fill(0, x)
    for i, x in enumerate(event["Jet_Py"][-2:]):
        px.fill(1 + i, x)
    for jet in jets[k:]:
        px.fill(3, jet.Px)
    for jet in jets[1:][:1]:
        px.fill(4, jet.Px)
    px.fill(5, event["MET_px"])
    if jets:
        px.fill(6, jets[0].Px)
        px.fill(7, jets[-1].Px)
        px.fill(8, event.Jet_Px[n - 1])
        last = jets[n - 1]
        px.fill(9, last.Px - jets[-1].Px)
        hardest = jets[0]
        for jet in jets[1:]:
            if jet.E > hardest.E:
                hardest = jet
        px.fill(10, hardest.Px)
        either = jets[0] if k > 0 else jets[-1]
        px.fill(11, either.Py)
    if not event.Muon:
        px.fill(12, 0)
    if n > 2 and jets[2].Px > 0:
        px.fill(13, jets[2].Px)
    if n > 1 or k >= 0 and event.Muon[0].Px > 0:
        px.fill(14, n)
    px.fill(15, jets[1].Pz if n > 1 else -50)
