"""hq's reader against uproot: every numeric column of every tree of every sample, entry by entry, bit for bit.

    conformance.py DUMP UNREADABLE.json [--shard I/N] [--write] FOLDER ...

Each array that uproot gives is taken apart into its numbers, whatever lists and records they are in, and each of them
must be a column of hq's with the same lists and the same bits, read whole and in stretches that begin and end on, before
and behind the borders of baskets. It fails if a value differs, and if there are more numbers in a tree that hq does not
read than UNREADABLE.json says, which has for each file and reason how many (--write writes it anew, from all shards:
docs/formats.md explains the reasons). A shard is every Nth file.
"""

import collections
import fnmatch
import json
import pathlib
import subprocess
import sys
import time
import warnings

import awkward
import numpy
import uproot

SHAPES = ["flat", "jagged", "lists2", "lists3", "lists4"]  # by depth

# What uproot gets wrong, found by looking at the bytes: file, branch, and why.
UPROOT_IS_WRONG = [
    # Containers written one member after the other (bit 14 of the version), read as if one object came after the other.
    ("PHYSLITE_example.root", "METAssoc_AnalysisMETAux.jetLink*", "member-wise"),
    # The bits of an object that is referred to have two bytes more, which uproot takes for half a value.
    ("delphes.root", "*.fBits", "bits"),
]


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

    def numbers(self, dtype, count):
        return numpy.frombuffer(self.process.stdout.read(dtype.itemsize * count), dtype=dtype)

    def read(self, name, kind, shape, first, last):
        """The offsets of each level of lists, and the values."""
        entries, count, size = self.ask(f"read {first} {last} {name}")
        assert entries == last - first, name
        levels, items = [], entries
        for _ in range(SHAPES.index(shape)):
            levels.append(self.numbers(numpy.dtype(numpy.uint32), items + 1))
            items = int(levels[-1][-1])
        values = self.numbers(numpy.dtype(kind), count)
        assert values.nbytes == size, name
        return levels, values


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


def member_name(name, member):
    return name + member if name.endswith(".") else f"{name}.{member}"


def take_apart(layout, name, levels=()):
    """Every number in an array: its name, the offsets of the lists round it, and the values."""
    if layout.is_indexed and not layout.is_option:
        layout = layout.project()
    if layout.parameter("__array__") in ("string", "bytestring"):
        return
    if layout.is_regular or (layout.is_numpy and layout.inner_shape):
        layout = layout.to_RegularArray() if layout.is_numpy else layout
        offsets = numpy.arange(len(layout) + 1, dtype=numpy.int64) * layout.size
        yield from take_apart(layout.content[: int(offsets[-1])], name, (*levels, offsets))
    elif layout.is_list:
        layout = layout.to_ListOffsetArray64(True)
        offsets = numpy.asarray(layout.offsets)
        is_map = layout.parameter("__array__") == "sorted_map" or layout.content.parameter("__array__") == "sorted_map"
        content = layout.content[: int(offsets[-1])]
        if is_map and content.is_record:
            for index, member in enumerate(("first", "second")):
                yield from take_apart(content.content(index), member_name(name, member), (*levels, offsets))
        else:
            yield from take_apart(content, name, (*levels, offsets))
    elif layout.is_record:
        for field in layout.fields:
            if not field.startswith("@"):
                yield from take_apart(layout.content(field), member_name(name, field), levels)
    elif layout.is_numpy:
        values = numpy.asarray(layout.data)
        if values.dtype.kind in "biuf":
            yield name, levels, values


def uproot_array(branch, leaf):
    array = branch.array(library="ak")
    return array if leaf is None else array[leaf]


def tolerance_of(branch):
    """Steps between two limits: ROOT's arithmetic and uproot's differ in the last of 32 bits."""
    interpretation = branch.interpretation
    interpretation = getattr(interpretation, "content", interpretation)
    if hasattr(interpretation, "is_truncated") and not interpretation.is_truncated:
        return (interpretation.high - interpretation.low) * 2.0**-31 + (
            1e-6 * max(abs(interpretation.low), abs(interpretation.high))
            if isinstance(interpretation, uproot.interpretation.numerical.AsFloat16)
            else 0
        )
    return 0


def difference(wanted, got, tolerance):
    """None if both are the same, else what is wrong."""
    levels, values = wanted
    got_levels, got_values = got
    if len(levels) != len(got_levels):
        return f"lists {len(got_levels)} deep, not {len(levels)}"
    for offsets, got_offsets in zip(levels, got_levels):
        if not numpy.array_equal(offsets, got_offsets):
            return "other numbers of items"
    if values.dtype == numpy.uint32 and got_values.dtype == numpy.int32:  # a member that counts
        values = values.astype(numpy.int32)
    if values.dtype.newbyteorder("=") != got_values.dtype:
        return f"type {got_values.dtype}, not {values.dtype}"
    if values.dtype == bool:  # uproot leaves the bytes as they are
        values = numpy.ascontiguousarray(values).view(numpy.uint8) != 0
    if tolerance:
        return None if numpy.allclose(values, got_values, rtol=0, atol=tolerance) else "other values"
    if numpy.ascontiguousarray(values).tobytes() != got_values.tobytes():
        return "other values"
    return None


def stretches(branch, entries):
    """The whole, and stretches that begin and end on, before and behind the borders of baskets."""
    yield 0, entries
    if entries < 2:
        return
    yield entries // 3, entries - entries // 3
    yield entries - 1, entries
    inner = [int(o) for o in branch.entry_offsets if 0 < o < entries]
    for border in inner[:1] + inner[1:][-1:]:
        yield border - 1, min(border + 1, entries)


