#!/usr/bin/env python3
"""Runs queries by hq and by the oracle, and compares.

usage: run.py [--data DIR] [--hq "PROGRAM ARGUMENT ..."] [--random COUNT] [--seed N] [QUERY ...]

Each query names its data in comments at its top, "# data: uproot-HZZ.root:events": files, relative to --data (or a
folder in it); mini.root is made by mini.py. Without QUERY it takes all of queries/ and of tests/oracle/queries/. With
--random it makes queries itself instead, and keeps those that differ in the working directory. hq is run as

    $HQ_BIN/hq-submit --local --fresh --json OUT QUERY FILE ...

Exit code 1 if any result differs or hq fails.
"""

import argparse
import glob
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

import compare
import mini
import oracle
from random_query import random_query

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIME_LIMIT_S = 120


def all_queries():
    folders = ("queries", "tests/oracle/queries")
    return sorted(path for folder in folders for path in glob.glob(f"{SOURCE}/{folder}/**/*.py", recursive=True))


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


def report_random(seed, command, data_dir):
    query = f"random-{seed}.py"
    with open(query, "w", encoding="utf-8") as file:
        file.write(random_query(seed))
    is_equal = report(query, command, data_dir)
    if is_equal:
        os.remove(query)
    return is_equal


def main():
    parser = argparse.ArgumentParser(description="Runs queries by hq and by the oracle, and compares.")
    parser.add_argument("queries", nargs="*", metavar="QUERY")
    parser.add_argument("--data", default=f"{SOURCE}/.deps/data", metavar="DIR", help="default: %(default)s")
    parser.add_argument("--hq", metavar="COMMAND", help="how to run hq, default: %(default)s",
                        default=f"{os.environ.get('HQ_BIN', 'bin')}/hq-submit --local --fresh")
    parser.add_argument("--random", type=int, default=0, metavar="COUNT", help="queries at random instead")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first, default: %(default)s")
    arguments = parser.parse_args()
    command = shlex.split(arguments.hq)
    if arguments.random:
        seeds = range(arguments.seed, arguments.seed + arguments.random)
        equal = [report_random(seed, command, arguments.data) for seed in seeds]
    else:
        equal = [report(query, command, arguments.data) for query in arguments.queries or all_queries()]
    print(f"{sum(equal)} of {len(equal)} queries give the same as CPython")
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
