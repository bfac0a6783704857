from hist import Hist, axis

met = Hist(axis.Regular(100, 0, 200, name="met"))

for event in events:
    hard = 0
    for jet in event.Jet:
        if jet.pt > 40:
            hard += 1
    if hard >= 2:
        met.fill(event.MET_pt)
