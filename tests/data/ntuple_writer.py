"""RNTuples written byte by byte after the format's description, with what no other writer in Python writes: every encoding
of numbers, several representations of a column, columns that came late, projections, several lists of pages, large
locators, blocks in pieces, and what a later version might add.

    ntuple_writer.py FOLDER     writes the files; conformance_rntuple.py and test_ntuple.c read them
"""

import dataclasses
import pathlib
import struct
import sys

import numpy
import uproot
import uproot.compression
import xxhash

BIT, BYTE, CHAR, INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64, REAL16, REAL32, REAL64 = range(14)
INDEX32, INDEX64, SWITCH, S_INT16, S_UINT16, S_INT32, S_UINT32, S_INT64, S_UINT64 = range(14, 23)
S_REAL16, S_REAL32, S_REAL64, S_INDEX32, S_INDEX64, TRUNC, QUANT = range(23, 30)
FUTURE = 77  # a type of a later version

PLAIN = {
    BIT: ("bool", 1), BYTE: ("uint8", 8), CHAR: ("int8", 8), INT8: ("int8", 8), UINT8: ("uint8", 8),
    INT16: ("int16", 16), UINT16: ("uint16", 16), INT32: ("int32", 32), UINT32: ("uint32", 32),
    INT64: ("int64", 64), UINT64: ("uint64", 64), REAL16: ("float16", 16), REAL32: ("float32", 32),
    REAL64: ("float64", 64), INDEX32: ("uint32", 32), INDEX64: ("uint64", 64), FUTURE: ("uint16", 16),
}  # fmt: skip
SPLIT = {
    S_INT16: INT16, S_UINT16: UINT16, S_INT32: INT32, S_UINT32: UINT32, S_INT64: INT64, S_UINT64: UINT64,
    S_REAL16: REAL16, S_REAL32: REAL32, S_REAL64: REAL64, S_INDEX32: INDEX32, S_INDEX64: INDEX64,
}  # fmt: skip
ZIGZAG = {S_INT16, S_INT32, S_INT64}
DELTA = {S_INDEX32, S_INDEX64}
LEAF, COLLECTION, RECORD, VARIANT, STREAMER = range(5)

TYPES = {
    "bool": "bool", "int8": "std::int8_t", "uint8": "std::uint8_t", "int16": "std::int16_t", "uint16": "std::uint16_t",
    "int32": "std::int32_t", "uint32": "std::uint32_t", "int64": "std::int64_t", "uint64": "std::uint64_t",
    "float32": "float", "float64": "double",
}  # fmt: skip


@dataclasses.dataclass
class Field:
    name: str
    type: str
    parent: int = None
    role: int = LEAF
    repeat: int = None
    source: int = None


@dataclasses.dataclass
class Column:
    type: int
    field: int
    bits: int = None
    representation: int = 0
    first: int = None  # of a deferred one
    range: tuple = None

    def __post_init__(self):
        if self.bits is None:
            self.bits = PLAIN[SPLIT.get(self.type, self.type)][1]


@dataclasses.dataclass
class Case:
    path: str
    entries: int
    borders: list
    columns: dict  # name -> (offsets of each level, values)


def pack(numbers, bits):
    """So many bits of each number, without gaps."""
    bytes_ = numpy.asarray(numbers, dtype="<u4").view(numpy.uint8).reshape(-1, 4)
    return numpy.packbits(numpy.unpackbits(bytes_, axis=1, bitorder="little")[:, :bits], bitorder="little").tobytes()


def encode(column, values):
    """The elements of a page."""
    if column.type == BIT:
        return numpy.packbits(numpy.asarray(values, dtype=bool), bitorder="little").tobytes()
    if column.type == TRUNC:
        return pack(numpy.asarray(values, dtype="<f4").view("<u4") >> (32 - column.bits), column.bits)
    if column.type == QUANT:
        low, high = column.range
        values = numpy.asarray(values, dtype=float)
        return pack(numpy.rint((values - low) / (high - low) * (2**column.bits - 1)), column.bits)
    numbers = numpy.asarray(values).astype(PLAIN[SPLIT.get(column.type, column.type)][0])
    if column.type in ZIGZAG:
        numbers = (numbers << 1) ^ (numbers >> (column.bits - 1))
    if column.type in DELTA and len(numbers):
        numbers = numpy.concatenate([numbers[:1], numpy.diff(numbers)])
    if column.type in SPLIT:
        return numbers.view(numpy.uint8).reshape(len(numbers), -1).T.tobytes()
    return numbers.tobytes()