class Comparison:
    def __init__(self, dump):
        self.dump = dump
        self.failures = []
        self.columns = self.values = self.trees = self.deep = self.packed = 0
        self.only_hq = self.not_uproot = self.uproot_wrong = 0
        self.unreadable = collections.defaultdict(collections.Counter)

    def fail(self, *words):
        self.failures.append(" ".join(str(word) for word in words))

    def compare_column(self, name, column, pieces, tolerance):
        """None, or what is wrong; pieces are the stretches and what uproot has of each."""
        for (first, last), parts in pieces.items():
            try:
                got = self.dump.read(name, *column, first, last)
            except RuntimeError as error:
                return f"[{first}, {last}) {error}"
            wrong = difference(parts[name], got, tolerance)
            if wrong:
                return f"[{first}, {last}) {wrong}"
        self.columns += 1
        self.deep += SHAPES.index(column[1]) > 1
        self.packed += tolerance > 0
        self.values += sum(len(parts[name][1]) for parts in pieces.values())
        return None

    def compare_branch(self, path, tree, name, branch, leaf, columns, others, entries):
        where = f"{path.name}:{tree}"
        try:
            if isinstance(branch.interpretation, uproot.AsGrouped) and name not in columns:
                return set()
            is_counter = isinstance(branch.interpretation, uproot.AsGrouped)
            array = uproot_array(branch, leaf)
            if is_counter:  # a split collection: hq has its number of objects
                array = awkward.num(array[array.fields[0]], axis=1) if array.fields else array
                array = awkward.values_astype(array, numpy.int32)
            pieces = {
                (first, last): {
                    part: (levels, values)
                    for part, levels, values in take_apart(awkward.to_packed(array[first:last]).layout, name)
                }
                for first, last in stretches(branch, len(array))
            }
            tolerance = tolerance_of(branch)
        except Exception:
            self.not_uproot += 1
            return set()
        seen = set()
        for part in pieces[0, len(array)]:
            if part in columns:
                seen.add(part)
                wrong = self.compare_column(part, columns[part], pieces, tolerance)
                is_known = any(
                    fnmatch.fnmatch(path.name, f) and fnmatch.fnmatch(part, b) for f, b, _ in UPROOT_IS_WRONG
                )
                self.uproot_wrong += is_known and wrong is not None
                if wrong and not is_known:
                    self.fail(where, part, wrong)
            else:
                reason = others.get(part, others.get(name, ("", "not listed at all")))[1]
                self.unreadable[path.name][reason.split(": ")[-1]] += 1
        return seen

    def compare_tree(self, path, name, tree):
        where = f"{path.name}:{name}"
        try:
            entries, columns, others = self.dump.open(path, name)
        except RuntimeError as error:
            self.fail(where, error)
            return
        self.trees += 1
        if entries != tree.num_entries:
            self.fail(where, "has", entries, "entries, not", tree.num_entries)
            return
        seen = set()
        for branch_name, (branch, leaf) in hq_names(tree).items():
            if len(branch.member("fLeaves")):
                seen |= self.compare_branch(path, name, branch_name, branch, leaf, columns, others, entries)
        for column in columns.keys() - seen:  # uproot cannot read it, but hq says it can
            self.only_hq += 1
            try:
                self.dump.read(column, *columns[column], 0, entries)
            except RuntimeError as error:  # bytes that neither can make sense of
                self.unreadable[path.name]["nor does uproot: " + str(error).split(": ")[-1]] += 1

    def compare_file(self, path):
        try:
            file = uproot.open(path)
            keys = file.classnames(cycle=True)
        except Exception:
            return  # not for uproot either
        for key, class_name in keys.items():
            if class_name in ("TTree", "TNtuple", "TNtupleD"):
                try:
                    tree = file[key]
                except Exception:
                    continue
                self.compare_tree(path, key, tree)

    def check_unreadable(self, expected):
        for file, reasons in self.unreadable.items():
            for reason, count in reasons.items():
                wanted = expected.get(file, {}).get(reason, 0)
                if count > wanted:
                    self.fail(file, count, "numbers that hq does not read, and", wanted, "were expected:", reason)


def main():
    warnings.simplefilter("ignore")
    program, expected_path, *arguments = sys.argv[1:]
    shard, shards = 0, 1
    if arguments[0] == "--shard":
        shard, shards = (int(word) for word in arguments[1].split("/"))
        arguments = arguments[2:]
    is_writing = arguments[0] == "--write"
    folders = arguments[is_writing:]
    paths = sorted((p for folder in folders for p in pathlib.Path(folder).glob("*.root")), key=lambda p: p.name)
    paths = sorted(paths, key=lambda p: p.stat().st_size)[shard::shards]
    comparison = Comparison(Dump(program))
    start = time.monotonic()
    for path in paths:
        comparison.compare_file(path)
    print(
        f"{len(paths)} files, {comparison.trees} trees, {comparison.columns} columns ({comparison.deep} of lists of lists,"
        f" {comparison.packed} packed), {comparison.values} values in {time.monotonic() - start:.0f} s;"
        f" {comparison.not_uproot} branches that uproot cannot read as an array, {comparison.only_hq} columns that only hq"
        f" reads, {comparison.uproot_wrong} that uproot is known to read wrongly"
    )
    if is_writing:
        document = {file: dict(sorted(reasons.items())) for file, reasons in sorted(comparison.unreadable.items())}
        pathlib.Path(expected_path).write_text(json.dumps(document, indent=1) + "\n")
    comparison.check_unreadable(json.loads(pathlib.Path(expected_path).read_text()))
    for failure in comparison.failures[:60]:
        print("FAILED", failure)
    if comparison.columns < 20000 // shards // 2:
        print("FAILED: hardly anything was compared")
        return 1
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
