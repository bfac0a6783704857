"""hq's reader against uproot: every numeric column of every sample, entry by entry, bit for bit.

    conformance.py DUMP SAMPLE_FOLDER ...

The files of FULL are compared whole, every one of their columns, and in ranges that cross the baskets' borders; of the
others, the small ones first, as many as fit into HQ_CONFORMANCE_SECONDS (25), some columns of each. It fails if a value differs, if a branch that uproot reads as numbers is no column
of hq's and is not expected to be none, if hq refuses a tree that uproot opens and is not expected to, or if hardly
anything was compared.
"""

import fnmatch
import os
import pathlib
import subprocess
import sys
import time
import warnings

import awkward
import numpy
import uproot

FULL = ["uproot-Zmumu*.root", "uproot-HZZ*.root"]
SECONDS = float(os.environ.get("HQ_CONFORMANCE_SECONDS", "25"))
MOST_ENTRIES = 2000
MOST_COLUMNS = 40  # of one tree

COUNTER = 6  # the type number of a member that counts an array's elements: int in C++, uint32 to uproot

# What uproot reads as numbers and hq does not: file, branch (patterns), and what hq's reason must hold.
EXPECTED_UNREADABLE = [
    ("*", "*fBits", "the bits of a TObject"),  # uproot takes 4 bytes for each, which a referenced object's are not
    ("uproot-demo-double32.root", "d/fF32", "packed"),
    ("uproot-issue187.root", "V0Hyper.*", "packed"),
    ("uproot-issue232.root", "V0Hyper.*", "packed"),
]

# Trees that hq cannot open: file, tree, and what the message must hold.
EXPECTED_REFUSED = []


class Dump:
    """The test program that prints columns as raw bytes."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode(errors="replace").rstrip("\n")
        if not answer:
            raise SystemExit(f"the dump program ended (code {self.process.wait()}) on: {line}")
        if answer.startswith("error "):
            raise RuntimeError(answer[6:])
        return [int(word) for word in answer.split()[1:]]

    def lines(self, count):
        return [self.process.stdout.readline().decode(errors="replace").rstrip("\n").split("\t") for _ in range(count)]

    def open(self, path, tree):
        entries, columns, others = self.ask(f"open {path}\t{tree}")
        return (
            entries,
            {name: (kind, shape) for name, kind, shape in self.lines(columns)},
            {name: (kind, reason) for name, kind, reason in self.lines(others)},
        )

    def read(self, name, kind, shape, first, last):
        entries, values, size = self.ask(f"read {first} {last} {name}")
        assert entries == last - first, name
        offsets = None
        if shape == "jagged":
            offsets = numpy.frombuffer(self.process.stdout.read(4 * (entries + 1)), dtype=numpy.uint32)
        data = numpy.frombuffer(self.process.stdout.read(size), dtype=numpy.dtype(kind))
        assert len(data) == values, name
        return offsets, data


def hq_names(tree):
    """hq's name of every branch (and of every leaf, where a branch has several): docs/formats.md has the rule."""
    found = {}

    def visit(branch, parent, above):
        name = branch.name
        if parent is not None:
            inside = name.startswith(parent) and (parent.endswith(".") or name[len(parent) : len(parent) + 1] == ".")
            name = name if inside else f"{above}/{name}"
        leaves = branch.member("fLeaves")
        if len(leaves) > 1:
            for leaf in leaves:
                found.setdefault(f"{name}.{leaf.member('fName')}", (branch, leaf.member("fName")))
        elif branch.member("fType", none_if_missing=True) in (3, 4) and len(leaves) == 1:
            front = name.rpartition("/")[0]
            leaf = leaves[0].member("fName")
            found.setdefault(f"{front}/{leaf}" if front else leaf, (branch, None))
        else:
            found.setdefault(name, (branch, None))
        for child in branch.branches:
            visit(child, branch.name, name)

    for branch in tree.branches:
        visit(branch, None, "")
    return found


def is_numeric(branch, leaf):
    """Whether uproot takes the branch for flat, fixed or counted numbers."""
    try:
        interpretation = branch.interpretation
    except Exception:
        return False
    if isinstance(interpretation, uproot.AsJagged):
        return interpretation.header_bytes == 0 and type(interpretation.content) is uproot.AsDtype
    return type(interpretation) is uproot.AsDtype and (interpretation.from_dtype.names is None) == (leaf is None)


def is_comparable(branch, leaf):
    try:
        interpretation = branch.interpretation
    except Exception:
        return False
    if isinstance(interpretation, uproot.AsJagged):
        return type(interpretation.content) is uproot.AsDtype
    return type(interpretation) is uproot.AsDtype and (interpretation.from_dtype.names is None) == (leaf is None)


def uproot_values(branch, leaf, entries):
    """Offsets (None if flat) and values of the first entries, as hq is to have them."""
    try:
        array = branch.array(library="ak", entry_stop=entries)
    except ValueError:  # uproot 5.7 miscounts the entries of a part of a jagged branch without offsets
        array = branch.array(library="ak")[:entries]
    if leaf is not None:
        array = array[leaf]
    if branch.member("fLeaves")[0].member("fType", none_if_missing=True) == COUNTER:
        array = awkward.values_astype(array, numpy.int32)
    if array.ndim == 1:
        return None, awkward.to_numpy(array)
    while array.ndim > 2:
        array = awkward.flatten(array, axis=2)
    counts = awkward.to_numpy(awkward.num(array, axis=1))
    offsets = numpy.zeros(len(counts) + 1, dtype=numpy.uint32)
    numpy.cumsum(counts, out=offsets[1:])
    return offsets, awkward.to_numpy(awkward.flatten(array, axis=1))