def decoded(column, values, kind):
    """What an exact reader makes of it."""
    values = numpy.asarray(values)
    if column.type in (REAL16, S_REAL16):
        return values.astype(numpy.float16).astype(kind)
    if column.type == TRUNC:
        kept = values.astype("<f4").view("<u4") >> (32 - column.bits) << (32 - column.bits)
        return kept.view("<f4").astype(kind)
    if column.type == QUANT:
        low, high = column.range
        steps = numpy.rint((values.astype(float) - low) / (high - low) * (2**column.bits - 1))
        return (steps * ((high - low) / (2**column.bits - 1)) + low).astype(kind)
    return values.astype(kind)


def text(string):
    return struct.pack("<I", len(string.encode())) + string.encode()


def record(payload):
    return struct.pack("<q", 8 + len(payload)) + payload


def listing(items, tail=b""):
    payload = b"".join(items) + tail
    return struct.pack("<qI", -(12 + len(payload)), len(items)) + payload


def envelope(kind, payload):
    block = struct.pack("<Q", kind | (len(payload) + 16) << 16) + payload
    return block + struct.pack("<Q", xxhash.xxh3_64_intdigest(block))


def schema(fields, columns, aliases, first_field, extra):
    """The four lists of a schema; extra is what a later version might add to each record."""
    described = []
    for number, field in enumerate(fields, first_field):
        flags = (1 if field.repeat is not None else 0) | (2 if field.source is not None else 0)
        parent = number if field.parent is None else field.parent
        payload = struct.pack("<IIIHH", 0, 0, parent, field.role, flags)
        payload += text(field.name) + text(field.type) + text("") + text("")
        payload += b"" if field.repeat is None else struct.pack("<Q", field.repeat)
        payload += b"" if field.source is None else struct.pack("<I", field.source)
        described.append(record(payload + extra))
    typed = []
    for column in columns:
        flags = (1 if column.first is not None else 0) | (2 if column.range else 0)
        payload = struct.pack("<HHIHH", column.type, column.bits, column.field, flags, column.representation)
        payload += b"" if column.first is None else struct.pack("<q", column.first)
        payload += struct.pack("<dd", *column.range) if column.range else b""
        typed.append(record(payload + extra))
    projected = [record(struct.pack("<II", *alias) + extra) for alias in aliases]
    return listing(described) + listing(typed) + listing(projected) + listing([])


