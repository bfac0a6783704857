"""What the system tests stand on: hq's own programs as processes, real servers below them, and bounds on every wait.

- Each test runs in a folder of its own below the current one; logs stay there and are printed if the test fails.
- Every process leads a group of its own and dies with the test. What a test did not end itself is ended after it by
  SIGTERM and must exit with 0; then no process of any group may be left, and no log may hold a sanitizer's report.
- Nothing waits for a fixed time: wait_until polls a condition until it holds, or fails and says what did not come.
- A cluster of a test lives below a chroot and in a database of its own, so that tests of one file can share servers.
"""

import ctypes
import json
import logging
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "tests" / "support"), str(SOURCE / "tests" / "oracle")]

import bson  # noqa: E402
import kazoo.client  # noqa: E402
import kazoo.exceptions  # noqa: E402
import pymongo  # noqa: E402
import zmq  # noqa: E402

import compare  # noqa: E402
import oracle  # noqa: E402
import servers  # noqa: E402

BIN = pathlib.Path(os.environ.get("HQ_BIN", SOURCE / "build" / "bin"))
DATA = pathlib.Path(os.environ.get("HQ_DATA", SOURCE / ".deps" / "data"))
ZMUMU = DATA / "skhep" / "uproot-Zmumu.root"
SLOWER = 4 if os.environ.get("HQ_SANITIZE") else 1  # by how much bounds grow
POLL_S = 0.01
PR_SET_PDEATHSIG = 1
SANITIZER = re.compile(r"(Address|Leak|Thread|UndefinedBehavior|Memory)Sanitizer|: runtime error: ")
logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # servers go away on purpose here
SANITIZED_EXIT = 66  # none of hq's own, so that a report cannot pass for a refusal


def wait_until(condition, what, seconds=60):
    """The condition's value once it is true; fails if that takes too long."""
    end = time.monotonic() + seconds * SLOWER
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not come within {seconds * SLOWER} s: {what}")
        time.sleep(POLL_S)


def _die_with_parent(prctl=ctypes.CDLL(None).prctl):  # looked up before the fork, where locks of other threads stay held
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def environment(folder):
    """The test's own, without options of hq that a developer may have set; what hq caches goes into the folder."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HQ_")}
    kept["XDG_CACHE_HOME"] = str(folder / "cache")
    for name in "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS":
        kept[name] = f"{kept[name]}:exitcode={SANITIZED_EXIT}" if name in kept else f"exitcode={SANITIZED_EXIT}"
    return kept


class Process:
    """One program of hq, from its start to its end."""

    def __init__(self, folder, name, arguments, stdin=None, terminal=None):
        self.name, self.program = name, pathlib.Path(arguments[0]).name
        self.code = None
        self.may_fail = False  # set for one that a test has ended on purpose
        self.stdout_path, self.stderr_path = folder / f"{name}.stdout", folder / f"{name}.stderr"
        with open(self.stdout_path, "wb") as stdout, open(self.stderr_path, "wb") as stderr:
            self.popen = subprocess.Popen(
                [str(argument) for argument in arguments], cwd=folder, env=environment(folder),
                stdin=subprocess.DEVNULL if stdin is None else stdin, stdout=terminal or stdout,
                stderr=terminal or stderr, start_new_session=True, preexec_fn=_die_with_parent)
        self.pid = self.popen.pid

    @property
    def stdout(self):
        return self.stdout_path.read_text("utf-8", "replace")

    @property
    def stderr(self):
        return self.stderr_path.read_text("utf-8", "replace")

    def is_running(self):
        return self.popen.poll() is None

    def wait(self, seconds=120):
        """Its exit code."""
        try:
            self.code = self.popen.wait(seconds * SLOWER)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} was still running after {seconds * SLOWER} s") from None
        return self.code

    def signal(self, number):
        """It has stopped when this returns, if that is what the signal says."""
        self.popen.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def kill(self):
        self.may_fail = True
        self.popen.kill()
        self.code = self.popen.wait()

    def end(self):
        """Asks it to end, even if it was stopped, and waits for that."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.wait()

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def has_left_some(self):
        """Whether a process of its group outlives it."""
        try:
            os.killpg(self.pid, 0)
            return True
        except ProcessLookupError:
            return False


