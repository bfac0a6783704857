"""Workers that come, go, hang and drain while a query runs."""

import pathlib
import signal

import events
import harness
from harness import wait_until

HEAVY = 8000


class Workers(harness.ClusterTest):
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
        answer = self.start_query()
        self.under_way(most=0.5)
        late = self.start_worker()
        wait_until(lambda: self.status()["workers"] == 2, "the second worker")
        idle = late.cpu_seconds()
        self.finish(answer)
        self.assertGreater(late.cpu_seconds() - idle, 0.2)

    def test_drained_worker_finishes_what_it_has(self):
        self.start_broker()
        drained, _ = self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        self.assertEqual(0, drained.end())
        self.assertTrue(answer.process.is_running())
        self.finish(answer)
        self.assertEqual(1, self.status()["workers"])
        self.assertEqual(0, self.counters()["workers_lost"])

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
