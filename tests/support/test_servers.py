"""servers.py: servers start, hang, die, come back, and go with the one who started them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import servers


def answers(server, timeout=60.0):
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(b"srvr")
            return b"Mode:" in b"".join(iter(lambda: connection.recv(65536), b""))  # to its end: it may come in pieces
    except OSError:
        return False


def gone(pid, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def child():
    """Started below: starts a server, tells its process, and waits to be killed."""
    server = servers.ZooKeeper()
    print(server.process.pid, server.dir, flush=True)
    signal.pause()


if sys.argv[1:] == ["child"]:
    child()

with servers.ZooKeeper() as zookeeper, servers.MongoServer() as mongo:
    assert zookeeper.coordinator == f"zk:127.0.0.1:{zookeeper.port}/hq"
    assert mongo.store == f"mongodb://127.0.0.1:{mongo.port}/hq"
    assert answers(zookeeper)
    zookeeper.pause()
    assert not answers(zookeeper, timeout=0.3)
    zookeeper.resume()
    assert answers(zookeeper)
    zookeeper.kill()
    assert not answers(zookeeper)
    zookeeper.restart()
    assert answers(zookeeper)
    pids, dirs = [zookeeper.process.pid, mongo.process.pid], [zookeeper.dir, mongo.dir]
assert all(gone(pid) for pid in pids)
assert not any(os.path.exists(path) for path in dirs)

parent = subprocess.Popen([sys.executable, __file__, "child"], stdout=subprocess.PIPE, text=True)
pid, path = parent.stdout.readline().split(maxsplit=1)
parent.kill()
parent.wait()
assert gone(int(pid)), "a server outlived the one who started it"
shutil.rmtree(path.strip())
