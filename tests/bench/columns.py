"""bench/columns over small files of every kind: it runs, and its document has all rows, which fit each other.

    columns.py BUILD
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(os.environ["HQ_SOURCE"]) / "bench"
EVENTS, COLUMNS = 6000, 20
COMPRESSIONS = ("none", "lz4", "zstd", "zlib")


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{words[0]} ended with {done.returncode}: {done.stderr}")
    return done


def make(folder):
    for compression in COMPRESSIONS:
        for kind in ([], ["--rntuple"]):
            path = f"{folder}/{compression}{''.join(kind)}.root"
            run(sys.executable, BENCH / "make_events.py", path, "--events", EVENTS, "--chunk", 2000, "--compression", compression, *kind)
            yield path


def expect(is_so, *words):
    if not is_so:
        sys.exit(" ".join(str(word) for word in ("FAILED:", *words)))


def check(row, path):
    expect(row["file"] == path and row["entries"] == EVENTS and row["columns"] == COLUMNS == len(row["names"]), path, row)
    least = 4 * EVENTS * (2 + 3 + 15)  # two values of each event, three counts, and fifteen columns' offsets
    expect(row["bytes"] > least, path, "has", row["bytes"], "bytes")
    expect((row["blocks"] == 0) == ("none" in path), path, "has", row["blocks"], "blocks")
    expect(row["block_true_bytes"] >= row["block_bytes"], path, "grows when compressed")
    expect(row["borders"][0] == 0 and row["borders"][-1] == EVENTS, path, row["borders"])
    for name in ("reader", "alone", "parts", "uproot"):
        expect(row[name]["best_us"] > 0, path, name, row[name])
    ratio = row["alone"]["best_us"] / row["reader"]["best_us"]
    expect(abs(row["alone"]["reader_is_faster"] / ratio - 1) < 1e-6, path, "another ratio than of the times")


def main():
    build = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        paths = list(make(folder))
        done = run(sys.executable, BENCH / "columns", *paths, "--build", build, "--entries", 2000, "--rounds", 1, "--other-rounds", 1,
                   "--python", sys.executable, "--root-python", f"{folder}/no-python", "--json", f"{folder}/out.json")
        rows = json.loads(pathlib.Path(f"{folder}/out.json").read_text())["files"]
    expect(len(rows) == len(paths) == 2 * len(COMPRESSIONS), len(rows), "rows")
    for row, path in zip(rows, paths):
        check(row, path)
    expect("ROOT: missing" in done.stderr, "a peer that is not there is passed over in silence:", done.stderr)
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ") and ".root" in line]
    expect(len(lines) == len(paths), "the table has", len(lines), "rows")
    print(f"{len(rows)} files")


if __name__ == "__main__":
    main()
