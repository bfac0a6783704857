#!/usr/bin/env python3
"""Makes a file of NanoAOD-like events for bench/query and bench/columns: MET, and the collections Jet, Muon and Electron. Needs uproot,
awkward and numpy.

    bench/make_events.py FILE [--rntuple] [--events N] [--compression none|lz4|zstd|zlib] [--chunk N]
    bench/make_events.py FILE --import TREE-FILE [--compression …]

A TTree, or with --rntuple an RNTuple as uproot writes it: a page for each column and chunk, of plain numbers. --import has ROOT make
an RNTuple of a file with a TTree: smaller pages, of numbers split into their bytes, as the experiments' RNTuples are.

Everything follows from the seed. Objects are sorted by falling pT; leptons come in pairs of opposite charge about as often as in
data with Z bosons in it; mantissas are cut, as NanoAOD's are, so that the file compresses like one.
"""
import argparse
import pathlib

import awkward
import numpy as np
import uproot

SEED = 20260101
CHUNK = 100_000
COMPRESSIONS = {"none": None, "lz4": uproot.LZ4(4), "zstd": uproot.ZSTD(5), "zlib": uproot.ZLIB(1)}
ROOT_COMPRESSIONS = {"none": 0, "lz4": 404, "zstd": 505, "zlib": 101}


def cut_mantissa(values, bits):
    """float32 with that many bits of its mantissa."""
    words = np.ascontiguousarray(values, np.float32).view(np.uint32)
    drop = np.uint32(23 - bits)
    return ((words >> drop) << drop).view(np.float32)


def offsets_of(counts):
    return np.concatenate([[0], np.cumsum(counts)])


def sorted_by_pt(counts, pt):
    """The order in which each event's objects fall in pT."""
    return np.lexsort((-pt, np.repeat(np.arange(len(counts)), counts)))


def leptons(rng, events, mass):
    counts = rng.choice(5, events, p=[0.42, 0.2, 0.3, 0.06, 0.02])
    total = int(counts.sum())
    pt = 5 + rng.exponential(22, total)
    charge = rng.choice(np.array([-1, 1], np.int32), total)
    first = offsets_of(counts)[:-1][counts >= 2]
    charge[first + 1] = np.where(rng.random(len(first)) < 0.8, -charge[first], charge[first])
    phi = rng.uniform(-np.pi, np.pi, total)
    phi[first + 1] = (phi[first] + np.pi + rng.normal(0, 0.4, len(first)) + np.pi) % (2 * np.pi) - np.pi
    eta = rng.normal(0, 1.2, total)
    order = sorted_by_pt(counts, pt)
    return counts, {"pt": pt[order].astype(np.float32), "eta": cut_mantissa(eta[order], 12), "phi": cut_mantissa(phi[order], 12),
                    "mass": np.full(total, mass, np.float32), "charge": charge[order]}


def jets(rng, events):
    counts = rng.poisson(6.4, events)
    total = int(counts.sum())
    pt = 15 + rng.exponential(28, total)
    order = sorted_by_pt(counts, pt)
    pt = pt[order]
    return counts, {"pt": cut_mantissa(pt, 10), "eta": cut_mantissa(rng.normal(0, 1.9, total), 12),
                    "phi": cut_mantissa(rng.uniform(-np.pi, np.pi, total), 12),
                    "mass": cut_mantissa(pt * rng.uniform(0.08, 0.25, total), 10),
                    "btag": cut_mantissa(rng.beta(0.3, 2.0, total), 10)}


def jagged(counts, values):
    return awkward.Array(awkward.contents.ListOffsetArray(
        awkward.index.Index64(offsets_of(counts).astype(np.int64)), awkward.contents.NumpyArray(values)))


def chunk_of(rng, events):
    columns = {"MET_pt": rng.exponential(32, events).astype(np.float32),
               "MET_phi": cut_mantissa(rng.uniform(-np.pi, np.pi, events), 12)}
    parts = {"Jet": jets(rng, events), "Muon": leptons(rng, events, 0.10566), "Electron": leptons(rng, events, 0.000511)}
    for name, (counts, members) in parts.items():
        columns[name] = awkward.zip({member: jagged(counts, values) for member, values in members.items()})
    return columns


def write(args):
    rng = np.random.Generator(np.random.PCG64(SEED))
    with uproot.recreate(args.file, compression=COMPRESSIONS[args.compression]) as file:
        left = args.events
        while left > 0:
            columns = chunk_of(rng, min(left, args.chunk))
            if args.rntuple and left == args.events:
                file.mkrntuple("Events", columns)
            elif left == args.events:
                file.mktree("Events", {name: values.type.content if isinstance(values, awkward.Array) else values.dtype
                                       for name, values in columns.items()})
            if left < args.events or not args.rntuple:
                file["Events"].extend(columns)
            left -= args.chunk


def import_tree(args):
    import ROOT  # of this way alone

    pathlib.Path(args.file).unlink(missing_ok=True)
    importer = getattr(ROOT, "RNTupleImporter", None) or ROOT.Experimental.RNTupleImporter  # where later and earlier versions have it
    importer = importer.Create(args.source, "Events", args.file)
    options = importer.GetWriteOptions()
    options.SetCompression(ROOT_COMPRESSIONS[args.compression])
    importer.SetWriteOptions(options)
    importer.SetIsQuiet(True)
    importer.Import()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--rntuple", action="store_true")
    parser.add_argument("--import", dest="source", metavar="TREE-FILE")
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--compression", choices=COMPRESSIONS, default="lz4")
    parser.add_argument("--chunk", type=int, default=CHUNK, help=f"events of a basket (default: {CHUNK})")
    args = parser.parse_args()
    if args.source:
        import_tree(args)
    else:
        write(args)


if __name__ == "__main__":
    main()