def ranges_of(branch, entries, is_full):
    """The whole, and stretches that begin and end on, before and behind the borders of baskets."""
    yield 0, entries
    if entries == 0:
        return
    yield entries // 3, entries - entries // 3
    yield entries // 2, entries // 2
    yield entries - 1, entries
    inner = [int(o) for o in branch.entry_offsets if 0 < o < entries]
    for border in inner if is_full and len(inner) < 4 else inner[:1] + inner[-1:]:
        yield border - 1, min(border + 1, entries)
        yield border, entries
        yield max(0, border - 7), border


def difference(wanted, got, first, last):
    """None if the stretch is what uproot has, else what is wrong."""
    offsets, values = wanted
    got_offsets, got_values = got
    if offsets is not None:
        if got_offsets is None:
            return "flat, not jagged"
        if not numpy.array_equal(got_offsets, offsets[first : last + 1] - offsets[first]):
            return "other numbers of values"
        values = values[offsets[first] : offsets[last]]
    else:
        if got_offsets is not None:
            return "jagged, not flat"
        values = values[first:last]
    if values.dtype.newbyteorder("=") != got_values.dtype:
        return f"type {got_values.dtype}, not {values.dtype}"
    if values.dtype == bool:  # uproot leaves the bytes as they are
        values = numpy.ascontiguousarray(values).view(numpy.uint8) != 0
    if numpy.ascontiguousarray(values).tobytes() != got_values.tobytes():
        return "other values"
    return None


class Comparison:
    def __init__(self, dump):
        self.dump = dump
        self.failures = []
        self.columns = self.values = self.trees = self.full_columns = self.only_hq = self.not_uproot = 0

    def fail(self, *words):
        self.failures.append(" ".join(str(word) for word in words))

    def compare_column(self, where, name, column, branch, leaf, entries, is_full):
        try:
            wanted = uproot_values(branch, leaf, entries)
        except Exception:
            self.not_uproot += 1
            return
        for first, last in ranges_of(branch, entries, is_full):
            try:
                got = self.dump.read(name, *column, first, last)
            except RuntimeError as error:
                self.fail(where, name, f"[{first}, {last})", error)
                return
            wrong = difference(wanted, got, first, last)
            if wrong:
                self.fail(where, name, f"[{first}, {last})", wrong)
                return
        self.columns += 1
        self.full_columns += is_full
        self.values += len(wanted[1])

    def compare_tree(self, path, name, tree, is_full):
        where = f"{path.name}:{name}"
        try:
            entries, columns, others = self.dump.open(path, name)
        except RuntimeError as error:
            if not any(
                fnmatch.fnmatch(path.name, f) and fnmatch.fnmatch(name, t) and text in str(error)
                for f, t, text in EXPECTED_REFUSED
            ):
                self.fail(where, error)
            return
        self.trees += 1
        if entries != tree.num_entries:
            self.fail(where, "has", entries, "entries, not", tree.num_entries)
            return
        names = hq_names(tree)
        for missing in names.keys() - columns.keys():
            branch, leaf = names[missing]
            if is_numeric(branch, leaf) and len(branch.member("fLeaves")) and branch.num_entries == entries:
                reason = others.get(missing, ("", "not listed at all"))[1]
                if not any(
                    fnmatch.fnmatch(path.name, f) and fnmatch.fnmatch(missing, b) and text in reason
                    for f, b, text in EXPECTED_UNREADABLE
                ):
                    self.fail(where, missing, "is numbers to uproot, but hq says:", reason)
        some = entries if is_full else min(entries, MOST_ENTRIES)
        step = 1 if is_full else max(1, len(columns) // MOST_COLUMNS)
        for number, column in enumerate(columns):
            if column not in names:
                self.fail(where, column, "is no branch to uproot")
                continue
            branch, leaf = names[column]
            if not is_comparable(branch, leaf):
                self.only_hq += 1
                continue
            if number % step == 0 and (is_full or time.monotonic() < self.deadline):
                self.compare_column(where, column, columns[column], branch, leaf, some, is_full)

    def compare_file(self, path, is_full):
        try:
            file = uproot.open(path)
        except Exception:
            return  # not for uproot either
        for key, class_name in file.classnames(cycle=True).items():
            if class_name in ("TTree", "TNtuple", "TNtupleD"):
                try:
                    tree = file[key]
                except Exception:
                    continue
                self.compare_tree(path, key, tree, is_full)


def main():
    warnings.simplefilter("ignore")
    comparison = Comparison(Dump(sys.argv[1]))
    paths = sorted((p for folder in sys.argv[2:] for p in pathlib.Path(folder).glob("*.root")), key=lambda p: p.name)
    full = [p for p in paths if any(fnmatch.fnmatch(p.name, pattern) for pattern in FULL)]
    others = sorted((p for p in paths if p not in full), key=lambda p: p.stat().st_size)
    start = time.monotonic()
    for path in full:
        comparison.compare_file(path, True)
    comparison.deadline = time.monotonic() + SECONDS
    seen = 0
    for path in others:
        if time.monotonic() > comparison.deadline:
            break
        seen += 1
        comparison.compare_file(path, False)
    print(
        f"{len(full)} files whole ({comparison.full_columns} columns), {seen} of {len(others)} others; in all"
        f" {comparison.trees} trees, {comparison.columns} columns, {comparison.values} values in"
        f" {time.monotonic() - start:.0f} s; {comparison.only_hq} columns that uproot does not read as numbers,"
        f" {comparison.not_uproot} that it fails to read"
    )
    for failure in comparison.failures[:40]:
        print("FAILED", failure)
    if len(full) < 10 or comparison.full_columns < 400:
        print("FAILED: hardly anything was compared")
        return 1
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
