#!/usr/bin/env python3
"""Makes flat ROOT files for bench/latency, bench/locality and bench/fairness: float32 columns c0, c1, … that differ from file to
file, in baskets of equal size, so that a file can be cut into partitions of any size that is a multiple of a basket. Needs uproot
and numpy.

    bench/make_flat.py FOLDER FILES ENTRIES BASKET COLUMNS
"""
import pathlib
import sys

import numpy as np
import uproot


def make(path, seed, entries, basket, columns):
    rng = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(columns)]
    with uproot.recreate(path, compression=uproot.LZ4(1)) as file:
        tree = file.mktree("Events", {name: np.float32 for name in names})
        for first in range(0, entries, basket):
            count = min(basket, entries - first)
            # Few bits of mantissa, as measured numbers have.
            tree.extend({name: (rng.integers(0, 1024, count) / 1024).astype(np.float32) for name in names})


def main():
    folder = pathlib.Path(sys.argv[1])
    files, entries, basket, columns = (int(text) for text in sys.argv[2:6])
    for i in range(files):
        make(folder / f"flat-{i:03}.root", i, entries, basket, columns)


if __name__ == "__main__":
    main()
