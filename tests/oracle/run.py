#!/usr/bin/env python3
"""Runs queries by hq and by the oracle, and compares.

usage: run.py [--data DIR] [--hq "PROGRAM ARGUMENT ..."] [QUERY ...]
       run.py [--data DIR] --random COUNT [--seed N] [--batch PROGRAM] [--jobs N]

Without QUERY it takes all of queries/ and of tests/oracle/queries/, and the examples of docs/query-language.md, but
for those that say that they are refused.

Each query names its data in comments at its top, "# data: uproot-HZZ.root:events": files, relative to --data (or a
folder in it); mini.root is made by mini.py. hq is run as

    $HQ_BIN/hq-submit --local --fresh --json OUT QUERY FILE ...

With --random it makes queries itself instead and runs them by batch.py, with the library behind hq-submit alone, some
hundred in a minute; those that differ it keeps in the working directory, to be run again by name.

Exit code 1 if any result differs or hq fails.
"""

import argparse
import functools
import glob
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

import batch
import compare
import mini
import oracle

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIME_LIMIT_S = 300
REFUSED_AT_MOST = 0.01


def all_queries():
    folders = ("queries", "tests/oracle/queries")
    return sorted(path for folder in folders for path in glob.glob(f"{SOURCE}/{folder}/**/*.py", recursive=True))


def examples(folder):
    """The examples of the language's description as files in the folder, each with what it leaves out."""
    head = "from hist import Hist, axis\n"
    with open(f"{SOURCE}/docs/query-language.md", encoding="utf-8") as file:
        text = file.read()
    for match in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        example = match[1]
        if "# refused" in example:
            continue
        if "for event in events" not in example:
            example += "last = Hist(axis.Regular(1, 0, 1))\nfor event in events:\n    last.fill(1)\n"
        elif "import" not in example:
            example = 'h = Hist(axis.Regular(100, 0, 100, name="x"))\n' + example
        if "import" not in example:
            example = head + example
        path = f"{folder}/line_{text.count(chr(10), 0, match.start()) + 1}.py"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"# data: mini.root:Events\n{example}")
        yield path


def data_of(query, data_dir):
    """The files that the query names at its top, found in the folder or one below it."""
    with open(query, encoding="utf-8") as file:
        names = re.findall(r"^# data: *(\S.*?) *$", file.read(), re.MULTILINE)
    specs = []
    for spec in " ".join(names).split():
        file, colon, tree = spec.partition(":")
        found = [mini.made(data_dir)] if file == "mini.root" else []
        found = found or glob.glob(f"{data_dir}/{file}") or sorted(glob.glob(f"{data_dir}/*/{file}"))
        if not found:
            raise SystemExit(f"{query}: {file} is not in {data_dir}; scripts/setup fetches it")
        specs.append(found[0] + colon + tree)
    if not specs:
        raise SystemExit(f"{query}: no line '# data: FILE:Tree'")
    return specs


def run_hq(command, query, specs, out):
    result = subprocess.run([*command, "--json", out, query, *specs], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, encoding="utf-8", errors="replace", timeout=TIME_LIMIT_S)
    if result.returncode != 0:
        return [f"hq-submit: exit code {result.returncode}", *result.stderr.strip().splitlines()]
    return []


def check(query, command, data_dir):
    """The differences, and the seconds that hq and the oracle took."""
    specs = data_of(query, data_dir)
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/hq.json"
        begin = time.monotonic()
        found = run_hq(command, query, specs, out)
        hq_s = time.monotonic() - begin
        begin = time.monotonic()
        expected = json.loads(oracle.document(oracle.run(query, specs)))
        oracle_s = time.monotonic() - begin
        return found or compare.differences(compare.load(out), expected), hq_s, oracle_s


def report(query, command, data_dir):
    """Prints how the query fares; true if nothing differs."""
    found, hq_s, oracle_s = check(query, command, data_dir)
    name = os.path.relpath(query, SOURCE) if query.startswith(SOURCE) else query
    print(f"{'differs' if found else 'equal':8} {name:44} hq {hq_s:6.2f} s  CPython {oracle_s:6.2f} s", flush=True)
    for text in found:
        print(f"         {text}")
    return not found


def report_random(program, data_dir, seeds, jobs):
    """Prints what differs, and now and then how far it is; for each query that runs, whether it is equal."""
    mini.made(data_dir)  # once, before there are several processes
    equal, refused = [], 0
    begin = time.monotonic()
    for name, found in batch.run(program, functools.partial(data_of, data_dir=data_dir), seeds, jobs):
        if batch.is_refusal(found):
            os.remove(name)
            refused += 1
            continue
        equal.append(not found)
        if found:
            print(f"differs  {name}", *(f"         {text}" for text in found), sep="\n", flush=True)
        if len(equal) % 500 == 0:
            print(f"{len(equal)} queries in {time.monotonic() - begin:.0f} s, {equal.count(False)} differ", flush=True)
    if refused:
        print(f"{refused} queries more were refused by rule")
    return equal if refused <= REFUSED_AT_MOST * len(seeds) else [*equal, False]


def main():
    parser = argparse.ArgumentParser(description="Runs queries by hq and by the oracle, and compares.")
    parser.add_argument("queries", nargs="*", metavar="QUERY")
    parser.add_argument("--data", default=f"{SOURCE}/.deps/data", metavar="DIR", help="default: %(default)s")
    parser.add_argument("--hq", metavar="COMMAND", help="how to run hq, default: %(default)s",
                        default=f"{os.environ.get('HQ_BIN', 'bin')}/hq-submit --local --fresh")
    parser.add_argument("--random", type=int, default=0, metavar="COUNT", help="queries at random instead")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first, default: %(default)s")
    parser.add_argument("--batch", metavar="PROGRAM", help="what runs them, default: %(default)s",
                        default=f"{os.path.dirname(os.environ.get('HQ_BIN', 'build/bin'))}/tests/oracle_batch")
    parser.add_argument("--jobs", type=int, metavar="N", help="how many at a time, default: one a core")
    arguments = parser.parse_args()
    command = shlex.split(arguments.hq)
    if arguments.random:
        seeds = range(arguments.seed, arguments.seed + arguments.random)
        equal = report_random(arguments.batch, arguments.data, seeds, arguments.jobs)
    else:
        with tempfile.TemporaryDirectory() as folder:
            queries = arguments.queries or [*all_queries(), *examples(folder)]
            equal = [report(query, command, arguments.data) for query in queries]
    print(f"{sum(equal)} of {len(equal)} queries give the same as CPython")
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