class SystemTest(unittest.TestCase):
    maxDiff = None

    def run(self, result=None):
        before, begin = len(result.failures) + len(result.errors), time.monotonic()
        super().run(result)
        print(f"  {time.monotonic() - begin:.1f} s", file=sys.stderr)
        if len(result.failures) + len(result.errors) > before:
            self.print_logs()
        return result

    def setUp(self):
        self.folder = pathlib.Path.cwd() / self.id().removeprefix("__main__.")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.processes = []
        self.addCleanup(self.end_all)

    def print_logs(self, most=6000):
        for path in sorted(self.folder.glob("*.std*")):
            text = path.read_text("utf-8", "replace")
            if text:
                cut = f"... {len(text) - most} more before\n" if len(text) > most else ""
                print(f"---- {path}\n{cut}{text[-most:]}", file=sys.stderr, flush=True)

    def end_all(self):
        """Clients first, then workers, then brokers: the reverse of their start."""
        wrong = []
        for process in reversed(self.processes):
            if process.is_running():
                try:
                    process.end()
                except AssertionError as error:
                    wrong.append(str(error))
                is_interrupted_client = process.program == "hq-submit" and process.code == 130
                if process.code != 0 and not process.may_fail and not is_interrupted_client:
                    wrong.append(f"{process.name} ended with {process.code} when it was asked to end")
            else:
                process.code = process.popen.wait()
                if process.code in (SANITIZED_EXIT, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS):
                    wrong.append(f"{process.name} ended with {process.code}")
            if process.has_left_some():
                os.killpg(process.pid, signal.SIGKILL)
                wrong.append(f"{process.name} left a process behind")
            if SANITIZER.search(process.stderr):
                wrong.append(f"{process.name} has a sanitizer's report in its log")
        self.assertEqual([], wrong)

    def start(self, program, *arguments, name=None, **more):
        name = name or program.removeprefix("hq-")
        taken = sum(process.name.split(".")[0] == name for process in self.processes)
        process = Process(self.folder, f"{name}.{taken + 1}", [BIN / program, *arguments], **more)
        self.processes.append(process)
        return process

    def assert_as_oracle(self, answer, expected):
        self.assertEqual([], compare.differences(answer.hists, expected))


class Answer:
    """What hq-submit wrote as JSON, once it has ended."""

    def __init__(self, test, process, json_path=None):
        self.test, self.process, self.json_path = test, process, json_path

    def wait(self, seconds=120, code=0):
        got = self.process.wait(seconds)
        self.test.assertEqual(code, got, f"{self.process.name}: {self.process.stderr}")
        return self

    @property
    def hists(self):
        return compare.load(self.json_path)

    @property
    def metadata(self):
        """What hq says of the query: the same with each of its histograms."""
        return next(iter(self.hists.values()))["metadata"]

    @property
    def contents(self):
        """All that must be the same, bit for bit, however it was computed."""
        return {name: (hist["axes"], hist["storage"]) for name, hist in self.hists.items()}


