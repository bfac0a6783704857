"""What a person can get wrong: each is told in clear words, with the right exit code, and leaves nothing running."""

import bson
import numpy as np
import uproot

import harness

HZZ = harness.DATA / "skhep" / "uproot-HZZ.root"
ZMUMU = harness.ZMUMU

HEAD = """\
from hist import Hist, axis

mass = Hist(axis.Regular({bins}, 60, 120, name="mass"))

for event in events:
"""

# name: (bins, body of the loop)
QUERIES = {
    "right": (60, "    mass.fill(event.M)"),
    "syntax": (60, "    if event.M > > 3:\n        mass.fill(event.M)"),
    "unclosed": (60, "    mass.fill(event.M"),
    "column": (60, "    mass.fill(event.ptt1)"),
    "no_bins": (0, "    mass.fill(event.M)"),
    "index": (60, "    mass.fill(event.Muon[1].Px)"),
    "endless": (60, "    x = 0.0\n    while True:\n        x += 1\n    mass.fill(x)"),
}


def write_files(folder):
    whole = ZMUMU.read_bytes()
    (folder / "truncated.root").write_bytes(whole[:len(whole) // 2])
    (folder / "head.root").write_bytes(whole[:40])
    (folder / "text.root").write_text("This is no ROOT file.\n" * 100, "utf-8")
    (folder / "nothing.root").write_bytes(b"")
    (folder / "latin.py").write_text('from hist import Hist, axis\nmass = Hist(axis.Regular(1, 0, 1, label="µ"))\n', "latin-1")
    with uproot.recreate(folder / "no-entries.root") as file:
        file.mktree("events", {"M": np.float64})
    for name, (bins, body) in QUERIES.items():
        (folder / f"{name}.py").write_text(HEAD.format(bins=bins) + body + "\n", "utf-8")


# What is given to hq-submit, its exit code, and texts that must stand on stderr in this order. Files are relative to the
# test's folder.
CASES = {
    "syntax": (["syntax.py", ZMUMU], 2, ["syntax.py:6:18: error: ", "    if event.M > > 3:\n", " " * 17 + "^"]),
    "never closed": (["unclosed.py", ZMUMU], 2, ["unclosed.py:6:14: error: '(' is never closed"]),
    "unknown column": (["column.py", ZMUMU], 2,
                       ["column.py:6:21: error: event.ptt1", "    mass.fill(event.ptt1)\n", " " * 20 + "^",
                        "hint: did you mean event.pt1?"]),
    "no bins": (["no_bins.py", ZMUMU], 2, ["no_bins.py:3:26: error: an axis needs at least one bin", "^"]),
    "no such query": (["missing.py", ZMUMU], 2, ["missing.py: No such file"]),
    "query is a folder": ([".", ZMUMU], 2, ["Is a directory"]),
    "query is binary": ([ZMUMU, ZMUMU], 2, ["zero byte"]),
    "query in another encoding": (["latin.py", ZMUMU], 2, ["latin.py:2: the text is not UTF-8 here"]),
    "no dataset": (["right.py"], 2, ["a query and a dataset are wanted", "--help"]),
    "unknown option": (["--nonsense", "right.py", ZMUMU], 2, ["--nonsense", "--help"]),
    "priority out of range": (["--priority", "1000", "right.py", ZMUMU], 2, ["--priority", "1000", "0 to 999"]),
    "priority no number": (["--priority", "high", "right.py", ZMUMU], 2, ["--priority", "high"]),
    "negative partitions": (["--partition-entries=-1", "right.py", ZMUMU], 2, ["--partition-entries"]),
    "no such file": (["right.py", "missing.root"], 1, ["/missing.root", "no such file"]),
    "glob without files": (["right.py", "missing-*.root"], 1, ["/missing-*.root", "no file matches"]),
    "no such dataset": (["right.py", "missing"], 1, ["missing", "--datasets"]),
    "text for ROOT": (["right.py", "text.root"], 1, ["/text.root: not a ROOT file"]),
    "empty file": (["right.py", "nothing.root"], 1, ["/nothing.root: not a ROOT file: it is empty"]),
    "truncated": (["right.py", "truncated.root"], 1, ["/truncated.root: truncated", "bytes"]),
    "truncated in its head": (["right.py", "head.root"], 1, ["/head.root"]),
    "one of several truncated": (["right.py", ZMUMU, "truncated.root"], 1, ["/truncated.root: truncated"]),
    "tree without entries": (["right.py", "no-entries.root"], 1, ["no entries", "/no-entries.root"]),
    "unknown tree": (["right.py", f"{ZMUMU}:missing"], 1, [f'{ZMUMU}: the file has no tree "missing"', "events"]),
    "column of one file only": (["right.py", ZMUMU, HZZ], 2, ["right.py:6:21: error: event.M"]),
    "index out of range": (["index.py", HZZ], 1, ["index.py:6", "entry 1 ", str(HZZ), "index 1 is out of range"]),
    "endless loop": (["endless.py", ZMUMU], 1, ["endless.py", "entries 0 to 2304", str(ZMUMU), "longer than the 3 s"]),
    "nowhere to write": (["-q", "right.py", ZMUMU, "--json", "missing/x.json"], 1, ["missing/x.json: No such file"]),
    "store of no kind": (["--local", "--store", "nonsense:x", "right.py", ZMUMU], 2, ["nonsense:x", "sqlite:"]),
    "attach to nonsense": (["--attach", "12"], 2, ["12", "hexadecimal"]),
}
CLUSTER_ONLY = {"attach to nonsense"}
REACHES_LOOP = {"index out of range", "endless loop"}


class Mixin:
    """All cases, by whatever way self.ask takes."""

    def check_all(self, ask, names):
        write_files(self.folder)
        for name in names:
            arguments, code, texts = CASES[name]
            with self.subTest(name):
                process = ask(arguments, name.replace(" ", "-"))
                self.assertEqual(code, process.wait(), process.stderr)
                self.assertEqual("", process.stdout)
                stderr = process.stderr
                at = 0
                for text in texts:
                    self.assertIn(text, stderr[at:])
                    at = stderr.index(text, at) + len(text)
                self.assertLess(stderr.count("\n"), 5, "a mistake is told once, in few lines")


class Local(Mixin, harness.SystemTest):
    def test_wrong_input(self):
        def ask(arguments, name):
            return self.start("hq-submit", "--local", "--store", "none", "--subtask-limit", "3s", *arguments, name=name)

        self.check_all(ask, [name for name in CASES if name not in CLUSTER_ONLY])
        right = ask(["right.py", ZMUMU], "right")
        self.assertEqual(0, right.wait())


class OnCluster(Mixin, harness.ClusterTest):
    def test_wrong_input(self):
        self.start_broker("--subtask-limit", "3s")
        self.start_workers(1)

        def ask(arguments, name):
            return self.start("hq-submit", "--coordinator", self.coordinator, "--timeout", "60s", *arguments, name=name)

        self.check_all(ask, CASES)
        # It is as if none of them had been: nothing is under way, and the next question is answered.
        harness.wait_until(lambda: self.status()["queries"] == 0, "no query under way")
        self.assert_nothing_pending()
        answer = self.submit("right.py", ZMUMU)
        self.assert_as_oracle(answer, harness.oracle_of(self.folder / "right.py", [f"{ZMUMU}:events"]))
        states = [entry["state"] for entry in self.done().values()]
        self.assertEqual(len(REACHES_LOOP), states.count("FAILED"))
        faults = {entry["code"] for entry in self.done().values() if entry["state"] == "FAILED"}
        self.assertEqual({"query", "timeout"}, faults)
        self.assertEqual(0, self.counters()["malformed"])

    def test_nonsense_on_the_wire(self):
        """docs/protocol.md, 2.1: what is malformed changes nothing and is answered, on both sides of the broker."""
        self.start_broker()
        self.start_workers(1)
        write_files(self.folder)
        empty = bson.encode({})
        nonsense = [
            ([b"x"], "protocol"),
            ([b"\x00" * 4, empty], "protocol"),
            ([b"hq\x02\x01"], "protocol"),  # SUBMIT without its document
            ([b"hq\x02\x01", empty], "protocol"),  # or with nothing in it
            ([b"hq\x02\x01", b"\xff\xff\xff\x7f" + bytes(64)], "protocol"),  # or with one that claims 2 GiB
            ([b"hq\x02\xff", empty], "protocol"),
            ([b"hq\x63\x04", bson.encode({"request": 1})], "mismatch"),
            ([b"hq\x02\x04", bson.encode({"request": 1})] + [b""] * 20, "protocol"),
        ]
        for frames, code in nonsense:
            with self.subTest(frames=frames):
                self.socket.send_multipart(frames)
                self.assertEqual(code, self.rejection(self.socket))
        self.assertEqual(len(nonsense), self.counters()["malformed"])
        back = self.connect(self.node(f"brokers/{self.children('brokers')[0]}")["back"])
        for frames, code in nonsense[:-2] + [([b"hq\x02\x20", empty], "protocol"), ([b"hq\x02\x22", empty], "notfound")]:
            with self.subTest(back=frames):
                back.send_multipart(frames)
                self.assertIn(self.rejection(back), {code, "notfound"})
        self.assertEqual(1, self.status()["workers"])
        self.submit("right.py", ZMUMU)

    def rejection(self, socket):
        """The code of the REJECTED that must come."""
        self.assertTrue(socket.poll(60000 * harness.SLOWER), "no answer")
        head, body = socket.recv_multipart()[:2]
        self.assertEqual(b"hq\x02\x14", head)
        return bson.decode(body)["code"]


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
