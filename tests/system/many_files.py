"""Data sets of very many files, each named: more than a command line takes, and more than a znode holds as they are."""

import json
import pathlib
import random
import shutil
import sys

import numpy

import harness
from harness import wait_until

sys.path.insert(0, str(harness.SOURCE / "tests" / "data"))
import ntuple_writer  # noqa: E402

FILES, NAME_BYTES = 20000, 120
QUERY = """\
from hist import Hist, axis

h = Hist(axis.Regular(10, 0, 10, name="x"))

for event in events:
    h.fill(event.x)
"""


def write_files(folder):
    """Files of one event each, x being 0 to 9 in turn, with names of NAME_BYTES that do not follow from one another."""
    one, generator = folder / "one.root", random.Random(1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    contents = []
    for x in range(10):
        pages = [[numpy.array([x], dtype=numpy.float32)]]
        ntuple_writer.File().write(one, [ntuple_writer.Field("x", "float")], [ntuple_writer.Column(ntuple_writer.REAL32, 0)],
                                   [[(0, 1, pages)]])
        contents.append(one.read_bytes())
    one.unlink()
    room = NAME_BYTES - len(f"{folder}/-.root")
    paths = []
    for i in range(FILES):
        path = folder / f"{generator.getrandbits(128):032x}-{'n' * (room - 32)}.root"
        path.write_bytes(contents[i % 10].replace(b"u" * 16, i.to_bytes(16, "big")))  # each its own UUID
        paths.append(path)
    return paths


class Mixin:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path.cwd() / cls.__name__ / "data"
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.paths = write_files(folder)
        cls.list = pathlib.Path.cwd() / cls.__name__ / "list.txt"
        cls.list.write_text("# one file a line\n" + "".join(f"{path}\n" for path in cls.paths), "utf-8")

    def setUp(self):
        super().setUp()
        self.query = self.folder / "query.py"
        self.query.write_text(QUERY, "utf-8")

    def assert_whole(self, answer):
        self.assertEqual(FILES, answer.metadata["hq_entries"])
        (hist,) = answer.hists.values()
        self.assertEqual([0, *[FILES // 10] * 10, 0], list(hist["storage"]["values"]))


class Local(Mixin, harness.SystemTest):
    def test_a_list_of_files(self):
        path = self.folder / "answer.json"
        process = self.start("hq-submit", "--local", "--store", "none", "--threads", 2, "--json", path, self.query,
                             f"@{self.list}")
        self.assert_whole(harness.Answer(self, process, path).wait(120))


class OnCluster(Mixin, harness.ClusterTest):
    def ctl(self, *arguments, stdin=None):
        process = self.start("hq-ctl", "--coordinator", self.coordinator, "--store", self.store, "--timeout", "60s",
                             "--store-timeout", "60s", *arguments, stdin=stdin)
        self.assertEqual(0, process.wait(), process.stderr)
        return process.stdout

    def test_a_list_of_files(self):
        """The names alone are more than a znode holds: they stand in the entry packed."""
        self.assertGreater(self.list.stat().st_size, 2 << 20)
        self.start_broker()
        answer = self.start_submit(self.query, f"@{self.list}")
        (name,) = wait_until(lambda: self.children("owned"), "the query in /owned", 120)
        entry = self.node(f"owned/{name}")
        self.assertEqual((str(self.query), 500, FILES), (entry["name"], entry["priority"], entry["subtasks"]))
        self.assertLess(len(entry["body"]), 1000000)
        self.assertNotIn("dataset", entry)
        self.start_worker(2)
        self.assert_whole(answer.wait(120))
        self.assert_successful(answer, FILES, FILES)
        self.assert_nothing_pending()
        self.assertEqual(0, self.database.bodies.count_documents({}))

    def test_a_named_dataset(self):
        self.start_broker()
        self.start_worker(2)
        with open(self.list, "rb") as names:
            self.assertIn(f"{FILES} files", self.ctl("datasets", "add", "many", "@-", stdin=names))
        self.assertEqual(FILES, len(self.ctl("datasets", "show", "many").splitlines()))
        (told,) = json.loads(self.ctl("datasets", "--json"))
        self.assertEqual([str(path) for path in self.paths], told["files"])
        answer = self.submit(self.query, "many", seconds=120)
        self.assert_whole(answer)
        self.assert_successful(answer, FILES, FILES)

    def test_names_that_no_znode_holds(self):
        """Then the body is in the store, and the entry names it."""
        self.start_broker()
        self.start_worker(1)
        generator = random.Random(2)
        nowhere = self.folder / "nowhere.txt"
        nowhere.write_text("".join(f"/nowhere/{generator.getrandbits(120):030x}{generator.getrandbits(120):030x}.root\n"
                                   for _ in range(60000)) + f"{self.paths[3]}\n", "utf-8")
        answer = self.submit(self.query, "--skip-bad-files", f"@{nowhere}", seconds=120)
        self.assertEqual((1, 60000), (answer.metadata["hq_entries"], answer.metadata["hq_left_out_count"]))
        (body,) = self.database.bodies.find({})
        self.assertGreater(len(body["bytes"]), 1000000)
        self.assertIn("expires", body)
        self.assertIn("requests of very many files: 1, ", self.ctl("stored"))
        self.assertEqual({"documents": 1, "bytes": body["size"]}, json.loads(self.ctl("stored", "--json"))["requests"])
        # Nobody keeps it without a store: then the query is refused before anything is computed.
        before = self.counters()["subtasks"]
        self.end_all()
        self.start("hq-broker", "--front", "tcp://127.0.0.1:*", "--back", "tcp://127.0.0.1:*", "--coordinator",
                   f"{self.coordinator}-2", "--store", "none")
        self.space += "-2"
        wait_until(lambda: self.children("brokers"), "the broker without a store in /brokers")
        refused = self.start("hq-submit", "--coordinator", f"{self.coordinator}-2", "--timeout", "60s", self.query,
                             "--skip-bad-files", f"@{nowhere}")
        self.assertEqual(1, refused.wait(120), refused.stderr)
        self.assertIn("use globs, or give the list a name with hq-ctl datasets add", refused.stderr)
        self.assertEqual(1, before)

    def test_wrong_lists(self):
        for name, content, text in (("empty", b"\n# nothing\n", "no file is named in it"), ("zero", b"a\0b\n", "zero byte"),
                                    ("none", None, "No such file"), ("many", b"/x.root\n" * 100001, "at most 100000")):
            path = self.folder / name
            if content is not None:
                path.write_bytes(content)
            process = self.start("hq-submit", self.query, f"@{path}")
            self.assertEqual(2, process.wait())
            self.assertIn(text, process.stderr)


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
