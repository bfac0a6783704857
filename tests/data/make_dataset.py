"""Writes the small ROOT files that test_dataset.c asks for, into the current folder."""

import os
import shutil
import sys

import numpy as np
import uproot


def write(name, entries, columns=("x", "n"), tree="events", clusters=1, n_type=np.int32, jagged=False):
    """A tree whose entries are written in so many clusters of equal size."""
    with uproot.recreate(name) as file:
        types = {}
        if "x" in columns:
            types["x"] = np.float64
        if "n" in columns:
            types["n"] = n_type
        if jagged:
            types["p"] = "var * float32"
        file.mktree(tree, types)
        for cluster in range(clusters):
            size = entries // clusters
            data = {name: np.arange(size, dtype=kind) for name, kind in types.items() if name != "p"}
            if jagged:
                import awkward as ak

                data["p"] = ak.from_regular(np.zeros((size, 2), dtype=np.float32))
            file[tree].extend(data)


os.makedirs("globbed", exist_ok=True)
for number in range(12):
    write(f"globbed/part{number:02}.root", 10 * (number + 1))
write("globbed/other.root", 5, tree="others")
write("clusters.root", 1000, clusters=20)
write("empty.root", 0, clusters=0)
write("only_x.root", 7, columns=("x",))
write("n_is_long.root", 7, n_type=np.int64)
write("jagged.root", 6, jagged=True)
write("colon:name.root", 3)
write("glob[1].root", 4)
with uproot.recreate("two.root") as two:
    for tree in "first", "second":
        two.mktree(tree, {"x": np.float64})
        two[tree].extend({"x": np.arange(9.0)})
shutil.copy2("only_x.root", "copy.root")
with open("text.root", "w") as text:
    text.write("this is no ROOT file\n" * 100)
sys.exit(0)
