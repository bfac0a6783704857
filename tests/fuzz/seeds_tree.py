"""Seeds for fuzz_tree: the small ones among the samples, and the decompressed records of their trees.

    seeds_tree.py SAMPLE_FOLDER SEED_FOLDER
"""

import pathlib
import sys
import warnings

import uproot

LARGEST = 65536


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


if __name__ == "__main__":
    main()
