"""Events for the oracle: the entries of ROOT files, with their columns read by uproot and found by hq's rules.

- A column is a branch (or a leaf of a branch of several) of numbers, one for each entry or a list of any length. Floats
  are float64, whole numbers int64, bools bool.
- A collection is all branches Name_member (or Name.member) that are counted by one counter leaf. Name is the counter's
  without what tells that it counts: nMuon, NMuon, Muon_size. If that leads nowhere, it is what all branches of the
  counter have in front of their first _ or dot, if there are at least two.
- The sum of two collections is the records of the one and then those of the other, with the members that both have.
- event.Name is the collection, a sequence of records; event.name any other column; event["its full name"] any column.
"""

import functools
import glob
import os
import re

import awkward
import numpy as np
import uproot

FRONTS = ("n_", "N_", "num_", "num", "Num", "n", "N", "")
BACKS = ("_size", "_count", "_num", "_len", "_n", "_N", ".size", "_", "")


class Column:
    """One branch in one file. values is a list; offsets too, or None if there is one value for each entry."""

    def __init__(self, read, counter):
        self.read, self.counter = read, counter
        self.is_loaded = False

    def load(self):
        if self.is_loaded:
            return self
        array = self.read()
        self.offsets = None
        if array.ndim == 2:
            self.offsets = np.concatenate([[0], np.cumsum(awkward.num(array))]).tolist()
            array = awkward.flatten(array)
        values = awkward.to_numpy(array)
        kind = {"b": np.bool_, "f": np.float64}.get(values.dtype.kind, np.int64)
        self.values = values.astype(kind).tolist()
        self.is_loaded = True
        return self


def is_number(dtype):
    return dtype.kind in "biuf" and dtype.shape == () and dtype.itemsize <= 8


def columns_of(tree):
    """All columns of a tree by full name."""
    columns = {}
    for name, branch in tree.iteritems(recursive=True, full_paths=True):
        interpretation = branch.interpretation
        inner = getattr(interpretation, "content", interpretation)
        dtype = getattr(inner, "to_dtype", None)
        if len(branch.branches) or dtype is None or not isinstance(inner, uproot.interpretation.numerical.AsDtype):
            continue
        leaf = branch.member("fLeaves")[0]
        count = leaf.member("fLeafCount", none_if_missing=True)
        counter = count.member("fName") if count is not None and inner is not interpretation else None
        if dtype.names:
            for field in dtype.names:
                if is_number(dtype[field]):
                    columns[f"{name}.{field}"] = Column(lambda b=branch, f=field: b.array(library="ak")[f], None)
        elif is_number(dtype):
            columns[name] = Column(lambda b=branch: b.array(library="ak"), counter)
    return columns


def members_of(columns, counter, collection):
    """By member name, those of the counter's columns that go on from the collection's name."""
    members = {}
    for name, column in columns.items():
        match = re.fullmatch(re.escape(collection) + r"[_.](.+)", name.rsplit("/", 1)[-1])
        if column.counter == counter and match:
            members.setdefault(match[1], column)
    return members


def names_from_counter(counter):
    """What may be the collection's name, best first."""
    for front in FRONTS:
        for back in BACKS:
            if counter.startswith(front) and counter.endswith(back) and len(front) + len(back) < len(counter):
                yield counter[len(front):len(counter) - len(back)]


def name_in_common(columns, counter):
    names = [name.rsplit("/", 1)[-1] for name, column in columns.items() if column.counter == counter]
    fronts = {match[1] if (match := re.match(r"([^_.]+)[_.].", name)) else None for name in names}
    return fronts.pop() if len(names) >= 2 and len(fronts) == 1 else None


def collections_of(columns):
    """The members by name of each collection by name."""
    collections = {}
    for counter in dict.fromkeys(column.counter for column in columns.values() if column.counter):
        names = [name for name in names_from_counter(counter) if members_of(columns, counter, name)]
        name = names[0] if names else name_in_common(columns, counter)
        if name and name not in columns and name not in collections:
            collections[name] = members_of(columns, counter, name)
    return collections


