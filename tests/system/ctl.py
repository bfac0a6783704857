"""hq-ctl on real servers: what it tells of a cluster, and what it has done there."""

import json
import os
import pathlib
import pty
import signal

import events
import harness
from harness import wait_until

HEAVY = 8000


class Ctl(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path.cwd() / "data"
        cls.paths = events.write_files(folder)
        cls.expected = events.Expected(folder, cls.paths)

    # --- hq-ctl ---

    def start_ctl(self, *arguments, **more):
        return self.start("hq-ctl", "--coordinator", self.coordinator, *arguments, **more)

    def ctl(self, *arguments, code=0):
        process = self.start_ctl(*arguments)
        self.assertEqual(code, process.wait(), process.stderr)
        return process

    def ctl_json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json").stdout)

    def workers(self):
        return self.ctl_json("status")["workers"]

    # --- queries ---

    def start_query(self, work=HEAVY, name="query.py", **options):
        query = events.write_query(self.folder / name, work=work, **options)
        return self.start_submit(query, *(f"{path}:events" for path in self.paths), *events.PARTITIONS)

    def under_way(self, least=0.05, most=0.8):
        self.wait_for_counter("subtasks", least * events.SUBTASKS)
        self.assertLess(self.counters()["subtasks"], most * events.SUBTASKS, "the query is too quick for this test")

    def finish(self, answer):
        """It is right, and every subtask was counted once."""
        answer.wait()
        self.assert_as_oracle(answer, self.expected())
        self.assert_successful(answer, events.ENTRIES, events.SUBTASKS)
        self.assertEqual(events.SUBTASKS, self.counters()["subtasks"])

    # --- status ---

    def test_status_shows_workers_and_progress(self):
        self.start_broker()
        self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        told = self.ctl_json("status")
        (broker,), workers, (query,) = told["brokers"], told["workers"], told["queries"]
        self.assertEqual((True, 2, 2, 1), (broker["answers"], broker["workers"], broker["slots"], broker["queries"]))
        self.assertEqual([broker["broker"]], self.children("brokers"))
        self.assertEqual(sorted(self.children("workers")), sorted(worker["worker"] for worker in workers))
        for worker in workers:
            self.assertEqual((1, 64 << 20, False), (worker["slots"], worker["memory"], worker["draining"]))
            self.assertGreater(worker["done"], 0)
        self.assertEqual("RUNNING", query["state"])
        self.assertEqual((events.SUBTASKS, events.FILES, events.ENTRIES),
                         (query["subtasks"], query["files"], query["entries_total"]))
        self.assertGreater(query["done"], 0)
        self.assertLess(query["done"], events.SUBTASKS)
        self.assertGreater(query["under_way"], 0)
        self.assertEqual(broker["broker"], query["broker"])
        self.assertTrue(query["dataset"].endswith("zmumu-00.root:events"), query["dataset"])

        table = self.ctl("status").stdout
        self.assertIn(query["query"][:8], table)
        self.assertIn("2 workers, ", table)
        self.assertIn(f"and {events.FILES - 1} more", table)
        self.assertIn(query["query"][:8], self.ctl("queries").stdout)
        more = self.ctl_json("queries")["running"]
        self.assertGreaterEqual(more[0]["done"], query["done"])
        self.finish(answer)
        after = self.ctl_json("status")
        self.assertEqual([], after["queries"])
        self.assertEqual(events.SUBTASKS, sum(worker["done"] for worker in after["workers"]))

    def test_watch_tells_again_and_again_until_it_is_interrupted(self):
        self.start_broker()
        watching = self.start_ctl("status", "--watch", "--json", "--interval", "100ms")
        wait_until(lambda: "\n" in watching.stdout, "a line that tells of nobody")
        self.start_workers(1)
        wait_until(lambda: '"workers":[{' in watching.stdout, "a line that tells of the worker")
        watching.signal(signal.SIGINT)
        self.assertEqual(0, watching.wait())
        lines = [json.loads(line) for line in watching.stdout.splitlines()]
        self.assertEqual([], lines[0]["workers"])
        self.assertEqual(1, len(lines[-1]["workers"]))

    def test_nobody_there(self):
        stderr = self.ctl("status", "--timeout", "2s", code=3).stderr
        self.assertIn("no broker is registered at " + self.coordinator, stderr)
        stderr = self.ctl("status", "--broker", "tcp://127.0.0.1:1", "--timeout", "300ms", code=3).stderr
        self.assertIn("no broker answers at tcp://127.0.0.1:1", stderr)

    def test_a_hung_broker_does_not_hide_the_others(self):
        hung = self.start_broker()
        other = self.start_second_broker()
        hung.signal(signal.SIGSTOP)
        told = self.ctl_json("status", "--timeout", "1s")
        self.assertEqual([False, True], sorted(broker["answers"] for broker in told["brokers"]))
        self.assertIn("does not answer", self.ctl("status", "--timeout", "1s").stdout)
        hung.signal(signal.SIGCONT)
        self.assertTrue(other.is_running())

    def start_second_broker(self):
        before = len(self.children("brokers"))
        broker = self.start("hq-broker", "--front", "tcp://127.0.0.1:*", "--back", "tcp://127.0.0.1:*",
                            "--coordinator", self.coordinator, "--session", "4s", "--lease", self.LEASE,
                            "--store", self.store, "--store-timeout", "2s")
        wait_until(lambda: len(self.children("brokers")) == before + 1, "the second broker in /brokers")
        return broker

    # --- cancel ---

    def test_cancel(self):
        self.start_broker()
        self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        (query,) = self.ctl_json("queries")["running"]
        stdout = self.ctl("cancel", query["query"][:6], "--user", "operator").stdout
        self.assertIn(query["query"], stdout)
        answer.wait(code=130)
        self.assertIn("cancelled by operator", answer.process.stderr)
        wait_until(lambda: self.status()["queries"] == 0, "the broker is rid of the query")
        self.assertEqual("CANCELLED", self.done()[query["query"]]["state"])
        for unknown in query["query"], "ffff", "0123456789abcdef" * 2:
            stderr = self.ctl("cancel", unknown, code=1).stderr
            self.assertIn(f"{unknown}: no such query is under way", stderr)
        self.assert_nothing_pending()

    # --- workers come and go ---

    def test_drain_while_a_query_runs(self):
        self.start_broker()
        drained, staying = self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        before = {worker["worker"] for worker in self.workers()}
        (leaving,) = [identity for identity in before if f"worker {identity}" in drained.stderr
                      or f"{identity} works for" in drained.stderr]
        stdout = self.ctl("drain", leaving[:10], "--wait").stdout
        self.assertIn(f"worker {leaving} drains", stdout)
        self.assertIn(f"worker {leaving} has left", stdout)
        self.assertEqual(0, drained.wait())
        self.assertTrue(staying.is_running())
        self.finish(answer)
        counters = self.counters()
        self.assertEqual((0, 0), (counters["workers_lost"], counters["duplicates"]))
        self.assertEqual(before - {leaving}, {worker["worker"] for worker in self.workers()})
        stderr = self.ctl("drain", leaving, code=1).stderr
        self.assertIn("no such worker", stderr)
        self.assertIn("no such worker", self.ctl("drain", "nowhere.example", code=1).stderr)

    def test_drain_leaves_all_brokers(self):
        self.start_broker()
        self.start_second_broker()
        worker = self.start_worker()
        wait_until(lambda: all(broker["workers"] == 1 for broker in self.ctl_json("status")["brokers"]),
                   "the worker at both brokers")
        (told,) = self.workers()  # once, though it works for two
        self.ctl("drain", told["host"], "--wait")
        self.assertEqual(0, worker.wait())
        self.assertEqual([0, 0], [broker["workers"] for broker in self.ctl_json("status")["brokers"]])
        self.assertEqual([], self.workers())

    def test_ambiguous_worker(self):
        self.start_broker()
        self.start_workers(2)
        host = self.workers()[0]["host"]
        stderr = self.ctl("drain", host, code=2).stderr
        self.assertIn("2 workers fit: ", stderr)
        self.assertEqual(2, self.status()["workers"])

    def test_worker_that_joins_gets_work(self):
        self.start_broker()
        self.start_workers(1)
        first = {worker["worker"] for worker in self.workers()}
        answer = self.start_query()
        self.under_way(most=0.5)
        self.start_worker()
        late = wait_until(lambda: [worker for worker in self.workers() if worker["worker"] not in first
                                   and worker["done"] > 0], "a subtask done by the worker that joined")
        self.assertTrue(answer.process.is_running())
        self.assertLess(late[0]["age_ms"], 10000 * harness.SLOWER)
        self.finish(answer)

    # --- init ---

    def test_init_and_wipe(self):
        self.assertIsNone(self.open_tree().exists(f"/{self.space}"))
        self.ctl("init")
        self.assertEqual({"brokers", "workers", "unowned", "owned", "done"}, set(self.open_tree().get_children(f"/{self.space}")))
        self.ctl("init")
        broker = self.start_broker()
        self.start_workers(1)
        answer = self.start_query(work=1).wait()
        self.assertEqual(1, len(self.done()))
        stderr = self.ctl("init", "--wipe", "--yes", code=1).stderr
        self.assertIn("1 brokers and 1 workers are alive", stderr)
        self.assertEqual(1, len(self.done()))
        for process in reversed(self.processes):
            if process.is_running():
                self.assertEqual(0, process.end())
        self.assertIn("say --yes", self.ctl("init", "--wipe", code=1).stderr)
        self.assertIsNotNone(self.open_tree().exists(f"/{self.space}/done"))
        self.assertFalse(broker.is_running())

        self.assertEqual("n", self.answer_question("n", "init", "--wipe", code=1))
        self.assertIsNotNone(self.open_tree().exists(f"/{self.space}/done"))
        self.answer_question("y", "init", "--wipe")
        self.assertIsNone(self.open_tree().exists(f"/{self.space}"))
        self.assertIsNotNone(answer.metadata)

    def answer_question(self, reply, *arguments, code=0):
        ours, theirs = pty.openpty()
        process = self.start_ctl(*arguments, stdin=theirs)
        os.close(theirs)
        wait_until(lambda: "[y/N]" in process.stderr, "the question")
        os.write(ours, f"{reply}\n".encode())
        self.assertEqual(code, process.wait(), process.stderr)
        os.close(ours)
        return reply

    # --- what a person can get wrong ---

    def test_wrong_use(self):
        for arguments, text in ((["nonsense"], 'there is no command "nonsense"'), ([], "a command is wanted"),
                                (["cancel"], "hq-ctl cancel ID"), (["status", "more"], "hq-ctl status"),
                                (["status", "--interval", "1ms"], "--interval")):
            self.assertIn(text, self.ctl(*arguments, code=2).stderr)
        process = self.start("hq-ctl", "--coordinator", "nonsense", "status")
        self.assertEqual(2, process.wait())
        self.assertIn("it must look like zk:", process.stderr)


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
