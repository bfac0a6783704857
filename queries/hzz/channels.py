# data: uproot-HZZ.root:events
#
# Which leptons an event has: 0 none, 1 one muon, 2 one electron, 3 μμ, 4 ee, 5 eμ, 6 more.
from hist import Hist, axis

channel = Hist(axis.Regular(7, 0, 7, name="channel", label="none, μ, e, μμ, ee, eμ, more"))
yields = Hist(axis.Regular(7, 0, 7, name="channel", label="none, μ, e, μμ, ee, eμ, more"))
by_trigger = Hist(axis.Regular(7, 0, 7, name="channel"), axis.Regular(2, 0, 2, name="fired", label="IsoMu24 fired"))

for event in events:
    muons = len(event.Muon)
    electrons = len(event.Electron)
    if muons + electrons == 0:
        which = 0
    elif muons == 1 and electrons == 0:
        which = 1
    elif muons == 0 and electrons == 1:
        which = 2
    elif muons == 2 and electrons == 0:
        which = 3
    elif muons == 0 and electrons == 2:
        which = 4
    elif muons == electrons == 1:
        which = 5
    else:
        which = 6
    channel.fill(which)
    yields.fill(which, weight=event.EventWeight)
    by_trigger.fill(which, event.triggerIsoMu24)
