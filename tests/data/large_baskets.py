"""hq's reader against uproot over baskets and pages that are larger than the samples have: stored ones are read straight to
where their column is, compressed ones decompressed to there.

    large_baskets.py DUMP MAKE_EVENTS

Whole columns, and stretches that begin and end on, before and behind the borders of baskets.
"""

import pathlib
import subprocess
import sys
import tempfile
import warnings

import uproot

import conformance
import conformance_rntuple

EVENTS, CHUNK = 50_000, 20_000  # up to 600 kB in a basket


def main():
    warnings.simplefilter("ignore")
    program, make_events = sys.argv[1:]
    trees, ntuples = conformance.Comparison(conformance.Dump(program)), conformance_rntuple.Comparison(conformance.Dump(program))
    with tempfile.TemporaryDirectory() as folder:
        for compression in ("none", "lz4", "zlib"):
            for kind in ([], ["--rntuple"]):
                path = pathlib.Path(folder) / f"{compression}{''.join(kind)}.root"
                command = [sys.executable, make_events, path, "--events", EVENTS, "--chunk", CHUNK, "--compression", compression, *kind]
                subprocess.run([str(word) for word in command], check=True)
                if kind:
                    ntuples.compare_ntuple(path.name, path, "Events;1", uproot.open(path)["Events"])
                else:
                    trees.compare_file(path)
    failures = trees.failures + ntuples.failures
    print(f"{trees.columns} columns of trees and {ntuples.columns} of RNTuples, {trees.values + ntuples.values} values")
    for failure in failures[:40]:
        print("FAILED", failure)
    if trees.columns < 60 or ntuples.columns < 45:
        print("FAILED: hardly anything was compared")
        return 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
