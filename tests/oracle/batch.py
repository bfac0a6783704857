"""Many random queries through hq and through the oracle, each in processes that stay.

A job is a process that runs CPython's side, and beside it a driver (batch.c) that runs hq's, both at the same time over
the same entries. A query sees a stretch of its file, which follows from its seed as its text does: enough events for every
branch of it, few enough for CPython to run some hundred queries a minute.
"""

import json
import multiprocessing
import os
import random
import resource
import select
import signal
import subprocess
import tempfile

import compare
import oracle
from columns import tables_of
from random_query import random_query

TIME_LIMIT_S = 120
# Lists of pairs of pairs can be more than CPython can go through; such a query tells nothing, and is as good as refused.
ORACLE_TIME_LIMIT_S = 20
ORACLE_MEMORY_LIMIT = 4 << 30
# What hq refuses by rule (docs/query-language.md) and the generator cannot foresee; run.py bounds how often.
TOO_LONG = "CPython: this query takes more time or memory than it may"
REFUSALS = ("this constant does not fit into 64 bits", "the lists of this event need more than", TOO_LONG)
ENTRIES = 80


class Driver:
    """hq as a process that takes one query after another. It is started again if a query has killed it."""

    def __init__(self, program):
        self.program = program
        self.process = None

    def ask(self, *fields):
        if self.process is None:
            self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            preexec_fn=lift_limit)
        try:
            self.process.stdin.write("\t".join(map(str, fields)).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer() tells

    def answer(self):
        """What hq has to say against the query; nothing if it is content."""
        if select.select([self.process.stdout], [], [], TIME_LIMIT_S)[0]:
            line = self.process.stdout.readline().decode(errors="replace").strip()
            if line:
                return [] if line == "ok" else [f"hq: {line}"]
        else:
            self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        code = self.process.wait()
        self.process = None
        return [f"hq gave no answer within {TIME_LIMIT_S} s" if code == -9 else f"hq ended with code {code}"]


class TooLong(Exception):
    pass


def end_oracle(_signal, _frame):
    raise TooLong


def document_of(query, spec, entries):
    """What CPython makes of the query; TooLong if that takes more than the limits above."""
    signal.signal(signal.SIGVTALRM, end_oracle)
    signal.setitimer(signal.ITIMER_VIRTUAL, ORACLE_TIME_LIMIT_S)  # of this process, whatever else the machine does
    try:
        return json.loads(oracle.document(oracle.run(query, [spec], entries)))
    except MemoryError:
        raise TooLong from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


class Job:
    def __init__(self, driver, find_data):
        self.driver = Driver(driver)
        self.find_data = find_data  # from a query's path to the files it names
        self.folder = tempfile.TemporaryDirectory()

    def differences(self, seed, query):
        spec, = self.find_data(query)
        path, _, tree = spec.rpartition(":")
        total = tables_of(spec)[0].entries
        first = random.Random(seed).randrange(max(1, total - ENTRIES))
        entries = range(first, min(first + ENTRIES, total))
        out = f"{self.folder.name}/hq.json"
        self.driver.ask(query, out, path, tree, entries.start, entries.stop)
        try:
            expected = document_of(query, spec, entries)
        finally:
            found = self.driver.answer()
        return found or compare.differences(compare.load(out), expected)

    def check(self, seed):
        """The query if it differs, and how; it is kept in the working directory then."""
        name = f"random-{seed}.py"
        query = f"{self.folder.name}/{name}"
        text = random_query(seed)
        with open(query, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            found = self.differences(seed, query)
        except TooLong:
            found = [TOO_LONG]
        except Exception as error:  # the generator made what CPython refuses: that is a mistake too
            found = [f"CPython: {type(error).__name__}: {error}"]
        if found:
            with open(name, "w", encoding="utf-8") as file:
                file.write(text)
        return name, found


JOB = []  # of this process: it has one


def lift_limit():
    """The limit is CPython's: sanitizers reserve terabytes of addresses."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def start(*arguments):
    resource.setrlimit(resource.RLIMIT_AS, (ORACLE_MEMORY_LIMIT, resource.getrlimit(resource.RLIMIT_AS)[1]))
    JOB.append(Job(*arguments))


def check(seed):
    return JOB[0].check(seed)


def is_refusal(found):
    return len(found) == 1 and any(rule in found[0] for rule in REFUSALS)


def run(driver, find_data, seeds, jobs):
    """Name and differences of each query, in the order of their ends. find_data must be a function of a module."""
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs or os.cpu_count(), start, (driver, find_data)) as pool:
        yield from pool.imap_unordered(check, seeds, chunksize=4)
