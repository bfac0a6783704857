from hist import Hist, axis
h = Hist(axis.StrCategory(['a', 'b']))
for event in events:
    h.fill('a' if event.MET_pt > 3 else 'b')
