"""hq's reader of RNTuples against uproot, entry by entry, bit for bit.

    conformance_rntuple.py DUMP SAMPLE_FOLDER ...

Compares every column of every RNTuple among the samples, and of files that uproot writes for this test; and, against the
numbers that went in, of files that ntuple_writer.py writes byte by byte in all the encodings that uproot cannot write.
What hq's columns are to be called follows docs/formats.md, here a second time. It fails if a value differs, if a field of
numbers is no column, if a column is none of uproot's, or if hardly anything was compared.
"""

import pathlib
import sys
import tempfile
import warnings

import awkward
import numpy
import uproot

from conformance import Dump
from ntuple_writer import written_cases

LEAF, COLLECTION, RECORD, VARIANT, STREAMER = range(5)
CARDINALITY = "ROOT::RNTupleCardinality<"
TEXT = "std::string"


class Ntuple:
    """What columns hq is to find in an RNTuple, as name -> (offsets of each level, values). The numbers are those that
    uproot reads for each physical column; making an awkward array of each field takes a hundred times longer."""

    def __init__(self, ntuple):
        self.ntuple = ntuple
        self.fields = ntuple.field_records
        self.clusters = len(ntuple.cluster_summaries)
        self.children, self.physical = {}, {}
        for number, field in enumerate(self.fields):
            if field.parent_field_id != number:
                self.children.setdefault(field.parent_field_id, []).append(number)
        for number, column in enumerate(ntuple.column_records):
            self.physical.setdefault(column.field_id, number)
        for alias in ntuple.alias_column_records:
            self.physical.setdefault(alias.field_id, alias.physical_id)
        self.names = {f.field_name for n, f in enumerate(self.fields) if f.parent_field_id == n}
        self.columns = {}
        for number, field in enumerate(self.fields):
            # The collections of an importer have none but members that are all projected.
            if field.parent_field_id == number and not field.field_name.startswith("_collection"):
                self.visit(number, field.field_name, [], ".")

    def numbers(self, field):
        """Of a field's column; of an index where the lists begin, and where the last one ends."""
        return self.ntuple.read_cluster_range(self.physical[field], 0, self.clusters)

    def ends(self, field):
        return self.numbers(field) if self.clusters else numpy.zeros(1, dtype=numpy.int64)

    def visit(self, number, path, levels, between):
        field, children = self.fields[number], self.children.get(number, [])
        if field.struct_role in (VARIANT, STREAMER) or field.type_name == TEXT:
            return
        if field.repetition:
            lists = levels[-1][-1] if levels else self.ntuple.num_entries
            levels = levels + [numpy.arange(lists + 1) * field.repetition]
        if field.struct_role == LEAF and not children:
            if field.type_name.startswith(CARDINALITY):
                self.columns[path] = levels, numpy.diff(self.ends(number))
            else:
                self.columns[path] = levels, self.numbers(number)
        elif field.struct_role == COLLECTION:
            is_records = self.fields[children[0]].struct_role == RECORD
            counter = f"{path}_" if field.type_name else f"n{path}"
            if is_records and not levels and counter not in self.names:
                self.columns[counter] = [], numpy.diff(self.ends(number))
            between = "_" if is_records and not field.type_name else "."
            self.visit(children[0], path, levels + [self.ends(number)], between)
        else:
            for child in children:
                name = self.fields[child].field_name
                is_named = field.struct_role == RECORD and not name.startswith(":")
                self.visit(child, f"{path}{between}{name}" if is_named else path, levels, "." if is_named else between)


def cut(offsets, values, first, last):
    """The entries from first to last of a column."""
    found = []
    for level in offsets:
        part = level[first : last + 1]
        found.append((part - part[0]).astype(numpy.uint32))
        first, last = int(part[0]), int(part[-1])
    return found, values[first:last]


