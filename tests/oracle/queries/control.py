# data: uproot-HZZ.root:events
#
# Loops and the ways out of them.
from hist import Hist, axis

steps = Hist(axis.Regular(60, 0, 60, name="steps"))
found = Hist(axis.Regular(12, -2, 10, name="position"))
numbers = Hist(axis.Regular(40, -20, 20, name="number"))
kinds = Hist(axis.Regular(6, 0, 6, name="kind"))

LIMIT = 40
SCALE = 2.5

for event in events:
    if len(event.Jet) == 0 and len(event.Muon) == 0:
        continue

    # Collatz, with a limit
    n = event.NPrimaryVertices * 3 + len(event.Jet)
    count = 0
    while n > 1:
        if count >= LIMIT:
            break
        if n % 2 == 0:
            n //= 2
        else:
            n = 3 * n + 1
        count += 1
    else:
        steps.fill(50)
    steps.fill(count)

    # the first hard jet, or none
    for i, jet in enumerate(event.Jet):
        if jet.Px**2 + jet.Py**2 > (SCALE * 20) ** 2:
            found.fill(i)
            break
    else:
        found.fill(-1)

    for i in range(10, -10, -3):
        if i == event.NMuon:
            continue
        numbers.fill(i)
    for i in range(event.NJet, 2 * event.NJet):
        for j in range(i):
            if j > 3:
                break
            if (i + j) % 2:
                continue
            numbers.fill(i - j)
    for i in range(5, 2):
        numbers.fill(i)
    for i, muon in enumerate(event.Muon, 5):
        numbers.fill(i)
    for i, jet in enumerate(event.Jet[1:], -3):
        numbers.fill(i)

    if event.NMuon == 0:
        kind = 0
    elif event.NMuon == 1:
        kind = 1
        if event.NJet > 1:
            kind = 5
    elif event.NMuon == 2:
        kind = 2
    else:
        pass
        kind = 3
    kinds.fill(kind)

    while True:
        count -= 7
        if count < 0:
            break
    kinds.fill(-count % 6)
