"""What the benches share: servers, a broker and workers on loopback, ended by their pids; how they are asked; tables.

Where ZooKeeper or a MongoDB server is missing, scripts/services says so and the bench ends.
"""
import json
import os
import pathlib
import platform
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Fills once for each entry; a subtask without entries costs nothing.
NO_OP = """\
from hist import Hist, axis

h = Hist(axis.Regular(1, 0, 1, name="x"))

for event in events:
    h.fill(0.5)
"""


def free_ports(count):
    """Ports that are free now, and not of those that the system hands out: a connection of anybody's could have one of these
    before the server has. All are held until all are found, so that they differ."""
    held = {}
    while len(held) < count:
        port = random.SystemRandom().randrange(10000, 30000)
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", port))
            held[port] = s
        except OSError:
            s.close()
    for s in held.values():
        s.close()
    return list(held)


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def waited_seconds(pid):
    """How long its first thread, of a broker the loop, was ready to run and another had the processor; 0 where the kernel does not tell."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def memory_mib(pid, what="VmHWM"):
    """VmHWM is the peak, VmRSS what it has now."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    return 0.0


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = int(next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal"))) / 1024**2
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {platform.release()}"


class Services:
    """A ZooKeeper and a MongoDB server; coordinator and mongo are their addresses."""

    def __init__(self, folder):
        zk, mongo = free_ports(2)
        self.command = [str(ROOT / "scripts/services")]
        self.options = ["--dir", str(folder / "services")]
        started = subprocess.run(self.command + ["start"] + self.options + ["--zookeeper-port", str(zk), "--mongo-port", str(mongo)],
                                 check=False, capture_output=True, text=True)
        if started.returncode != 0:
            sys.exit(started.stderr.strip() or "the servers do not start")
        addresses = dict(line.split("=", 1) for line in started.stdout.splitlines() if "=" in line)
        self.coordinator, self.mongo = addresses["HQ_COORDINATOR"], addresses["HQ_STORE"]
        self.databases = 0

    def store(self, kind, folder):
        """An address for --store that nobody has written to: none, sqlite, or mongodb with a database of its own."""
        self.databases += 1
        if kind == "sqlite":
            return f"sqlite:{folder}/store-{self.databases}.sqlite"
        return f"{self.mongo.rsplit('/', 1)[0]}/hq{self.databases}" if kind == "mongodb" else "none"

    def stop(self):
        subprocess.run(self.command + ["stop"] + self.options, check=False, capture_output=True)


class Cluster:
    """One broker, and workers: real ones, or simulated ones (a list of hq-sim-workers' options)."""

    def __init__(self, build, folder, services, store="none", workers=2, slots=1, worker_options=(), sim=None, broker_options=()):
        self.build, self.processes = build, []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cluster-", dir=folder))
        chroot = f"{services.coordinator.rsplit('/', 1)[0]}/{self.folder.name}"
        front, back = free_ports(2)
        self.front, self.back = f"tcp://127.0.0.1:{front}", f"tcp://127.0.0.1:{back}"
        self.store = services.store(store, self.folder)
        self.coordinator = chroot
        self.workers, self.sim = [], None
        try:
            self.broker = self.start(build / "bin/hq-broker", "--front", self.front, "--back", self.back, "--coordinator", chroot,
                                     "--store", self.store, *broker_options).pid
            for _ in range(0 if sim is not None else workers):
                self.add_worker(slots, worker_options)
            if sim is not None:
                self.sim = self.start(build / "bench/hq-sim-workers", "--broker", self.back, *sim, out=subprocess.PIPE)
                self.workers.append(self.sim.pid)
                self.wait_for_sim(300)
        except BaseException:
            self.stop()
            raise

    def add_worker(self, slots, options):
        self.workers.append(self.start(self.build / "bin/hq-worker", "--coordinator", self.coordinator, "--slots", slots,
                                       "--log-level", "warn", *options).pid)

    def start(self, *command, out=None):
        name = pathlib.Path(command[0]).name
        with open(self.folder / f"{name}-{len(self.processes)}.log", "w", encoding="utf-8") as log:
            process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out or log, stderr=log, text=True)
        self.processes.append(process)
        return process

    def wait_for_sim(self, seconds):
        ready, _, _ = select.select([self.sim.stdout], [], [], seconds)
        if not ready or self.sim.stdout.readline() != "ready\n":
            raise RuntimeError(f"the simulated workers were not welcomed; logs are in {self.folder}")

    def ask(self, query, *datasets, options=()):
        """One run of bench/ask; its figures, with the CPU seconds of the client, the broker and the workers."""
        pids = [self.broker, *self.workers]
        before, times = cpu_seconds(pids), os.times()
        figures = finish(self.ask_begin(query, *datasets, options=options))
        after = os.times()
        figures["cpu_s"] = cpu_seconds(pids) - before + (after[2] - times[2]) + (after[3] - times[3])
        return figures

    def ask_begin(self, query, *datasets, options=()):
        """The same, under way: finish() waits for it."""
        command = [self.build / "bench/ask", *options, self.front, query, *datasets]
        return subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop(self):
        """Ends all; gives back what the simulated workers counted, if there were some."""
        for process in reversed(self.processes[1:]):
            process.send_signal(signal.SIGTERM)
        totals = None
        for process in reversed(self.processes):
            if process is self.processes[0]:
                process.send_signal(signal.SIGTERM)
            try:
                out, _ = process.communicate(timeout=20)
                if process is self.sim and process.returncode == 0 and out:
                    totals = json.loads(out.splitlines()[-1])
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return totals


def finish(process):
    out, err = process.communicate(timeout=600)
    if process.returncode != 0:
        raise RuntimeError(err.strip() or "ask failed")
    return json.loads(out)


def relay(build, batch, window, count, round_trips=10000):
    """The ceiling: bench/relay's figures."""
    out = subprocess.run([str(build / "bench/relay"), "--batch", str(batch), "--window", str(window), "--count", str(count),
                          "--round-trips", str(round_trips), "--json"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def print_table(rows):
    """The first row is the head."""
    print("| " + " | ".join(str(cell) for cell in rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def run_bench(parser, measure, table):
    """The frame of a bench: --build and --json, a folder that goes at the end, the table, the figures."""
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="a built tree (default: build)")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures there")
    args = parser.parse_args()
    args.build = args.build.resolve()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hq-bench-") as name:
        folder = pathlib.Path(name)
        args.query = folder / "no-op.py"
        args.query.write_text(NO_OP)
        result = {"machine": machine(), **measure(args, folder)}
    table(result)
    print(f"\n{result['machine']}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    print(f"measured in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return result
