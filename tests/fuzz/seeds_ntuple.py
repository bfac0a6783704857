"""Seeds of fuzz_ntuple: what ntuple_writer.py makes, small, as the parts that the target puts together.

    seeds_ntuple.py FOLDER
"""

import pathlib
import sys

import uproot

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "data"))
import ntuple_writer

# As in fuzz_ntuple.c: where things are, and how long.
HEADER, FOOTER, LIST = (128, 8192), (128 + 8192, 1024), (128 + 8192 + 1024, 16384)
PAGES_AT = sum(LIST)


class Parts(ntuple_writer.File):
    """The writer's file, taken apart: pages begin where the target has them, and there is one list of them."""

    def __init__(self, **options):
        super().__init__(**options)
        self.blob = bytearray(PAGES_AT)
        self.checksums = False
        self.max_key_size = 0
        self.parts = {}

    def place_envelope(self, block):
        kind = block[0]
        seek, size = {1: HEADER, 2: FOOTER, 3: LIST}[kind]
        if len(block) > size:
            raise ValueError(f"envelope {kind} has {len(block)} bytes")
        self.parts[kind] = block[8:-8].ljust(size - 16, b"\0")
        self.pages = bytes(self.blob[PAGES_AT:])
        return seek, size, size

    def write(self, path, fields, columns, groups, aliases=(), late=((), (), ())):
        super().write(path, fields, columns, [[c for group in groups for c in group]], aliases, late)
        pathlib.Path(path).write_bytes(self.parts[1] + self.parts[2] + self.parts[3] + self.pages)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    ntuple_writer.SIZES, ntuple_writer.BORDERS, ntuple_writer.ENTRIES = [40, 1, 19], [0, 40, 41], 60
    ntuple_writer.File = Parts
    made = 0
    for number, options in enumerate(
        ({}, {"compression": uproot.ZSTD(1)}, {"compression": uproot.LZ4(1), "large": True}, {"compression": uproot.ZLIB(1)})
    ):
        ntuple_writer.encodings(str(folder / f"encodings{number}"), number, **options)
        index = (ntuple_writer.INDEX32, ntuple_writer.INDEX64, ntuple_writer.S_INDEX32, ntuple_writer.S_INDEX64)[number]
        ntuple_writer.collections(str(folder / f"collections{number}"), index, **options)
        made += 2
    ntuple_writer.representations(str(folder / "representations"))
    ntuple_writer.projections(str(folder / "projections"))
    print(made + 2, "seeds in", folder)


if __name__ == "__main__":
    main()
