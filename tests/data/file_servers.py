"""Servers of files for the tests of data/source.h: one of http that behaves as its path says, and xrootd from the system.

    file_servers.py FOLDER

Prints "ready PORT OTHER-PORT", two ports of the http server on loopback, and obeys lines on stdin, each with one line:
    seen PATH   how many requests there were for it
    xrootd      starts xrootd on a free port, with copies of the folder's files: "ok PORT FOLDER", or "none REASON"
    kill        ends it as a power cut would: "ok"
    again       starts it once more on the same port: "ok PORT FOLDER"
The end of stdin ends all. The http server's paths are /MODE/FILE; see Handler.answer for the modes.
"""

import collections
import http.server
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import servers  # noqa: E402

FOLDER = pathlib.Path(sys.argv[1])
MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"
lock = threading.Lock()
seen = collections.Counter()  # requests by path, and by path and the last byte wanted
released = threading.Event()  # what hangs, hangs until the end
ports = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.first, self.last = (int(match[1]), int(match[2])) if match else (0, 1 << 62)
        with lock:
            seen[self.path] += 1
            seen[self.path, self.last] += 1
            self.number, self.times = seen[self.path], seen[self.path, self.last]
        mode, _, name = self.path.split("?")[0][1:].partition("/")
        path = FOLDER / name
        self.data = path.read_bytes() if "/" not in name and path.is_file() else None
        try:
            self.answer(mode, name)
        except OSError:
            self.close_connection = True

    def refuse(self, status, **headers):
        body = b"no\n" * 1000
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send(self, total=None, shift=0, length=None, announced=None, body=None, cut=None, **headers):
        """The range as asked for; or, by arguments, with something wrong."""
        last = min(self.last, len(self.data) - 1)
        if length is not None:
            last = min(last, self.first + length - 1)
        if body is None:
            body = self.data[self.first + shift : last + shift + 1]
        self.send_response(206)
        total = len(self.data) if total is None else total
        self.send_header("Content-Range", f"bytes {self.first + shift}-{last + shift}/{total}")
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        for key, value in ({"ETag": '"one"', "Last-Modified": MODIFIED} | headers).items():
            if value:
                self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def reset(self):
        """Ends the connection with a reset instead of a proper end."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def answer(self, mode, name):
        if self.data is None or mode == "missing":
            return self.refuse(404)
        if mode == "good":
            return self.send()
        if mode == "plain":  # says nothing of the file's state
            return self.send(ETag=None, Last_Modified=None)
        if mode == "forbidden":
            return self.refuse(403)
        if mode == "teapot":
            return self.refuse(418)
        if mode == "busy":  # twice, for each range
            return self.refuse(503) if self.times <= 2 else self.send()
        if mode == "toomany":
            return self.refuse(429, Retry_After="1") if self.number == 2 else self.send()
        if mode == "later":
            return self.refuse(503, Retry_After="86400") if self.number > 1 else self.send()
        if mode == "down":  # once it was opened
            return self.refuse(500) if self.number > 1 else self.send()
        if mode == "reset":  # in the middle of each range, the first time
            if self.times > 1 or self.first == 0:
                return self.send()
            half = (min(self.last, len(self.data) - 1) - self.first) // 2
            self.send(cut=half)
            return self.reset()
        if mode == "dropped":  # without an answer, the first time
            return self.reset() if self.times == 1 else self.send()
        if mode == "cut":  # a proper end, but too early, again and again: some of it comes each time
            half = (min(self.last, len(self.data) - 1) - self.first + 2) // 2
            return self.send(cut=half) if half > 70000 and self.first else self.send()
        if mode == "lessrange":  # parts of at most 100,000 bytes, and says so
            return self.send(length=100000)
        if mode == "hang":  # in the middle of some ranges
            if self.number not in (2, 4, 5, 9):
                return self.send()
            self.send(cut=1000)
            self.wfile.flush()
            return released.wait()
        if mode == "silent":
            return released.wait()
        if mode == "drip":  # slow, but it comes: longer in all than anybody waits for a byte
            if self.first == 0:
                return self.send()
            body = self.data[self.first : self.last + 1]
            self.send(body=body, announced=len(body), cut=0)
            for begin in range(0, len(body), len(body) // 20 + 1):
                self.wfile.write(body[begin : begin + len(body) // 20 + 1])
                self.wfile.flush()
                time.sleep(0.25)
            return None
        if mode == "noranges":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.data)))
            self.end_headers()
            return self.wfile.write(self.data)
        if mode == "nosize":
            return self.send(total="*")
        if mode == "gzip":
            return self.send(Content_Encoding="gzip")
        if mode == "shifted":  # other bytes than were asked for
            return self.send(shift=1 if self.first else 0)
        if mode == "longer":
            return self.send(body=self.data[self.first : self.last + 1] + b"more") if self.first else self.send()
        if mode == "tag":  # another one from the second request on
            return self.send(ETag='"one"' if self.number == 1 else '"two"')
        if mode == "modified":
            late = MODIFIED if self.number == 1 else MODIFIED.replace("2025", "2026").replace("Wed", "Thu")
            return self.send(ETag=None, Last_Modified=late)
        if mode == "grown":
            return self.send(total=len(self.data) + (self.number > 1))
        if mode == "shrunk":
            return self.send() if self.number == 1 else self.refuse(416)
        if mode == "there":  # on another server
            return self.refuse(302, Location=f"http://127.0.0.1:{ports[1]}/good/{name}?from={mode}")
        if mode == "moving":  # to a place that is good for three requests
            place = f"/expiring/{name}?number={self.number}"
            return self.refuse(307, Location=f"http://127.0.0.1:{ports[1]}{place}")
        if mode == "expiring":
            return self.send() if self.number <= 3 else self.refuse(403)
        if mode == "loop":
            return self.refuse(302, Location=self.path)
        if mode == "elsewhere":
            return self.refuse(302, Location="file:///etc/passwd")
        return self.refuse(404)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_):
        pass


class Xrootd:
    """The real server, with a folder of its own, which another user must be able to read if we are root."""

    def __init__(self):
        self.process = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hq-xrootd-"))
        (self.folder / "data" / "folder").mkdir(parents=True)
        (self.folder / "admin").mkdir()
        for path in FOLDER.iterdir():
            if path.is_file():
                shutil.copy(path, self.folder / "data" / path.name)
        self.user = next((user for user in ("xrootd", "daemon", "nobody") if self.knows(user)), None)
        if os.getuid() == 0:
            entry = pwd.getpwnam(self.user)
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, entry.pw_uid, entry.pw_gid)
        self.port = servers.free_port()

    @staticmethod
    def knows(user):
        try:
            return pwd.getpwnam(user)
        except KeyError:
            return None

    def start(self):
        config = self.folder / "xrootd.cfg"
        admin = self.folder / "admin"
        config.write_text(
            f"all.export /data\noss.localroot {self.folder}\nall.adminpath {admin}\nall.pidpath {admin}\n"
            f"xrd.port {self.port}\nxrd.network nodnr\n"
        )
        command = ["xrootd", "-c", str(config)] + (["-R", self.user] if os.getuid() == 0 else [])
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return f"ok {self.port} {self.folder}/data"
            except OSError:
                time.sleep(0.01)
        tail = (self.folder / "log").read_text(errors="replace").splitlines()[-3:]
        return "none it does not serve: " + " / ".join(tail)

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
    for server in servers:
        ports.append(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", *ports, flush=True)
    xrootd = None
    try:
        for line in sys.stdin:
            command, _, argument = line.strip().partition(" ")
            answer = "?"
            if command == "seen":
                with lock:
                    answer = str(seen[argument])
            elif command == "xrootd":
                if not shutil.which("xrootd"):
                    answer = "none there is no xrootd on this machine (Debian: xrootd-server)"
                else:
                    xrootd = xrootd or Xrootd()
                    answer = xrootd.start()
            elif command == "https":  # argument: a file with a key and a certificate
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(argument)
                server = Server(("127.0.0.1", 0), Handler)
                server.socket = context.wrap_socket(server.socket, server_side=True)
                threading.Thread(target=server.serve_forever, daemon=True).start()
                answer = str(server.server_port)
            elif command == "kill":
                xrootd.kill()
                answer = "ok"
            elif command == "again":
                answer = xrootd.start()
            print(answer, flush=True)
    finally:
        if xrootd:
            xrootd.remove()
        released.set()


main()