def read(dump, name, kind, shape, first, last):
    entries, count, size = dump.ask(f"read {first} {last} {name}")
    depth = {"flat": 0, "jagged": 1}.get(shape) if shape in ("flat", "jagged") else int(shape[5:])
    offsets, length = [], entries
    for _ in range(depth):
        offsets.append(numpy.frombuffer(dump.process.stdout.read(4 * (length + 1)), dtype=numpy.uint32))
        length = int(offsets[-1][-1])
    values = numpy.frombuffer(dump.process.stdout.read(size), dtype=numpy.dtype(kind))
    assert len(values) == count == length, name
    return offsets, values


class Comparison:
    def __init__(self, dump):
        self.dump = dump
        self.failures = []
        self.columns = self.values = self.ntuples = 0

    def fail(self, *words):
        self.failures.append(" ".join(str(word) for word in words))

    def compare(self, where, name, column, offsets, values, borders, is_near=False):
        entries = len(offsets[0]) - 1 if offsets else len(values)
        inner = [b for b in borders if 0 < b < entries]
        ranges = {(0, entries), (entries // 3, entries - entries // 3), (max(0, entries - 1), entries), (0, 0)}
        for border in inner[:3] + inner[-2:]:
            ranges |= {(border - 1, border + 1), (border, entries), (max(0, border - 3), border), (1, border)}
        for first, last in sorted(ranges):
            if first > last or last > entries:
                continue
            try:
                got_offsets, got = read(self.dump, name, *column, first, last)
            except RuntimeError as error:
                return self.fail(where, name, f"[{first}, {last})", error)
            wanted_offsets, wanted = cut(offsets, values, first, last)
            if len(got_offsets) != len(wanted_offsets):
                return self.fail(where, name, f"depth {len(got_offsets)}, not {len(wanted_offsets)}")
            if any(not numpy.array_equal(a, b) for a, b in zip(got_offsets, wanted_offsets)):
                return self.fail(where, name, f"[{first}, {last}) other numbers of values")
            wanted = numpy.ascontiguousarray(wanted.astype(got.dtype))
            same = numpy.allclose(wanted, got, rtol=1e-6, atol=0) if is_near else wanted.tobytes() == got.tobytes()
            if not same:
                return self.fail(where, name, f"[{first}, {last}) other values: {got[:8]}, not {wanted[:8]}")
        self.columns += 1
        self.values += len(values)

    def compare_ntuple(self, where, path, name, ntuple):
        try:
            entries, columns, others = self.dump.open(path, name)
        except RuntimeError as error:
            return self.fail(where, error)
        self.ntuples += 1
        if entries != ntuple.num_entries:
            return self.fail(where, entries, "entries, not", ntuple.num_entries)
        wanted = Ntuple(ntuple).columns
        for missing in wanted.keys() - columns.keys():
            self.fail(where, missing, "is no column, but", others.get(missing, "not listed"))
        for extra in columns.keys() - wanted.keys():
            self.fail(where, extra, "is a column, but uproot has no such field")
        borders = [s.num_first_entry for s in ntuple.cluster_summaries] if entries else []
        for column in columns.keys() & wanted.keys():
            self.compare(where, column, columns[column], *wanted[column], borders)
        return None


def write_with_uproot(path):
    """Three clusters of everything that uproot writes."""
    generator = numpy.random.default_rng(11)

    def lists(counts, values):
        return awkward.unflatten(values, counts)

    def batch(entries):
        counts = generator.integers(0, 5, entries)
        inner = generator.integers(0, 4, counts.sum())
        total = inner.sum()
        columns = {f"{t}": generator.integers(0, 100, entries).astype(t) for t in INTEGERS}
        columns |= {t: generator.normal(size=entries).astype(t) for t in ("float32", "float64")}
        columns["flag"] = generator.integers(0, 2, entries).astype(bool)
        columns["text"] = awkward.Array(["x" * int(n) for n in counts])
        columns["fixed"] = generator.normal(size=(entries, 3)).astype(numpy.float32)
        columns["matrix"] = generator.normal(size=(entries, 3, 2))
        columns["points"] = lists(counts, awkward.from_numpy(generator.normal(size=(counts.sum(), 3)), regulararray=True))
        columns["list"] = lists(counts, generator.integers(-9, 9, counts.sum()).astype(numpy.int16))
        columns["flags"] = lists(counts, generator.integers(0, 2, counts.sum()).astype(bool))
        columns["lists"] = lists(counts, lists(inner, generator.normal(size=total)))
        columns["record"] = awkward.zip({"x": generator.normal(size=entries), "n": counts})
        columns["Muon"] = awkward.zip(
            {
                "pt": lists(counts, generator.exponential(30, counts.sum()).astype(numpy.float32)),
                "charge": lists(counts, generator.integers(-1, 2, counts.sum()).astype(numpy.int32)),
            },
        )
        columns["Jet"] = awkward.zip(
            {
                "pt": lists(counts, generator.exponential(30, counts.sum())),
                "hits": lists(counts, lists(inner, generator.integers(0, 9, total))),
            },
            depth_limit=2,
        )
        return awkward.Array(columns)

    with uproot.recreate(path) as file:
        first = batch(1000)
        ntuple = file.mkrntuple("Events", first)
        ntuple.extend(batch(7))
        ntuple.extend(batch(400))


def compare_with_arrays(comparison, path):
    """Arrays of fixed size are as deep as in uproot's own arrays, and in a TTree of the same numbers."""
    tree_path = str(path) + ".tree"
    ntuple = uproot.open(path)["Events"]
    with uproot.recreate(tree_path) as file:
        names = ("fixed", "matrix")
        file["Events"] = {name: awkward.to_numpy(ntuple[name].array()) for name in names}
    for name in ("fixed", "matrix", "points", "lists"):
        array = ntuple[name].array()
        wanted = array.ndim - 1, awkward.to_numpy(awkward.flatten(array, axis=None)).tobytes()
        for source in (path, tree_path):
            entries, columns, _ = comparison.dump.open(source, "Events")
            if name in columns:
                offsets, values = read(comparison.dump, name, *columns[name], 0, entries)
                if (len(offsets), values.tobytes()) != wanted:
                    comparison.fail(source, name, "is not as uproot has it: depth", len(offsets), "and", wanted[0])
            elif source == path or name in names:
                comparison.fail(source, name, "is no column")


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def main():
    warnings.simplefilter("ignore")
    comparison = Comparison(Dump(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        write_with_uproot(f"{folder}/uproot.root")
        paths = [p for root in [*sys.argv[2:], folder] for p in sorted(pathlib.Path(root).glob("*.root"))]
        for path in paths:
            try:
                file = uproot.open(path)
                classes = file.classnames(cycle=True)
            except Exception:
                continue  # not for uproot either
            for key, class_name in classes.items():
                if class_name == "ROOT::RNTuple":
                    comparison.compare_ntuple(f"{path.name}:{key}", path, key, file[key])
        samples = comparison.ntuples, comparison.columns
        compare_with_arrays(comparison, f"{folder}/uproot.root")
        for case in written_cases(folder):
            entries, columns, _ = comparison.dump.open(case.path, "T")
            if entries != case.entries or set(columns) != set(case.columns):
                comparison.fail(case.path, entries, "entries,", sorted(columns), "not", sorted(case.columns))
                continue
            comparison.ntuples += 1
            for name, (offsets, values) in case.columns.items():
                comparison.compare(case.path, name, columns[name], offsets, values, case.borders)
    print(
        f"{samples[0]} RNTuples with {samples[1]} columns as uproot reads them,"
        f" {comparison.ntuples - samples[0]} with {comparison.columns - samples[1]} columns written by hand;"
        f" {comparison.values} values"
    )
    for failure in comparison.failures[:40]:
        print("FAILED", failure)
    if samples[1] < 5000 or comparison.ntuples - samples[0] < 5:
        print("FAILED: hardly anything was compared")
        return 1
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
