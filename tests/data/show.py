"""hq-show over every sample: it ends in order whatever the file is, and its values are those of uproot.

    show.py DATA_FOLDER
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import awkward
import numpy
import uproot

import ntuple_writer

OF_BEFORE_1 = {"uproot-ntpl001_staff.root"}  # nothing but an RNTuple of before version 1.0
SHOW = os.path.join(os.environ["HQ_BIN"], "hq-show")
failures = []


def show(*arguments):
    return subprocess.run([SHOW, *map(str, arguments)], capture_output=True, timeout=600, check=False)


def check(condition, *words):
    if not condition:
        failures.append(" ".join(str(word) for word in words))


def check_every_sample(folder):
    """All are shown, for a person and as a document that lists all there is; one is refused with the reason."""
    trees = columns = unreadable = 0
    for path in sorted(folder.glob("*/*.root")):
        done = show("--json", path)
        wanted = 1 if path.name in OF_BEFORE_1 else 0
        check(done.returncode == wanted, path.name, "exit code", done.returncode, done.stderr)
        check(wanted == 0 or b"before version 1.0" in done.stderr, path.name, "failed without a reason")
        done_text = show(path)
        check(done_text.returncode == wanted, path.name, "exit code", done_text.returncode, done_text.stderr)
        check(wanted == 1 or done_text.stdout, path.name, "printed nothing")
        if not done.stdout:
            continue
        for tree in json.loads(done.stdout)["trees"]:
            trees += 1
            columns += sum(c["unreadable"] is None for c in tree.get("columns", []))
            unreadable += sum(c["unreadable"] is not None for c in tree.get("columns", []))
            check(tree["rntuple"] or tree["unreadable"] or tree["borders"][0] == 0, path.name, "borders")
    print(f"{trees} trees, {columns} columns, {unreadable} branches with a reason why not")
    check(trees > 200 and columns > 10000, "hardly anything was shown")


def check_values(folder):
    """Every entry is a line, and numbers come back as they were."""
    cases = [
        ("uproot-HZZ-zlib.root", "events", "Muon_Px", None),
        ("uproot-HZZ-lz4.root", "events", "Jet_ID", (7, 900)),
        ("uproot-Zmumu.root", "events", "M", None),
        ("uproot-HZZ.root", "events", "MET_px", (2400, 2421)),
        ("uproot-Zmumu.root", "events", "Q1", (5, 5)),
    ]
    for name, tree, column, entries in cases:
        path = folder / "skhep" / name
        extra = [] if entries is None else ["--entries", f"{entries[0]}:{entries[1]}"]
        done = show(f"{path}:{tree}", "--values", column, *extra)
        check(done.returncode == 0, name, column, done.stderr)
        got = [json.loads(line) for line in done.stdout.decode().splitlines()]
        first, last = entries or (None, None)
        wanted = uproot.open(path)[tree][column].array(library="np", entry_start=first, entry_stop=last)
        check(len(got) == len(wanted), name, column, "has", len(got), "lines, not", len(wanted))
        for i, (one, other) in enumerate(zip(got, wanted)):
            dtype = numpy.asarray(other).dtype
            if not numpy.array_equal(numpy.asarray(one, dtype=dtype), other):
                check(False, name, column, "entry", i, one, other)
                break


def check_deep_values(folder):
    """Lists of lists of a tree, as uproot has them."""
    for name, tree, column, branch, entries in [
        ("skhep/uproot-issue327.root", "DstTree", "fEventPlane.fQvector[9][10][2]", None, (3, 9)),
        ("coffea/nano_dy_rntuple.root", "Events", "Muon_pt", "Muon_pt", (5, 17)),
        ("coffea/nano_dy_rntuple.root", "Events", "run", "run", (0, 40)),
        ("coffea/nano_dy_rntuple.root", "Events", "Muon.pt", "Muon_pt", (5, 17)),
        ("coffea/nano_dy.root", "Events", "Jet.muonIdx1", "Jet_muonIdx1", (0, 40)),
    ]:
        path = folder / name
        done = show(f"{path}:{tree}", "--values", column, "--entries", f"{entries[0]}:{entries[1]}")
        check(done.returncode == 0, name, column, done.stderr)
        got = [json.loads(line) for line in done.stdout.decode().splitlines()]
        check(len(got) == entries[1] - entries[0], name, column, "has", len(got), "lines")
        array = uproot.open(path)[tree][branch or column].array(entry_start=entries[0], entry_stop=entries[1])
        flat = awkward.to_numpy(awkward.flatten(array, axis=None))
        check(awkward.Array(got).ndim == array.ndim, name, column, "is not as deep as in uproot")
        found = numpy.asarray(awkward.flatten(awkward.Array(got), axis=None)).astype(flat.dtype)
        check(found.tobytes() == flat.tobytes(), name, column, "has other values")


def nest(levels, values, first, last):
    """Entries of a column as Python's lists."""
    if not levels:
        return values[first:last].tolist()
    return [nest(levels[1:], values, int(levels[0][i]), int(levels[0][i + 1])) for i in range(first, last)]


