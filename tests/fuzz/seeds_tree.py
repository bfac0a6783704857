"""Seeds for fuzz_tree: the small ones among the samples, the decompressed records of their trees, and branches of objects
with their classes and entries.

    seeds_tree.py SAMPLE_FOLDER SEED_FOLDER
"""

import pathlib
import sys
import warnings

import uproot

LARGEST = 65536
KEY_SIZE = 96  # of the key that fuzz_tree puts before the classes


def class_list(file):
    """The record of the file's classes, references to classes in it moved to fuzz_tree's key."""
    key = file.file.fSeekInfo
    chunk = file.file.source.chunk(key, key + file.file.fNbytesInfo)
    listed = uproot.reading.ReadOnlyKey(chunk, uproot.source.cursor.Cursor(key), {}, file.file, file, read_strings=True)
    chunk, cursor = listed.get_uncompressed_chunk_cursor()
    record = bytearray(bytes(chunk.remainder(cursor.index, cursor, {})))
    move = KEY_SIZE - listed.fKeylen
    at = 0
    while (at := record.find(b"\x80\x00", at)) >= 0:
        place = int.from_bytes(record[at : at + 4], "big") - 0x80000000
        if listed.fKeylen < place < listed.fKeylen + at:
            record[at : at + 4] = (0x80000000 + place + move).to_bytes(4, "big")
        at += 4
    return bytes(record)


def walks(file, tree):
    """Branches of objects, three entries of each."""
    classes = class_list(file)
    for branch in tree.itervalues(recursive=True):
        leaves = branch.member("fLeaves")
        name = (branch.member("fClassName", none_if_missing=True) or "").encode()
        kind, member = branch.member("fType", none_if_missing=True), branch.member("fID", none_if_missing=True)
        if len(leaves) != 1 or not branch.num_baskets or kind not in (-1, 0, 31, 41) or len(classes) > 65535:
            continue
        basket = branch.basket(0)
        if basket.byte_offsets is None or len(basket.byte_offsets) < 4 or not 0 < len(name) < 256:
            continue
        first, second, third = (int(o) for o in basket.byte_offsets[1:4])
        if first > 255 or second - first > 255 or third > 4096 or third == 0:
            continue
        if kind in (31, 41):
            code = 0x20 | member if member < 32 else None
        else:
            code = (0x40 if kind == -1 else 0) if member < 0 else None
        if code is not None:
            data = bytes(basket.data[:third])
            sizes = bytes([first, second - first])
            yield b"walk" + bytes([code, len(name)]) + name + len(classes).to_bytes(2, "big") + classes + sizes + data


def main():
    warnings.simplefilter("ignore")
    samples, seeds = map(pathlib.Path, sys.argv[1:3])
    seeds.mkdir(parents=True, exist_ok=True)
    for path in samples.glob("*.root"):
        if path.stat().st_size <= LARGEST:
            (seeds / path.name).write_bytes(path.read_bytes())
        try:
            file = uproot.open(path)
        except Exception:
            continue
        for number, (name, class_name) in enumerate(file.classnames().items()):
            if class_name != "TTree":
                continue
            key = file.key(name)
            chunk, cursor = key.get_uncompressed_chunk_cursor()
            record = bytes(chunk.remainder(cursor.index, cursor, {}))
            if len(record) <= LARGEST:
                (seeds / f"{path.stem}-{number}.record").write_bytes(bytes([key.fKeylen]) + record)
            for count, walk in enumerate(walks(file, file[name])):
                if count < 8:
                    (seeds / f"{path.stem}-{number}-{count}.walk").write_bytes(walk)


if __name__ == "__main__":
    main()
