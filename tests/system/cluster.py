"""A cluster on real servers: one broker, workers, clients. Every answer equals what CPython gives, whatever happens."""

import os
import pathlib
import pty
import signal

import events
import harness
from harness import wait_until

HEAVY = 12000  # rounds of the inner loop: a query takes seconds


class Cluster(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path.cwd() / "data"
        cls.paths = events.write_files(folder)
        cls.expected = events.Expected(folder, cls.paths)

    @property
    def whole(self):
        """The data set, cut into as many subtasks as it has baskets."""
        return (f"{self.paths[0].parent}/zmumu-*.root:events", *events.PARTITIONS)

    @property
    def some(self):
        """The first two of its files, for a second question."""
        return (*(f"{path}:events" for path in self.paths[:2]), *events.PARTITIONS)

    def query(self, name="query.py", **options):
        return events.write_query(self.folder / name, **options)

    def wait_until_under_way(self, part=0.1, of=events.SUBTASKS):
        """That part of a first query is computed, and not nearly all of it."""
        self.wait_for_counter("subtasks", part * of)
        self.assertLess(self.counters()["subtasks"], 0.8 * of, "the query is too quick for this test")

    def test_worker_killed_in_the_middle(self):
        self.start_broker()
        workers = self.start_workers(3)
        query = self.query(work=HEAVY)
        answer = self.start_submit(query, *self.whole)
        self.wait_until_under_way()
        workers[1].kill()
        self.assertTrue(answer.process.is_running())
        answer.wait()

        # Others may have done what it had, as stragglers, before it is missed.
        self.wait_for_counter("workers_lost", 1)
        counters = self.counters()
        self.assertEqual((2, 1), (self.status()["workers"], counters["workers_lost"]))
        self.assertEqual(events.SUBTASKS, counters["subtasks"], "each subtask is counted once")
        self.assert_as_oracle(answer, self.expected())
        self.assert_successful(answer, events.ENTRIES, events.SUBTASKS)
        self.assert_nothing_pending()
        self.assertFalse(answer.metadata["hq_from_store"])

        # The same sums in the same order on one machine, without any of that: bit for bit.
        local = self.submit_local(self.query("light.py", work=1))
        self.assertEqual(local.contents, answer.contents)

        self.answered_without_computing(query, answer)
        respelled = self.folder / "respelled.py"
        respelled.write_text("# The same in other words.\n" + query.read_text("utf-8").replace("energy", "e")
                             .replace("for event in events", "for collision in  events").replace("event.", "collision.")
                             .replace("for i in", "for number in").replace("sin(i +", "sin(number +"), "utf-8")
        self.answered_without_computing(respelled, answer)

    def submit_local(self, query):
        path = self.folder / "local.json"
        process = self.start("hq-submit", "--local", "--store", "none", "--json", path, query, *self.whole, name="local")
        return harness.Answer(self, process, path).wait()

    def answered_without_computing(self, query, before):
        counters, done = self.counters(), self.done()
        answer = self.submit(query, *self.whole)
        self.assertTrue(answer.metadata["hq_from_store"])
        self.assertEqual(1, answer.metadata["hq_stored_share"])
        self.assertEqual(before.contents, answer.contents)
        after = self.counters()
        self.assertEqual((counters["subtasks"], counters["from_store"] + 1), (after["subtasks"], after["from_store"]))
        self.assertEqual(done, self.done())

    def test_partials_are_computed_once(self):
        """A data set that has grown: only what is new is computed."""
        self.start_broker()
        self.start_workers(2)
        query = self.query(work=2000)
        answer = self.submit(query, *self.some)
        self.assert_successful(answer, 2 * events.FILE_ENTRIES, 2 * events.BASKETS)
        answer = self.submit(query, *self.whole)
        self.assertAlmostEqual(2 / events.FILES, answer.metadata["hq_stored_share"])
        self.assertFalse(answer.metadata["hq_from_store"])
        self.assertEqual(events.SUBTASKS, self.counters()["subtasks"])
        self.assert_as_oracle(answer, self.expected())

    def test_same_query_twice_at_once(self):
        self.start_broker()
        query = self.query(work=4000)
        answers = [self.start_submit(query, *self.whole) for _ in range(2)]
        self.wait_for_counter("joined", 1)
        self.start_workers(2)
        for answer in answers:
            answer.wait()
            self.assert_as_oracle(answer, self.expected())
        counters = self.counters()
        self.assertEqual((1, events.SUBTASKS), (counters["joined"], counters["subtasks"]))
        self.assertEqual(answers[0].metadata["hq_query"], answers[1].metadata["hq_query"])
        self.assertEqual(1, len(self.done()))
        self.assert_nothing_pending()

    def test_several_clients(self):
        self.start_broker()
        self.start_workers(2)
        bins = (12, 30, 60, 120)
        answers = [self.start_submit(self.query(f"bins-{n}.py", work=200, bins=n), *self.some, "--user", f"user{n % 3}",
                                     "--priority", 100 + n)
                   for n in bins]
        for n, answer in zip(bins, answers):
            answer.wait()
            self.assert_as_oracle(answer, self.expected(n, files=2))
            self.assert_successful(answer, 2 * events.FILE_ENTRIES, 2 * events.BASKETS)
        self.assertEqual(len(bins), len({answer.metadata["hq_query"] for answer in answers}))
        self.assertEqual(len(bins) * 2 * events.BASKETS, self.counters()["subtasks"])
        self.assert_nothing_pending()

    def test_interrupt_cancels_on_the_cluster(self):
        self.start_broker()
        self.start_workers(2)
        answer = self.start_submit(self.query(work=HEAVY), *self.whole)
        self.wait_until_under_way(part=0.05)
        answer.process.signal(signal.SIGINT)
        answer.wait(code=130)
        wait_until(lambda: self.status()["queries"] == 0, "the broker is rid of the query")
        (entry,) = self.done().values()
        self.assertEqual("CANCELLED", entry["state"])
        self.assert_nothing_pending()
        self.assertEqual(1, self.counters()["cancelled"])
        self.assertIsNone(self.database.results.find_one())
        # The cluster is free for the next, and what was computed is of use.
        answer = self.submit(self.query("next.py", work=1, bins=30), *self.some)
        self.assert_as_oracle(answer, self.expected(30, files=2))

    def test_interrupt_of_one_of_two_leaves_the_query(self):
        self.start_broker()
        query = self.query(work=HEAVY)
        leaving, staying = [self.start_submit(query, *self.whole) for _ in range(2)]
        self.wait_for_counter("joined", 1)
        self.start_workers(2)
        self.wait_until_under_way(part=0.05)
        leaving.process.signal(signal.SIGINT)
        leaving.wait(code=130)
        staying.wait()
        self.assert_as_oracle(staying, self.expected())
        self.assert_successful(staying, events.ENTRIES, events.SUBTASKS)

    def test_client_killed_leaves_the_query(self):
        """A client that merely vanishes: the query runs on, another client can watch it, and the result is kept."""
        self.start_broker()
        self.start_workers(2)
        query = self.query(work=HEAVY)
        gone = self.start_submit(query, *self.whole)
        self.wait_until_under_way(part=0.05)
        gone.process.kill()
        (entry,) = self.children("owned")
        watching = self.start_attach(harness.id_of(entry)).wait()
        self.assert_as_oracle(watching, self.expected())
        self.assert_successful(watching, events.ENTRIES, events.SUBTASKS)
        self.answered_without_computing(query, watching)
        late = self.start_attach(harness.id_of(entry)).wait(code=1)
        self.assertIn("no such query is under way", late.process.stderr)

    def is_computed_first(self, name, other):
        """Whether a query is still computed; little of the other one may be done then, as much as was on its way."""
        done = {pathlib.Path(query["name"]).name: query["done"] for query in self.status()["query_list"]}
        under_way = name in done and done[name] < 2 * events.BASKETS
        self.assertFalse(under_way and done[other] > events.BASKETS, f"both were computed side by side: {done}")
        return under_way

    def test_urgent_query_goes_first(self):
        self.start_broker()
        later = self.start_submit(self.query("later.py", work=2 * HEAVY), *self.some, "--priority", 900)
        wait_until(lambda: len(self.children("owned")) == 1, "the first query in /owned")
        urgent = self.start_submit(self.query("urgent.py", work=2 * HEAVY, bins=30), *self.some, "--priority", 0)
        wait_until(lambda: len(self.children("owned")) == 2, "the second query in /owned")
        self.start_worker()
        # Seen from the broker, which tells of both at one time: a client that has its answer comes too late to look.
        wait_until(lambda: not self.is_computed_first("urgent.py", "later.py"), "the urgent query is through")
        urgent.wait()
        self.assert_as_oracle(urgent, self.expected(30, files=2))
        later.wait()
        self.assert_as_oracle(later, self.expected(files=2))

    def test_progress_on_a_terminal(self):
        """A progress line on a terminal, while it is computed; nothing on stderr where there is none."""
        self.start_broker()
        self.start_workers(2)
        ours, theirs = pty.openpty()
        watched = self.start_submit(self.query(work=4000), *self.whole, terminal=theirs)
        os.close(theirs)
        shown = b""
        try:
            while True:
                shown += os.read(ours, 65536)
        except OSError:  # EIO: nobody has the other end open any more
            os.close(ours)
        watched.wait()
        text = shown.decode("utf-8", "replace")
        self.assertIn(f"/{events.SUBTASKS}", text.replace(" ", "").replace(",", ""))
        self.assertIn("dimuon mass [GeV]", text)
        silent = self.submit(self.query(work=1), *self.whole, "--fresh")
        self.assertEqual("", silent.process.stderr)
        self.assertIn("dimuon mass [GeV]", silent.process.stdout)
        self.assertEqual(silent.contents, watched.contents, "to be watched changes the result")


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