def check_ntuple_values():
    """Flat, jagged and deep columns of an RNTuple, beyond the border of a cluster."""
    with tempfile.TemporaryDirectory() as folder:
        case = ntuple_writer.collections(str(pathlib.Path(folder) / "t.root"), ntuple_writer.S_INDEX64)
        for column, (levels, values) in case.columns.items():
            for first, last in ((0, case.entries), (990, 1010), (1500, 1500)):
                done = show(f"{case.path}:T", "--values", column, "--entries", f"{first}:{last}")
                check(done.returncode == 0, column, done.stderr)
                got = [json.loads(line) for line in done.stdout.decode().splitlines()]
                wanted = nest(levels, values, first, last)
                if values.dtype == numpy.float32:  # whose digits are those of a float
                    got, wanted = as_floats(got), as_floats(wanted)
                check(got == wanted, column, f"[{first}, {last}) has other values")


def as_floats(item):
    return [as_floats(i) for i in item] if isinstance(item, list) else float(numpy.float32(item))


def check_special_numbers():
    """Numbers that JSON does not know, and a file whose name has colons in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a:b:c.root"
        values = numpy.array([0.1, numpy.nan, numpy.inf, -numpy.inf, 1e-45, -0.0, 16777216])
        with uproot.recreate(path) as file:
            tree = file.mktree("sub/t", {"x": numpy.float64, "f": numpy.float32})
            tree.extend({"x": values, "f": values.astype(numpy.float32)})
        for target in (f"{path}:sub/t", f"{path}:sub/t;1", path):
            for column, dtype in (("x", numpy.float64), ("f", numpy.float32)):
                done = show(target, "--values", column)
                check(done.returncode == 0, target, done.stderr)
                got = numpy.array([json.loads(line) for line in done.stdout.decode().splitlines()], dtype=dtype)
                check(got.tobytes() == values.astype(dtype).tobytes(), target, column, got)
        check(b"0.1\n" in done.stdout, "0.1 takes more digits than it needs")


def check_mistakes(folder):
    sample = folder / "skhep" / "uproot-Zmumu.root"
    for code, text, *arguments in [
        (0, b"", "--help"),
        (2, b"which file", ),
        (2, b"one file", sample, sample),
        (2, b"--entries", sample, "--entries", "1:2"),
        (2, b"FIRST:LAST", sample, "--values", "M", "--entries", "9:3"),
        (2, b"--help", "--nonsense", sample),
        (1, b"no-such-file.root", "no-such-file.root"),
        (1, b"not a ROOT file", __file__),
        (1, b"directory", folder),
        (1, b"no tree \"nonsense\"; it has: events", f"{sample}:nonsense"),
        (1, b"no column \"nonsense\"", sample, "--values", "nonsense"),
        (1, b"cannot be read: ", sample, "--values", "Type"),
    ]:
        done = show(*arguments)
        check(done.returncode == code and text in done.stderr, arguments, "gave", done.returncode, done.stderr)
    for target in (sample, f"{sample}:events", f"{sample}:/events", f"{sample}:events;1"):
        done = show("--json", target)
        trees = json.loads(done.stdout)["trees"]
        check(done.returncode == 0 and [(t["path"], t["cycle"], t["entries"]) for t in trees] == [("events", 1, 2304)],
              target, trees)
    done = show(sample)
    check(done.returncode == 0 and b"2304 entries" in done.stdout and b"not readable" in done.stdout, done.stdout)
    done = show(folder / "skhep" / "uproot-HZZ.root")
    check(b"\n  Muon\n    Px " in done.stdout, "no collection Muon:", done.stdout)
    with open("/dev/full", "w") as full:
        done = subprocess.run([SHOW, sample], stdout=full, stderr=subprocess.PIPE, check=False)
    check(done.returncode == 1 and b"output" in done.stderr, "a full disk:", done)


def main():
    folder = pathlib.Path(sys.argv[1])
    check_mistakes(folder)
    check_values(folder)
    check_deep_values(folder)
    check_ntuple_values()
    check_special_numbers()
    check_every_sample(folder)
    for failure in failures[:40]:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
