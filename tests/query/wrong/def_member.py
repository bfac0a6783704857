from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
def pt_of(m):
    return m.ptt
for event in events:
    for m in event.Muon:
        h.fill(pt_of(m))
