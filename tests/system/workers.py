"""Workers that come, go, hang and drain while a query runs."""

import pathlib
import re
import signal

import bson

import events
import harness
from harness import wait_until

HEAVY = 8000


class Workers(harness.ClusterTest):
    LEASE = "2s"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path.cwd() / "data"
        cls.paths = events.write_files(folder)
        cls.expected = events.Expected(folder, cls.paths)

    def start_query(self, work=HEAVY):
        query = events.write_query(self.folder / "query.py", work=work)
        return self.start_submit(query, *(f"{path}:events" for path in self.paths), *events.PARTITIONS)

    def finish(self, answer):
        """It is right, and every subtask was counted once."""
        answer.wait()
        self.assert_as_oracle(answer, self.expected())
        self.assert_successful(answer, events.ENTRIES, events.SUBTASKS)
        self.assert_nothing_pending()
        self.assertEqual(events.SUBTASKS, self.counters()["subtasks"])

    def under_way(self, least=0.1, most=0.8):
        self.wait_for_counter("subtasks", least * events.SUBTASKS)
        self.assertLess(self.counters()["subtasks"], most * events.SUBTASKS, "the query is too quick for this test")

    def test_hung_worker_is_given_up_and_comes_back(self):
        self.start_broker()
        hung, _ = self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        hung.signal(signal.SIGSTOP)
        self.wait_for_counter("workers_lost", 1)
        self.assertEqual(1, self.status()["workers"])
        hung.signal(signal.SIGCONT)
        wait_until(lambda: self.status()["workers"] == 2, "the worker comes back")
        self.finish(answer)

    def test_hung_worker_answers_late(self):
        """It wakes up after the end, and what it then sends of a query that is over does no harm."""
        self.start_broker()
        hung, _ = self.start_workers(2)
        answer = self.start_query(work=HEAVY // 2)
        self.under_way(least=0.02)
        hung.signal(signal.SIGSTOP)
        self.finish(answer)
        hung.signal(signal.SIGCONT)
        wait_until(lambda: self.status()["workers"] == 2, "the worker comes back")
        self.assertEqual(0, self.counters()["malformed"])

    def test_worker_that_joins_in_the_middle_gets_work(self):
        self.start_broker()
        self.start_workers(1)
        answer = self.start_query(work=3 * HEAVY)
        (first,) = self.status()["worker_list"]
        self.under_way(most=0.5)
        self.start_worker()
        wait_until(lambda: [worker for worker in self.status()["worker_list"]
                            if worker["worker"] != first["worker"] and worker["done"] > 0],
                   "a subtask done by the worker that joined")
        self.assertEqual(1, self.status()["queries"], "and not one that was left over at the end")
        self.finish(answer)

    def test_drained_worker_finishes_what_it_has(self):
        broker = self.start_broker("--lease", "20s")
        drained, _ = self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        self.assertEqual(0, drained.end())
        self.finish(answer)
        self.assertEqual(1, self.status()["workers"])
        self.assertLess(broker.stderr.index("leaves: its"), broker.stderr.index("SUCCESSFUL"), "it left at the end only")
        self.assertEqual(0, self.counters()["workers_lost"])
        # What was on its way to it when it said so may come too late.
        had = int(re.search(r"draining: (\d+) subtasks", drained.stderr).group(1))
        left = int(re.search(r"leaves: its (\d+) subtasks", broker.stderr).group(1))
        if had >= 4:  # on a busy machine it may have had next to nothing just then, and as much on its way
            self.assertLess(left, had)

    def test_answers_that_come_twice(self):
        """A worker that speaks docs/protocol.md and answers all it is given twice: each subtask is counted once."""
        broker = self.start_broker("--lease", "60s")  # it says nothing while it waits
        query = self.folder / "query.py"
        query.write_text("from hist import Hist, axis\n\nh = Hist(axis.Regular(1, 0, 2))\n\n"
                         "for event in events:\n    h.fill(1)\n", "utf-8")
        answer = self.start_submit(query, "empty:100")
        wait_until(lambda: self.children("owned"), "the query in /owned")
        (broker_id,) = self.children("brokers")
        socket = self.connect(self.node(f"brokers/{broker_id}")["back"])
        socket.send_multipart([b"hq\x02\x20", bson.encode({
            "worker": "0123456789abcdef" * 2, "host": "elsewhere", "version": "0", "slots": 1, "memory": bson.Int64(0),
            "credit": 8})])
        counted = 0
        while counted < 100:
            self.assertTrue(socket.poll(60000 * harness.SLOWER), f"no orders after {counted} answers")
            head, body, *payload = socket.recv_multipart()
            if head != b"hq\x02\x32":  # SUBTASKS; the others are WELCOME and QUERY
                continue
            orders = [payload[0][at:at + 28] for at in range(0, len(payload[0]), 28)]
            self.assertLessEqual(len(orders), 8, "more than its credit")
            # Handle and index of the order; done; no entries, no bytes, no contents.
            answers = b"".join(2 * (order[:8] + bytes(38)) for order in orders)
            socket.send_multipart([b"hq\x02\x22", bson.encode({"credit": 8}), answers, b""])
            counted += len(orders)
        answer.wait()
        self.assertEqual((0, 100), (answer.metadata["hq_entries"], answer.metadata["hq_subtasks"]))
        counters = self.counters()
        self.assertEqual((100, 99), (counters["subtasks"], counters["duplicates"]))  # the last comes after the end
        self.assertEqual(0, counters["malformed"], broker.stderr)

    def columns_of(self, worker):
        """Where a worker that has ended had its columns from: memory, the cache directory, their files."""
        found = re.search(r"(\d+) were in memory, (\d+) in the cache directory, (\d+) in their files", worker.stderr)
        return tuple(map(int, found.groups()))

    def test_cache_directory_outlives_its_worker(self):
        self.start_broker()
        folder = self.folder / "columns"
        query = events.write_query(self.folder / "query.py", work=1)
        asked = [query, *(f"{path}:events" for path in self.paths), *events.PARTITIONS, "--fresh"]
        first = self.start_worker(arguments=["--cache-dir", folder])
        self.assert_as_oracle(self.submit(*asked), self.expected())
        self.assertEqual(0, first.end())
        memory, directory, read = self.columns_of(first)
        self.assertEqual(0, directory)
        self.assertGreaterEqual(read, events.SUBTASKS)
        self.assertEqual(read, len(list(folder.glob("*.hqcolumn1"))))
        damaged = sorted(folder.glob("*.hqcolumn1"))[:3]
        for path in damaged:
            whole = path.read_bytes()
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        second = self.start_worker(arguments=["--cache-dir", folder])
        self.assert_as_oracle(self.submit(*asked), self.expected())
        self.assertEqual(0, second.end())
        _, directory, again = self.columns_of(second)
        self.assertEqual((read - len(damaged), len(damaged)), (directory, again))
        self.assertIn("damaged, and deleted", second.stderr)

    def test_two_workers_share_a_full_cache_directory(self):
        self.start_broker()
        folder = self.folder / "columns"
        query = events.write_query(self.folder / "query.py", work=1)
        asked = [query, *(f"{path}:events" for path in self.paths), *events.PARTITIONS, "--fresh"]
        small = ["--cache-dir", folder, "--cache-dir-size", "50K", "--memory", "100K"]
        workers = [self.start_worker(arguments=small) for _ in range(2)]
        for _ in range(3):
            self.assert_as_oracle(self.submit(*asked), self.expected())
        for worker in workers:
            self.assertEqual(0, worker.end())
            self.assertNotIn("damaged", worker.stderr)
        self.assertLessEqual(sum(path.stat().st_size for path in folder.iterdir()), 100 << 10)

    def test_query_waits_for_the_first_worker(self):
        self.start_broker()
        answer = self.start_query(work=1)
        wait_until(lambda: "no workers" in answer.process.stderr, "hq-submit says that there are no workers")
        wait_until(lambda: self.children("owned"), "the query in /owned")
        self.assertTrue(answer.process.is_running())
        self.start_worker()
        self.finish(answer)

    def test_all_workers_killed_and_replaced(self):
        self.start_broker()
        workers = self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        for worker in workers:
            worker.kill()
        self.wait_for_counter("workers_lost", 2)
        self.start_worker()
        self.finish(answer)


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
