"""Real servers for tests written in Python: ZooKeeper and a MongoDB server, on free loopback ports, each with a directory
of its own. How a server is started stands in scripts/services.

    with ZooKeeper() as zookeeper, MongoServer() as mongo:
        subprocess.run([..., "--coordinator", zookeeper.coordinator, "--store", mongo.store])

A server that is not on this machine ends the program with exit code 77, which CTest counts as skipped.
"""

import ctypes
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SERVICES = str(SOURCE / "scripts" / "services")
SKIPPED = 77
PR_SET_PDEATHSIG = 1
TRIES = 3
PORTS = 10000, 30000


def is_here(kind):
    """None if that server is on this machine, else the reason why it is not."""
    answer = subprocess.run([SERVICES, "has", kind], stdout=subprocess.PIPE, text=True)
    return None if answer.returncode == 0 else answer.stdout.strip()


def skip(reason):
    print(f"skipped: {reason}", file=sys.stderr)
    sys.exit(SKIPPED)


def free_port():
    """Not one of those that the system hands out: a connection of anybody's could have it before the server has."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def _die_with_parent(prctl=ctypes.CDLL(None).prctl):  # looked up before the fork, where locks of other threads stay held
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One server, from its making to stop(). Its kind is a name that scripts/services knows."""

    def __init__(self, kind, keeps_data=True):
        reason = is_here(kind)
        if reason:
            skip(reason)
        self.kind = kind
        self.keeps_data = keeps_data
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="server-", dir=os.getcwd()))
        for _ in range(TRIES):
            self.port = free_port()
            if self._launch():
                return
        raise RuntimeError(f"{kind} ended while it started; see {self.dir}/log")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _launch(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                [SERVICES, "run", self.kind, "--dir", self.dir, "--port", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=_die_with_parent)
        waiting = subprocess.Popen([SERVICES, "wait", self.kind, "--port", str(self.port), "--seconds", "120"])
        while True:
            try:
                if waiting.wait(timeout=0.02) != 0:
                    raise RuntimeError(f"{self.kind} does not serve; see {self.dir}/log")
                return True
            except subprocess.TimeoutExpired:
                if self.process.poll() is not None:
                    waiting.kill()
                    waiting.wait()
                    return False

    def pause(self):
        """SIGSTOP: a server that has hung, or a network that has gone. It has stopped when this returns."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        """A new process on the same port and the same data."""
        self.kill()
        if not self._launch():
            raise RuntimeError(f"{self.kind} does not start again; see {self.dir}/log")

    def stop(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class ZooKeeper(Server):
    def __init__(self):
        super().__init__("zookeeper")

    @property
    def coordinator(self):
        return f"zk:{self.address}/hq"


class MongoServer(Server):
    """mongod if it is on PATH, else mongo-java-server."""

    def __init__(self, kind=None):
        if kind is None:
            kind = "mongo-java" if is_here("mongod") else "mongod"
        super().__init__(kind, keeps_data=kind != "mongo-java")

    @property
    def store(self):
        return f"mongodb://{self.address}/hq"