class Record:
    __slots__ = ("_members", "_position")

    def __init__(self, members, position):
        self._members, self._position = members, position

    def __getattr__(self, name):
        members = self._members
        if name not in members:
            raise AttributeError(f"no member {name!r}; there are {', '.join(sorted(members))}")
        return members[name].load().values[self._position]


class Sequence:
    """A stretch of a list: of records, if members is given, else of a column's values."""

    __slots__ = ("_members", "_column", "_positions")

    def __init__(self, members, column, positions):
        self._members, self._column, self._positions = members, column, positions

    def _element(self, position):
        return Record(self._members, position) if self._members else self._column.values[position]

    def __len__(self):
        return len(self._positions)

    def __iter__(self):
        return map(self._element, self._positions)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Sequence(self._members, self._column, self._positions[index])
        return self._element(self._positions[index])

    def __add__(self, other):
        return joined(self, other)


class Joined:
    """One sequence after another: of records with the members of these names, or, without names, of values."""

    __slots__ = ("_names", "_elements")

    def __init__(self, names, elements):
        self._names, self._elements = names, elements

    def __len__(self):
        return len(self._elements)

    def __iter__(self):
        return iter(self._elements)

    def __getitem__(self, index):
        return Joined(self._names, self._elements[index]) if isinstance(index, slice) else self._elements[index]

    def __add__(self, other):
        return joined(self, other)


def names_of(sequence):
    if isinstance(sequence, Joined):
        return sequence._names
    return sequence._members.keys() if sequence._members else None


def joined(one, other):
    if not isinstance(other, (Sequence, Joined)):
        return NotImplemented
    names, others = names_of(one), names_of(other)
    if names is None and others is None:
        return Joined(None, [*one, *other])
    names = names & others
    cut = {}  # the members that are left, for each part's members

    def with_names(record):
        members = record._members
        if id(members) not in cut:
            cut[id(members)] = {name: members[name] for name in names}
        return Record(cut[id(members)], record._position)

    return Joined(names, [with_names(record) for record in (*one, *other)])


class Event:
    __slots__ = ("_columns", "_collections", "_entry")

    def __init__(self, columns, collections, entry):
        self._columns, self._collections, self._entry = columns, collections, entry

    def _sequence(self, members, column):
        offsets = column.load().offsets
        return Sequence(members, column, range(offsets[self._entry], offsets[self._entry + 1]))

    def __getattr__(self, name):
        members = self._collections.get(name)
        if members:
            return self._sequence(members, next(iter(members.values())))
        if name not in self._columns:
            raise AttributeError(f"event.{name}: no such collection or column")
        return self[name]

    def __getitem__(self, name):
        column = self._columns[name].load()
        return column.values[self._entry] if column.offsets is None else self._sequence(None, column)


def open_tree(path, name):
    file = uproot.open(path)
    if not name:
        names = {key.split(";")[0] for key, kind in file.classnames().items() if kind == "TTree"}
        if len(names) != 1:
            raise SystemExit(f"{path}: which tree? There are {', '.join(sorted(names)) or 'none'}.")
        name = names.pop()
    return file[name]


def trees_of(spec):
    """FILE[:Tree], where FILE may be a glob."""
    path, _, name = spec.rpartition(":") if ":" in spec and not os.path.exists(spec) else (spec, "", "")
    paths = sorted(glob.glob(path)) or [path]
    return [open_tree(path, name) for path in paths]


class Table:
    """What is known of one tree: its columns are read once, however often it is gone through."""

    def __init__(self, tree):
        self.columns = columns_of(tree)
        self.collections = collections_of(self.columns)
        self.entries = tree.num_entries


@functools.cache
def tables_of(spec):
    return [Table(tree) for tree in trees_of(spec)]


class Events:
    """All events of the files, or those of the first one's entries that a range names."""

    def __init__(self, specs, entries=None):
        self.specs, self.entries = specs, entries

    def __iter__(self):
        for spec in self.specs:
            for table in tables_of(spec):
                for entry in range(table.entries) if self.entries is None else self.entries:
                    yield Event(table.columns, table.collections, entry)
                if self.entries is not None:
                    return