class File:
    """A ROOT file with one RNTuple "T" in it."""

    def __init__(self, compression=None, max_key_size=0, large=False, checksums=True, extra=b"", features=0, epoch=1):
        self.compression, self.max_key_size, self.large = compression, max_key_size, large
        self.checksums, self.extra, self.features, self.epoch = checksums, extra, features, epoch
        self.blob = bytearray(b"\0" * 100)
        name = self.string("t.root") + self.string("")
        self.name_bytes = len(self.key("TFile", 100, 0)) + len(name)
        self.directory_at = 100 + self.name_bytes
        self.blob += self.key("TFile", 100, len(name) + 60, len(name) + 60) + name + b"\0" * 60

    @staticmethod
    def string(value):
        return bytes([len(value)]) + value.encode()

    def key(self, class_name, seek, size, true_size=None, name="T"):
        texts = self.string(class_name) + self.string(name) + self.string("")
        length = 26 + len(texts)
        true_size = size if true_size is None else true_size
        return struct.pack(">iHIIHHII", length + size, 4, true_size, 0, length, 1, seek, 100) + texts

    def compress(self, block):
        if self.compression is None:
            return block
        packed = uproot.compression.compress(block, self.compression)
        return packed if len(packed) < len(block) else block

    def place(self, block):
        """Puts bytes into the file and gives where."""
        self.blob += b"key of a record"
        self.blob += block
        return len(self.blob) - len(block)

    def place_envelope(self, block):
        """Link to an envelope: in pieces if it is larger than a key may be."""
        packed = self.compress(block)
        most = self.max_key_size
        if not most or len(packed) <= most:
            return self.place(packed), len(packed), len(block)
        pieces = -(-len(packed) // most)
        if 8 * (pieces - 1) > pieces * most - len(packed):
            pieces += 1
        head = most - 8 * (pieces - 1)
        rest = [packed[i : i + most] for i in range(head, len(packed), most)]
        rest += [b""] * (pieces - 1 - len(rest))
        places = [self.place(piece) for piece in reversed(rest)][::-1]
        return self.place(packed[:head] + struct.pack(f"<{len(places)}Q", *places)), len(packed), len(block)

    def locator(self, seek, size):
        if self.large:
            return struct.pack("<iQQ", -(20 | 1 << 24), size, seek)
        return struct.pack("<iQ", size, seek)

    def page(self, column, values):
        block = encode(column, values)
        packed = self.compress(block)
        checksum = struct.pack("<Q", xxhash.xxh3_64_intdigest(packed)) if self.checksums else b""
        seek = self.place(packed + checksum)
        count = -len(values) if self.checksums else len(values)
        return struct.pack("<i", count) + self.locator(seek, len(packed))

    def page_list(self, header_checksum, clusters, columns):
        """clusters: (first entry, entries, pages of each column, None if it is suppressed)."""
        summaries = [record(struct.pack("<QQ", first, entries) + self.extra) for first, entries, _ in clusters]
        located = []
        for _, _, pages_of in clusters:
            inner = []
            for column, pages in zip(columns, pages_of):
                if pages is None:
                    inner.append(listing([], struct.pack("<q", -(2**63))))
                else:
                    inner.append(listing([self.page(column, p) for p in pages], struct.pack("<qI", 0, 505)))
            located.append(listing(inner))
        payload = struct.pack("<Q", header_checksum) + listing(summaries) + listing(located)
        return self.place_envelope(envelope(3, payload))

    def write(self, path, fields, columns, groups, aliases=(), late=((), (), ())):
        """late: fields, columns and projections that the footer adds."""
        front = struct.pack("<Q", self.features) + text("T") + text("") + text("ntuple_writer")
        header = envelope(1, front + schema(fields, columns, aliases, 0, self.extra) + self.extra)
        checksum = struct.unpack("<Q", header[-8:])[0]
        links = []
        for group in groups:
            seek, size, true_size = self.page_list(checksum, group, [*columns, *late[1]])
            span = struct.pack("<QQI", min(c[0] for c in group), sum(c[1] for c in group), len(group))
            links.append(record(span + struct.pack("<Q", true_size) + self.locator(seek, size) + self.extra))
        added = record(schema(*late, len(fields), self.extra) if late[1] else b"")
        footer = envelope(2, struct.pack("<QQ", 0, checksum) + added + listing(links) + self.extra)
        where = [*self.place_envelope(header), *self.place_envelope(footer), self.max_key_size]
        anchor = struct.pack(">HHHH7Q", self.epoch, 0, 0, 0, *where)
        anchor = struct.pack(">IH", 0x40000000 | len(anchor) + 2, 2) + anchor
        anchor += struct.pack(">Q", xxhash.xxh3_64_intdigest(anchor[6:]))
        anchor_at = len(self.blob)
        key = self.key("ROOT::RNTuple", anchor_at, len(anchor))
        self.blob += key + anchor
        keys_at = len(self.blob)
        keys = struct.pack(">I", 1) + key
        self.blob += self.key("TFile", keys_at, len(keys)) + keys
        length = len(self.blob) - keys_at
        directory = struct.pack(">HIIIIIII", 5, 0, 0, length, self.name_bytes, 100, 0, keys_at) + b"\0\1" + b"u" * 16
        self.blob[self.directory_at : self.directory_at + len(directory)] = directory
        end = len(self.blob)
        head = struct.pack(">4sIIIIIIIBIII", b"root", 62400, 100, end, end, 0, 0, self.name_bytes, 4, 0, 0, 0)
        self.blob[: len(head) + 18] = head + b"\0\1" + b"u" * 16
        pathlib.Path(path).write_bytes(self.blob)


def cut_pages(values, generator, most=300):
    """In pages of different lengths."""
    pages, at = [], 0
    while at < len(values):
        length = int(generator.integers(1, most))
        pages.append(values[at : at + length])
        at += length
    return pages


def sample(kind, count, generator):
    if kind == "bool":
        return generator.integers(0, 2, count).astype(bool)
    if kind.startswith("float"):
        values = generator.normal(0, 5, count).astype(kind)
        values[:4] = 0, -0.0, 1.5, -2.5
        return values
    info = numpy.iinfo(kind)
    values = generator.integers(info.min, info.max, count, dtype=kind, endpoint=True)
    values[:2] = info.min, info.max
    return values


def offsets_of(counts):
    return numpy.concatenate([[0], numpy.cumsum(counts)]).astype(numpy.int64)


SIZES = [1000, 1, 517]  # entries of the clusters
BORDERS = [0, 1000, 1001]
ENTRIES = sum(SIZES)


def split(values, sizes):
    return numpy.split(values, numpy.cumsum(sizes)[:-1])


def encodings(path, seed, **options):
    """A flat column for every encoding and every type that it may have."""
    generator = numpy.random.default_rng(seed)
    fields, columns, expected, data = [], [], {}, []
    wanted = [(t, PLAIN[t][0], {}) for t in PLAIN if t not in (REAL16, INDEX32, INDEX64, FUTURE)]
    wanted += [(t, PLAIN[p][0], {}) for t, p in SPLIT.items() if t not in DELTA | {S_REAL16}]
    for kind in ("float32", "float64"):
        wanted += [(REAL16, kind, {}), (S_REAL16, kind, {})]
        wanted += [(TRUNC, kind, {"bits": bits}) for bits in (10, 11, 16, 23, 31)]
        wanted += [(QUANT, kind, {"bits": bits, "range": (-20.0, 20.5)}) for bits in (1, 7, 8, 17, 32)]
    wanted += [(S_REAL32, "float64", {}), (INT8, "int64", {}), (S_UINT16, "int32", {}), (BIT, "uint8", {})]
    for type_, kind, rest in wanted:
        name = f"c{len(fields)}_{type_}_{kind}"
        fields.append(Field(name, {BYTE: "std::byte", CHAR: "char"}.get(type_, TYPES[kind])))
        column = Column(type_, len(fields) - 1, **rest)
        columns.append(column)
        stored = kind if type_ in (TRUNC, QUANT, REAL16, S_REAL16) else PLAIN[SPLIT.get(type_, type_)][0]
        values = sample(stored, ENTRIES, generator)
        if column.range:
            values = numpy.clip(values, *column.range)
        data.append(values)
        expected[name] = [], decoded(column, values, kind)
    fields.append(Field("later", "float"))
    columns.append(Column(FUTURE, len(fields) - 1))
    data.append(numpy.zeros(ENTRIES))
    parts = [split(values, SIZES) for values in data]
    clusters = [
        (BORDERS[i], SIZES[i], [cut_pages(part[i], generator) for part in parts]) for i in range(len(SIZES))
    ]
    File(**options).write(path, fields, columns, [clusters])
    return Case(path, ENTRIES, BORDERS, expected)


def collections(path, index, **options):
    """Vectors, vectors of vectors, of arrays, arrays of vectors, records in both, told by one kind of index."""
    generator = numpy.random.default_rng(index)
    fields = [
        Field("v", "std::vector<float>", role=COLLECTION), Field("_0", "float", 0),
        Field("vv", "std::vector<std::vector<std::int32_t>>", role=COLLECTION),
        Field("_0", "std::vector<std::int32_t>", 2, COLLECTION), Field("_0", "std::int32_t", 3),
        Field("va", "std::vector<std::array<float,3>>", role=COLLECTION),
        Field("_0", "std::array<float,3>", 5, repeat=3), Field("_0", "float", 6),
        Field("av", "std::array<std::vector<double>,2>", repeat=2),
        Field("_0", "std::vector<double>", 8, COLLECTION), Field("_0", "double", 9),
        Field("Muon", "", role=COLLECTION), Field("_0", "", 11, RECORD), Field("pt", "float", 12),
        Field("hits", "std::vector<std::uint8_t>", 12, COLLECTION), Field("_0", "std::uint8_t", 14),
        Field("Track", "std::vector<Track>", role=COLLECTION), Field("_0", "Track", 16, RECORD),
        Field(":_0", "Base", 17, RECORD), Field("charge", "std::int16_t", 18), Field("p4", "P4", 17, RECORD),
        Field("x", "double", 20), Field("aa", "std::array<std::array<bool,2>,3>", repeat=3),
        Field("_0", "std::array<bool,2>", 22, repeat=2), Field("_0", "bool", 23),
        Field("s", "std::string"), Field("either", "std::variant<float,double>", role=VARIANT),
        Field("_0", "float", 26), Field("object", "TObject", role=STREAMER),
        Field("vaa", "std::vector<std::array<std::array<float,2>,3>>", role=COLLECTION),
        Field("_0", "std::array<std::array<float,2>,3>", 29, repeat=3), Field("_0", "std::array<float,2>", 30, repeat=2),
        Field("_0", "float", 31),
        Field("ava", "std::array<std::vector<std::array<float,3>>,2>", repeat=2),
        Field("_0", "std::vector<std::array<float,3>>", 33, COLLECTION), Field("_0", "std::array<float,3>", 34, repeat=3),
        Field("_0", "float", 35),
        Field("wide", "std::array<std::array<float,2048>,2048>", repeat=2048),
        Field("_0", "std::array<float,2048>", 37, repeat=2048), Field("_0", "float", 38),
        Field("nested", "std::array<…>", repeat=2), *(Field("_0", "std::array<…>", 40 + i, repeat=2) for i in range(4)),
        Field("_0", "float", 44),
    ]  # fmt: skip
    columns, streams, expected = [], [], {}

    def ends_of(counts, sizes, per=1):
        """Of each cluster, from its begin; the sizes are those of the clusters in lists."""
        return [numpy.cumsum(part) * per for part in split(counts, sizes)], [int(p.sum()) * per for p in split(counts, sizes)]

    def add(type_, field, parts):
        columns.append(Column(type_, field))
        streams.append(parts)

    def vector(field, sizes, most=5):
        counts = generator.integers(0, most, sum(sizes))
        ends, inner = ends_of(counts, sizes)
        add(index, field, ends)
        return offsets_of(counts), inner

    def values(field, type_, kind, sizes):
        data = sample(kind, sum(sizes) + 8, generator)[: sum(sizes)]
        add(type_, field, split(data, sizes))
        return data

    o, n = vector(0, SIZES)
    expected["v"] = [o], values(1, S_REAL32, "float32", n)
    o, n = vector(2, SIZES)
    p, m = vector(3, n)
    expected["vv"] = [o, p], values(4, S_INT32, "int32", m)
    o, n = vector(5, SIZES)
    expected["va"] = [o, 3 * numpy.arange(o[-1] + 1)], values(7, REAL32, "float32", [3 * i for i in n])
    o, n = vector(9, [2 * i for i in SIZES])
    expected["av"] = [numpy.arange(ENTRIES + 1) * 2, o], values(10, S_REAL64, "float64", n)
    o, n = vector(11, SIZES)
    expected["nMuon"] = [], numpy.diff(o).astype(numpy.int32)
    expected["Muon_pt"] = [o], values(13, S_REAL32, "float32", n)
    p, m = vector(14, n)
    expected["Muon_hits"] = [o, p], values(15, UINT8, "uint8", m)
    o, n = vector(16, SIZES, most=3)
    expected["Track_"] = [], numpy.diff(o).astype(numpy.int32)
    expected["Track.charge"] = [o], values(19, S_INT16, "int16", n)
    expected["Track.p4.x"] = [o], values(21, REAL64, "float64", n)
    expected["aa"] = [numpy.arange(ENTRIES + 1) * 3, numpy.arange(3 * ENTRIES + 1) * 2], values(24, BIT, "bool", [6 * i for i in SIZES])
    vector(25, SIZES)
    add(CHAR, 25, [numpy.zeros(0)] * 3)
    o, n = vector(29, SIZES)
    three, two = 3 * numpy.arange(o[-1] + 1), 2 * numpy.arange(3 * o[-1] + 1)
    expected["vaa"] = [o, three, two], values(32, S_REAL32, "float32", [6 * i for i in n])
    o, n = vector(34, [2 * i for i in SIZES])
    pairs, three = numpy.arange(ENTRIES + 1) * 2, 3 * numpy.arange(o[-1] + 1)
    expected["ava"] = [pairs, o, three], values(36, REAL32, "float32", [3 * i for i in n])
    add(REAL32, 39, [numpy.zeros(0)] * 3)
    add(REAL32, 45, [numpy.zeros(0)] * 3)
    clusters = [
        (BORDERS[i], SIZES[i], [cut_pages(stream[i], generator) for stream in streams]) for i in range(len(SIZES))
    ]
    File(**options).write(path, fields, columns, [clusters])
    return Case(path, ENTRIES, BORDERS, expected)


def representations(path):
    """One field in three representations, another one in two, in clusters that stand in no order in two lists."""
    generator = numpy.random.default_rng(3)
    fields = [Field("x", "float"), Field("v", "std::vector<double>", role=COLLECTION), Field("_0", "double", 1)]
    columns = [
        Column(S_REAL32, 0), Column(REAL16, 0, representation=1), Column(TRUNC, 0, bits=12, representation=2),
        Column(S_INDEX64, 1), Column(INDEX32, 1, representation=1),
        Column(REAL64, 2), Column(S_REAL32, 2, representation=1),
    ]  # fmt: skip
    x, v, counts, clusters = [], [], [], []
    for i, size in enumerate(SIZES):
        own = generator.integers(0, 4, size)
        numbers = generator.normal(size=size).astype(numpy.float32)
        inner = generator.normal(size=own.sum()).astype(numpy.float32)
        ends = cut_pages(numpy.cumsum(own), generator)
        pages = [None] * 7
        pages[i] = cut_pages(numbers, generator)
        pages[3 + i % 2] = ends
        pages[5 + i % 2] = cut_pages(inner, generator)
        clusters.append((BORDERS[i], size, pages))
        x.append(decoded(columns[i], numbers, "float32"))
        v.append(inner.astype(float))
        counts.append(own)
    expected = {
        "x": ([], numpy.concatenate(x)),
        "v": ([offsets_of(numpy.concatenate(counts))], numpy.concatenate(v)),
    }
    File().write(path, fields, columns, [[clusters[2]], [clusters[1], clusters[0]]])
    return Case(path, ENTRIES, BORDERS, expected)


def latecomers(path):
    """Fields that came in the middle of the third cluster, and a representation that did."""
    generator = numpy.random.default_rng(4)
    sizes, borders = [300, 400, 500, 100], [0, 300, 700, 1200]
    start, entries = 900, 1300
    fields = [Field("x", "float")]
    columns = [Column(S_REAL32, 0)]
    late_fields = [
        Field("y", "double"), Field("v", "std::vector<std::int32_t>", role=COLLECTION), Field("_0", "std::int32_t", 2),
        Field("a", "std::array<float,2>", repeat=2), Field("_0", "float", 4),
    ]  # fmt: skip
    late_columns = [
        Column(REAL64, 1, first=start), Column(S_INDEX64, 2, first=start), Column(S_INT32, 3),
        Column(S_REAL32, 5, first=2 * start), Column(REAL16, 0, representation=1, first=-(2**63) + start),
    ]  # fmt: skip
    x = generator.normal(size=entries).astype(numpy.float16).astype(numpy.float32)
    y = numpy.where(numpy.arange(entries) < start, 0, generator.normal(size=entries))
    counts = numpy.where(numpy.arange(entries) < start, 0, generator.integers(0, 5, entries))
    v = generator.integers(-100, 100, counts.sum()).astype(numpy.int32)
    a = numpy.where(numpy.arange(2 * entries) < 2 * start, 0, generator.normal(size=2 * entries)).astype(numpy.float32)
    o = offsets_of(counts)

    def cluster(i):
        low, high = borders[i], borders[i] + sizes[i]
        pages = [cut_pages(x[low:high], generator)]
        if i < 2:
            return low, sizes[i], pages  # the list is older than the fields
        held = max(low, start)
        if i == 3:
            pages = [None]
        pages.append(cut_pages(y[held:high], generator))
        pages.append(cut_pages((o[1:] - o[low])[held:high], generator))
        pages.append(cut_pages(v[o[low] : o[high]], generator))
        pages.append(cut_pages(a[2 * held : 2 * high], generator))
        pages.append(cut_pages(x[low:high], generator) if i == 3 else None)
        return low, sizes[i], pages

    groups = [[cluster(0), cluster(1)], [cluster(2), cluster(3)]]
    File(compression=uproot.ZLIB(1)).write(path, fields, columns, groups, late=(late_fields, late_columns, ()))
    expected = {
        "x": ([], x), "y": ([], y), "v": ([o], v), "a": ([numpy.arange(entries + 1) * 2], a),
    }  # fmt: skip
    return Case(path, entries, borders, expected)


def projections(path):
    """As an importer of trees keeps them: a nameless collection behind projected vectors and a count."""
    generator = numpy.random.default_rng(5)
    fields = [
        Field("run", "std::uint32_t"), Field("_collection0", "", role=COLLECTION), Field("_0", "", 1, RECORD),
        Field("Muon_pt", "float", 2), Field("Muon_charge", "std::int32_t", 2),
        Field("Muon_pt", "ROOT::VecOps::RVec<float>", role=COLLECTION, source=1), Field("_0", "float", 5, source=3),
        Field("Muon_charge", "ROOT::VecOps::RVec<std::int32_t>", role=COLLECTION, source=1),
        Field("_0", "std::int32_t", 7, source=4), Field("nMuon", "ROOT::RNTupleCardinality<std::uint32_t>", source=1),
    ]  # fmt: skip
    columns = [Column(S_UINT32, 0), Column(S_INDEX64, 1), Column(S_REAL32, 3), Column(S_INT32, 4)]
    aliases = [(1, 5), (2, 6), (1, 7), (3, 8), (1, 9)]
    run = numpy.arange(ENTRIES, dtype=numpy.uint32)
    counts = generator.integers(0, 5, ENTRIES)
    o = offsets_of(counts)
    pt, charge = sample("float32", o[-1], generator), generator.integers(-1, 2, o[-1]).astype(numpy.int32)
    clusters = []
    for low, size in zip(BORDERS, SIZES):
        high = low + size
        streams = [run[low:high], o[low + 1 : high + 1] - o[low], pt[o[low] : o[high]], charge[o[low] : o[high]]]
        clusters.append((low, size, [cut_pages(s, generator) for s in streams]))
    File(compression=uproot.ZSTD(3)).write(path, fields, columns, [clusters], aliases)
    expected = {
        "run": ([], run), "nMuon": ([], counts.astype(numpy.uint32)), "Muon_pt": ([o], pt), "Muon_charge": ([o], charge),
    }  # fmt: skip
    return Case(path, ENTRIES, BORDERS, expected)


def written_cases(folder):
    folder = pathlib.Path(folder)
    return [
        encodings(str(folder / "plain.root"), 1),
        encodings(str(folder / "zlib.root"), 2, compression=uproot.ZLIB(1)),
        encodings(str(folder / "zstd.root"), 3, compression=uproot.ZSTD(1), large=True),
        encodings(str(folder / "lz4.root"), 4, compression=uproot.LZ4(1), checksums=False),
        encodings(str(folder / "lzma.root"), 5, compression=uproot.LZMA(1), extra=b"later"),
        encodings(str(folder / "pieces.root"), 6, max_key_size=1000),
        *(
            collections(str(folder / f"index{index}.root"), index, compression=compression)
            for index, compression in (
                (INDEX32, None), (INDEX64, uproot.LZ4(1)), (S_INDEX32, uproot.ZSTD(1)), (S_INDEX64, uproot.ZLIB(1))
            )
        ),  # fmt: skip
        representations(str(folder / "representations.root")),
        latecomers(str(folder / "late.root")),
        projections(str(folder / "projections.root")),
    ]


def write_strange(folder):
    """Well formed, but not to be trusted or not to be read: the names say why."""
    folder = pathlib.Path(folder)
    fields, columns = [Field("x", "float")], [Column(REAL32, 0)]
    one = numpy.zeros(10, dtype=numpy.float32)
    File(features=4).write(folder / "feature.root", fields, columns, [[(0, 10, [[one]])]])
    File(epoch=2).write(folder / "epoch.root", fields, columns, [[(0, 10, [[one]])]])
    File().write(folder / "gap.root", fields, columns, [[(0, 10, [[one]]), (11, 10, [[one]])]])
    File().write(folder / "few.root", fields, columns, [[(0, 11, [[one]])]])
    File().write(folder / "huge.root", fields, columns, [[(0, 2**55, [[one]])]])
    File().write(folder / "nowhere.root", fields, columns, [[(0, 10, [None])]])
    File().write(folder / "parent.root", [Field("x", "float", parent=1)], columns, [[(0, 10, [[one]])]])
    deep = [Field("r", "R", role=RECORD, parent=None if i == 0 else i - 1) for i in range(100)]
    File().write(folder / "deep.root", [*deep, Field("x", "float", 99)], [Column(REAL32, 100)], [[(0, 10, [[one]])]])
    many = [Field(f"x{i}", "float") for i in range(40000)]
    File(compression=uproot.ZSTD(9)).write(folder / "many.root", many, [], [[(0, 10, [])]])
    lists = [Field("v", "std::vector<float>", role=COLLECTION), Field("_0", "float", 0)]
    for name, ends in (("back", [1, 5, 3, 9]), ("beyond", [1, 5, 7, 2**31]), ("absurd", [1, 5, 7, 2**60])):
        pages = [[numpy.array(ends)], [one]]
        File().write(folder / f"{name}.root", lists, [Column(INDEX64, 0), Column(REAL32, 1)], [[(0, 4, pages)]])


def write_late_lists(folder):
    """Lists of lists that came late in a cluster so large that the outer index is not kept for other columns, but the inner
    one is: entries 4,300,000 to 4,300,009 have two lists each, list i of which has i % 4 values."""
    start, lists = 4300000, 20
    fields = [
        Field("V", "", role=COLLECTION), Field("_0", "", 0, RECORD),
        Field("in", "std::vector<float>", 1, COLLECTION), Field("_0", "float", 2),
        Field("n", "ROOT::RNTupleCardinality<std::uint32_t>", 1, source=2),
    ]  # fmt: skip
    columns = [Column(S_INDEX64, 0, first=start), Column(S_INDEX64, 2), Column(REAL32, 3)]
    ends = numpy.cumsum(numpy.arange(lists) % 4)
    pages = [[numpy.arange(2, lists + 1, 2)], [ends], [numpy.arange(ends[-1], dtype=numpy.float32)]]
    cluster = (0, start + lists // 2, pages)
    File().write(pathlib.Path(folder) / "late_lists.root", [], [], [[cluster]], late=(fields, columns, [(1, 4)]))


if __name__ == "__main__":
    written_cases(sys.argv[1])
    write_strange(sys.argv[1])
    write_late_lists(sys.argv[1])
