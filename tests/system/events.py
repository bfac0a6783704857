"""The data and the queries of the system tests: real dimuon events of CMS in files of many small baskets, and a query
whose work can be made as heavy as a test needs."""

import shutil

import numpy as np
import uproot

from harness import ZMUMU, oracle_of

FILES = 8
BASKETS = 48  # of each branch, in each file
BASKET_ENTRIES = 48
FILE_ENTRIES = BASKETS * BASKET_ENTRIES  # those of Zmumu
ENTRIES = FILES * FILE_ENTRIES
SUBTASKS = FILES * BASKETS
PARTITIONS = ("--partition-entries", str(BASKET_ENTRIES))
COLUMNS = ["Q1", "Q2", "E1", "px1", "py1", "pz1", "E2", "px2", "py2", "pz2", "pt1", "pt2", "phi1"]

# Weighted sums round, so they show whether partials were merged in the same order. The inner loop changes nothing, as no
# sine exceeds 2, but must be run.
TEXT = """\
from hist import Hist, axis
from math import sin, sqrt

WORK = {work}

mass = Hist(axis.Regular({bins}, 60, 120, name="mass", label="dimuon mass [GeV]"))
momentum = Hist(axis.Regular(40, 0, 200, name="pt"))

for event in events:
    if event.Q1 != event.Q2:
        extra = 0
        for i in range(WORK):
            if sin(i + event.phi1) > 2:
                extra += 1
        energy = event.E1 + event.E2
        px = event.px1 + event.px2
        py = event.py1 + event.py2
        pz = event.pz1 + event.pz2
        mass.fill(sqrt(energy**2 - px**2 - py**2 - pz**2) + extra)
        momentum.fill(event.pt1, weight=event.pt2 / event.E2)
"""


def write_files(folder):
    """The events of Zmumu in every file, each beginning with another one. The paths, in the order of the data set."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with uproot.open(ZMUMU) as file:
        columns = file["events"].arrays(COLUMNS, library="np")
    assert len(columns["Q1"]) == FILE_ENTRIES
    paths = []
    for number in range(FILES):
        path = folder / f"zmumu-{number:02}.root"
        with uproot.recreate(path) as file:
            file.mktree("events", {name: values.dtype for name, values in columns.items()})
            rolled = {name: np.roll(values, 191 * number) for name, values in columns.items()}
            for first in range(0, FILE_ENTRIES, BASKET_ENTRIES):
                file["events"].extend({name: values[first:first + BASKET_ENTRIES] for name, values in rolled.items()})
        paths.append(path)
    return paths


def write_query(path, work=0, bins=60):
    path.write_text(TEXT.format(work=work, bins=bins), "utf-8")
    return path


class Expected:
    """What CPython makes of the query over the first so many files, without the work that changes nothing."""

    def __init__(self, folder, paths):
        self.folder, self.paths, self.known = folder, paths, {}

    def __call__(self, bins=60, files=FILES):
        if (bins, files) not in self.known:
            query = write_query(self.folder / f"expected-{bins}.py", work=1, bins=bins)
            self.known[bins, files] = oracle_of(query, [f"{path}:events" for path in self.paths[:files]])
        return self.known[bins, files]