class ClusterTest(SystemTest):
    """A broker and workers on demand, on the class's ZooKeeper and MongoDB server."""

    # What a test wants to see run out it makes shorter; the others must outlast a busy machine.
    SESSION = "8s"
    LEASE = "20s"
    STORE_TIMEOUT = "20s"

    @classmethod
    def setUpClass(cls):
        cls.zookeeper, cls.mongo = servers.ZooKeeper(), servers.MongoServer()
        for server in cls.zookeeper, cls.mongo:
            cls.addClassCleanup(server.stop)

    def setUp(self):
        super().setUp()
        self.space = re.sub(r"\W", "-", self.folder.name)  # chroot and database
        self.coordinator = f"zk:{self.zookeeper.address}/{self.space}"
        self.store = f"mongodb://{self.mongo.address}/{self.space}"
        self.answers = 0
        self.tree = None
        self.database = pymongo.MongoClient(self.mongo.address, serverSelectionTimeoutMS=10000)[self.space]
        # Cleanups run in reverse: processes end, then these close.
        self.addCleanup(self.database.client.close)
        self.addCleanup(self.close_tree)
        self.addCleanup(self.end_all)

    # --- programs ---

    def start_broker(self, *options):
        broker = self.start_hq_broker(*options)
        ids = wait_until(lambda: self.children("brokers"), "the broker in /brokers")
        self.front = self.node(f"brokers/{ids[0]}")["front"]
        self.socket = self.connect(self.front)
        return broker

    def start_hq_broker(self, *options):
        return self.start("hq-broker", "--front", "tcp://127.0.0.1:*", "--back", "tcp://127.0.0.1:*",
                          "--coordinator", self.coordinator, "--session", self.SESSION, "--lease", self.LEASE,
                          "--store", self.store, "--store-timeout", self.STORE_TIMEOUT, *options)

    def connect(self, endpoint):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.connect(endpoint)
        self.addCleanup(socket.close, linger=0)
        return socket

    def start_worker(self, slots=1, arguments=()):
        return self.start("hq-worker", "--coordinator", self.coordinator, "--session", self.SESSION, "--slots", slots,
                          "--memory", "64M", *arguments)

    def start_workers(self, count):
        workers = [self.start_worker() for _ in range(count)]
        wait_until(lambda: self.status()["workers"] == count, f"{count} workers at the broker")
        return workers

    def start_submit(self, query, *arguments, **more):
        """hq-submit, under way."""
        return self.start_client(query, *arguments, **more)

    def start_attach(self, query_id):
        return self.start_client("--attach", query_id)

    def start_client(self, *arguments, **more):
        self.answers += 1
        path = self.folder / f"answer-{self.answers}.json"
        process = self.start("hq-submit", "--coordinator", self.coordinator, "--timeout", "60s", "--json", path, *arguments,
                             **more)
        return Answer(self, process, path)

    def submit(self, query, *arguments, seconds=120):
        return self.start_submit(query, *arguments).wait(seconds)

    # --- what the broker says: docs/protocol.md, STATUS ---

    def status(self):
        self.socket.send_multipart([b"hq\x02\x04", bson.encode({"request": 1, "detail": True})])
        if not self.socket.poll(60000 * SLOWER):
            raise AssertionError("the broker does not answer STATUS")
        head, body = self.socket.recv_multipart()
        self.assertEqual(b"hq\x02\x15", head)
        return bson.decode(body)

    def counters(self):
        return self.status()["counters"]

    def wait_for_counter(self, name, least, seconds=60):
        wait_until(lambda: self.counters()[name] >= least, f"{name} of {least}", seconds)

    # --- what stands in ZooKeeper and in the store ---

    def open_tree(self):
        if not self.tree:
            self.tree = kazoo.client.KazooClient(self.zookeeper.address, timeout=10)
            self.tree.start(timeout=120)
        return self.tree

    def close_tree(self):
        """Also to be called before ZooKeeper goes away: kazoo takes its time to find it again."""
        if self.tree:
            self.tree.stop()
            self.tree.close()
        self.tree = None

    def children(self, path):
        try:
            return self.open_tree().get_children(f"/{self.space}/{path}")
        except kazoo.exceptions.NoNodeError:
            return []

    def node(self, path):
        return bson.decode(self.open_tree().get(f"/{self.space}/{path}")[0])

    def done(self):
        """The entries of /done by the query's id."""
        return {id_of(name): self.node(f"done/{name}") for name in self.children("done")}

    def assert_nothing_pending(self):
        self.assertEqual([], self.children("unowned"))
        self.assertEqual([], self.children("owned"))
        self.assertEqual(0, self.status()["queries"])

    def assert_successful(self, answer, entries, subtasks):
        """In the coordinator and in the store is what must be there when a client has been told DONE."""
        query = answer.metadata["hq_query"]
        entry = self.done()[query]
        self.assertEqual(("SUCCESSFUL", entries, subtasks), (entry["state"], entry["entries"], entry["subtasks"]))
        self.assertEqual((entries, subtasks), (answer.metadata["hq_entries"], answer.metadata["hq_subtasks"]))
        result = self.database.results.find_one({"_id": entry["fingerprint"]})
        self.assertIsNotNone(result, "the result is not in the store")
        self.assertEqual((query, entries, subtasks), (result["query"], result["entries"], result["subtasks"]))
        journal = wait_until(lambda: self.database.queries.find_one({"_id": query}), "the query in the journal")
        self.assertEqual(("SUCCESSFUL", entries), (journal["state"], journal["entries"]))


def id_of(entry):
    """The query's, of entry-<priority>-<id>-<seq>."""
    return entry.split("-")[2]


def oracle_of(query, specs):
    return json.loads(oracle.document(oracle.run(query, [str(spec) for spec in specs])))


def main(needs=()):
    """Skips, with the reason, if a server is missing; else runs the tests of the program's file."""
    for kinds in needs:
        reasons = [servers.is_here(kind) for kind in kinds]
        if all(reasons):
            servers.skip("; ".join(reasons))
    unittest.main(verbosity=2, module="__main__")


REAL_SERVERS = (("zookeeper",), ("mongod", "mongo-java"))
