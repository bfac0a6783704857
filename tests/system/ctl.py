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
VERY_HEAVY = 20 * HEAVY  # many calls of hq-ctl, and then cancelled


class Ctl(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path.cwd() / "data"
        cls.paths = events.write_files(folder)
        cls.expected = events.Expected(folder, cls.paths)

    # --- hq-ctl ---

    def start_ctl(self, *arguments, **more):
        return self.start("hq-ctl", "--coordinator", self.coordinator, "--store", self.store, "--timeout", "60s",
                          "--store-timeout", "60s", *arguments, **more)

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

    def cancel(self, answer):
        """Of a query that is too long to be waited for."""
        answer.process.signal(signal.SIGINT)
        answer.wait(code=130)

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
        self.finish(self.start_query(work=2000))
        before = self.ctl_json("status")
        self.assertEqual([], before["queries"])
        # A straggler may have been given to both.
        done = sum(worker["done"] for worker in before["workers"])
        self.assertIn(done - events.SUBTASKS, range(before["brokers"][0]["counters"]["stragglers"] + 1))

        answer = self.start_query(work=VERY_HEAVY)
        wait_until(lambda: self.status()["query_list"] and all(worker["done"] > 0 for worker in self.status()["worker_list"])
                   and self.status()["query_list"][0]["done"] > 0, "a subtask done by each worker")
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
        self.cancel(answer)

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
        stderr = self.ctl("status", code=3).stderr  # told at once, by a coordinator that answers
        self.assertIn("no broker is registered at " + self.coordinator, stderr)
        stderr = self.ctl("status", "--broker", "tcp://127.0.0.1:1", "--timeout", "300ms", code=3).stderr
        self.assertIn("no broker answers at tcp://127.0.0.1:1", stderr)

    def test_a_hung_broker_does_not_hide_the_others(self):
        hung = self.start_broker()
        other = self.start_second_broker()

        def ask(*arguments):
            """While it hangs, which is shorter than its session, as it would not be registered any more then."""
            hung.signal(signal.SIGSTOP)
            stdout = self.ctl("status", "--timeout", "3s", *arguments).stdout
            hung.signal(signal.SIGCONT)
            wait_until(lambda: self.status() and len(self.children("brokers")) == 2, "the broker that hung is back")
            return stdout

        told = json.loads(ask("--json"))
        self.assertEqual([False, True], sorted(broker["answers"] for broker in told["brokers"]))
        self.assertIn("does not answer", ask())
        self.assertTrue(other.is_running())

    def start_second_broker(self):
        before = len(self.children("brokers"))
        broker = self.start_hq_broker()
        wait_until(lambda: len(self.children("brokers")) == before + 1, "the second broker in /brokers")
        return broker

    # --- cancel ---

    def test_cancel(self):
        self.start_broker()
        self.start_workers(2)
        answer = self.start_query(work=VERY_HEAVY)
        wait_until(lambda: self.counters()["subtasks"] > 0, "a subtask that is done")
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
        self.assertEqual(0, self.counters()["workers_lost"])
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
        wait_until(lambda: [0, 0] == [broker["workers"] for broker in self.ctl_json("status")["brokers"]],
                   "the worker gone from both brokers")
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
        (first,) = self.workers()
        answer = self.start_query(work=VERY_HEAVY)
        self.start_worker()
        late = wait_until(lambda: [worker for worker in self.workers() if worker["worker"] != first["worker"]
                                   and worker["done"] > 0], "a subtask done by the worker that joined")
        self.assertTrue(answer.process.is_running())
        (before,) = [worker for worker in self.workers() if worker["worker"] == first["worker"]]
        self.assertLess(late[0]["age_ms"], before["age_ms"])
        self.cancel(answer)

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
        self.assertIn("1 broker and 1 worker are alive", stderr)
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

    # --- queries that are done ---

    def finished(self, *options, code=0):
        process = self.start_ctl("queries", "--json", *options)
        self.assertEqual(code, process.wait(), process.stderr)
        return json.loads(process.stdout)["finished"]

    def test_what_is_done_outlives_the_broker_and_the_journal(self):
        broker = self.start_broker("--keep", "2h")
        self.start_workers(1)
        asked = [self.ask(*self.some, name=f"done-{bins}.py", bins=bins).metadata["hq_query"] for bins in (20, 30, 40)]
        self.ask(*self.some, name="done-40.py", bins=40)  # of the journal alone: nothing was computed
        wait_until(lambda: self.database.queries.count_documents({}) == 4, "the journal")
        told = self.finished()
        self.assertEqual(sorted(asked), sorted(entry["query"] for entry in told[1:]))
        self.assertEqual(asked[::-1], [entry["query"] for entry in told[1:]], "the newest first")
        self.assertEqual([2], sorted({entry["specs"] for entry in told}))
        self.assertEqual(told[0]["fingerprint"], told[1]["fingerprint"])

        self.assertEqual(0, broker.end())
        self.database.queries.drop()
        wait_until(lambda: not self.children("brokers"), "the broker's node to go")
        self.assertEqual(asked[::-1], [entry["query"] for entry in self.finished(code=3)], "though no broker is there")
        self.start_broker()
        for options in (), ("--store", "none"):
            told = self.finished(*options)
            self.assertEqual(asked[::-1], [entry["query"] for entry in told])
            for entry in told:
                self.assertEqual(("SUCCESSFUL", 2 * events.BASKETS, 2 * events.FILE_ENTRIES, 2, self.some[0], 500),
                                 tuple(entry[key] for key in ("state", "subtasks", "entries", "specs", "dataset", "priority")))
                self.assertTrue(entry["name"].endswith(".py") and entry["user"], entry)
                self.assertLessEqual(entry["submitted"], entry["finished"])
                self.assertAlmostEqual(entry["finished"] + 2 * 3600e3, entry["expires"], delta=60e3)
        self.assertEqual(asked[:0:-1], [entry["query"] for entry in self.finished("--limit", "2")])
        self.assertEqual(asked[::-1], [entry["query"] for entry in self.finished("--limit", "2", "--all")])
        table = self.ctl("queries").stdout
        self.assertRegex(table, rf"{asked[0][:8]} .* SUCCESSFUL .* 1 h 5\d m .* done-20.py ")

        # What was flushed is not stored any more, whatever was thought when the query was done.
        self.ctl("flush", asked[1], "--yes")
        self.assertEqual([False, True, False], [entry["expires"] is None for entry in self.finished()])

    def test_a_failure_is_told_with_its_reason(self):
        self.start_broker()
        self.start_workers(1)
        query = self.folder / "wrong.py"
        query.write_text("from hist import Hist, axis\nh = Hist(axis.Regular(2, 0, 1))\n"
                         "for event in events:\n    h.fill([event.pt1][int(event.pt1) + 7])\n", "utf-8")
        self.start_submit(query, *self.some).wait(code=1)
        self.database.queries.drop()
        (entry,) = self.finished("--store", "none")
        self.assertEqual(("FAILED", "query", None), (entry["state"], entry["code"], entry["expires"]))
        self.assertIn("out of range", entry["reason"])

    # --- the store ---

    @property
    def some(self):
        """The first two files."""
        return [f"{path}:events" for path in self.paths[:2]]

    def ask(self, *dataset, name="light.py", bins=60):
        query = events.write_query(self.folder / name, work=1, bins=bins)
        return self.submit(query, *dataset, *events.PARTITIONS)

    def test_stored_and_flush_then_recompute(self):
        self.start_broker()
        self.start_workers(1)
        subtasks = 2 * events.BASKETS
        first = self.ask(*self.some)
        self.assertTrue(self.ask(*self.some).metadata["hq_from_store"])
        stored = self.ctl_json("stored")
        (result,) = stored["results"]
        self.assertEqual((first.metadata["hq_query"], "light.py", self.some[0], 2),
                         (result["query"], pathlib.Path(result["name"]).name, result["dataset"], result["specs"]))
        self.assertEqual(2 * events.FILE_ENTRIES, result["entries"])
        self.assertGreater(result["bytes"], 0)
        self.assertGreater(stored["partials"]["documents"], 0)
        self.assertGreater(stored["partials"]["bytes"], 0)
        table = self.ctl("stored").stdout
        self.assertIn(result["fingerprint"][:16], table)
        self.assertIn("results: 1, ", table)

        self.assertIn("say --yes", self.ctl("flush", code=1).stderr)
        self.assertEqual(stored, self.ctl_json("stored"))
        self.assertIn("1 result dropped", self.ctl("flush", "--yes").stdout)
        empty = self.ctl_json("stored")
        self.assertEqual(([], 0, 0), (empty["results"], empty["partials"]["documents"], empty["plans"]["documents"]))
        again = self.ask(*self.some)
        self.assertFalse(again.metadata["hq_from_store"])
        self.assertEqual(0, again.metadata["hq_stored_share"])
        self.assertEqual(2 * subtasks, self.counters()["subtasks"])
        self.assertEqual(first.contents, again.contents)

        # Without its result, it is put together of its partials; without these, of its result.
        self.assertIn("1 result dropped", self.ctl("flush", "--yes", "--results").stdout)
        merged = self.ask(*self.some)
        self.assertEqual(1, merged.metadata["hq_stored_share"])
        self.assertIn("of partials dropped", self.ctl("flush", "--yes", "--partials").stdout)
        self.assertTrue(self.ask(*self.some).metadata["hq_from_store"])
        self.assertEqual(2 * subtasks, self.counters()["subtasks"])

    def test_flush_of_some(self):
        self.start_broker()
        self.start_workers(1)
        self.ctl("datasets", "add", "two", *self.some)
        answers = {bins: self.ask("two" if bins > 20 else self.some[0], name=f"bins-{bins}.py", bins=bins)
                   for bins in (10, 20, 30, 40)}
        ids = {bins: answer.metadata["hq_query"] for bins, answer in answers.items()}

        def left():
            return {result["query"] for result in self.ctl_json("stored")["results"]}

        self.assertEqual(set(ids.values()), left())
        self.assertEqual({ids[30], ids[40]},
                         {result["query"] for result in self.ctl_json("stored", "--dataset", "two")["results"]})
        stdout = self.ctl("flush", ids[10][:12], "--yes").stdout
        self.assertIn("1 result dropped", stdout)
        self.assertNotIn("\n0 packs", stdout)
        self.assertEqual({ids[20], ids[30], ids[40]}, left())
        self.assertEqual(0, self.ask(self.some[0], name="bins-10.py", bins=10).metadata["hq_stored_share"])
        self.assertIn("2 results dropped", self.ctl("flush", "--dataset", "two", "--yes").stdout)
        self.assertNotIn(ids[30], left())
        self.assertIn(ids[20], left())
        for arguments, code, text in ((["ffffffffffffffff"], 1, "no such result is stored"),
                                      (["--dataset", "two"], 1, "no result of the dataset two"),
                                      ([ids[20], "--plans"], 2, "--plans goes with neither")):
            self.assertIn(text, self.ctl("flush", *arguments, "--yes", code=code).stderr)
        self.assertIn(ids[20], left())

    def test_finished_queries(self):
        self.start_broker()
        self.start_workers(1)
        answer = self.ask(*self.some)
        wrong = self.folder / "wrong.py"
        wrong.write_text(events.TEXT.format(work=1, bins=10).replace("event.Q1 != event.Q2", "[1, 2][9] > 0"), "utf-8")
        self.start_submit(wrong, *self.some, "--user", "ann").wait(code=1)
        finished = wait_until(lambda: [query for query in [self.ctl_json("queries")["finished"]] if len(query) == 2],
                              "both queries in the journal")[0]
        self.assertEqual([("FAILED", "query", "ann"), ("SUCCESSFUL", "ok")],
                         [(finished[0]["state"], finished[0]["code"], finished[0]["user"]),
                          (finished[1]["state"], finished[1]["code"])])
        self.assertEqual((answer.metadata["hq_query"], self.some[0], 2),
                         (finished[1]["query"], finished[1]["dataset"], finished[1]["specs"]))
        self.assertGreaterEqual(finished[1]["total_ms"], finished[1]["compute_ms"])
        table = self.ctl("queries").stdout
        self.assertIn(answer.metadata["hq_query"][:8], table)
        self.assertIn("ann", table)
        self.assertEqual(1, len(self.ctl_json("queries", "--limit", "1")["finished"]))

    def test_store_that_is_away(self):
        process = self.start("hq-ctl", "--store", "mongodb://127.0.0.1:1/x", "--store-timeout", "300ms", "stored")
        self.assertEqual(3, process.wait())
        self.assertIn("cannot be reached", process.stderr)

    # --- named datasets ---

    def test_datasets_by_name(self):
        self.start_broker()
        self.start_workers(1)
        glob = str(self.paths[0].parent / "zmumu-*.root")
        self.assertIn("dataset zmumu: 1 file or glob", self.ctl("datasets", "add", "zmumu", glob, "--tree", "events").stdout)
        self.ctl("datasets", "add", "two.of-them", *self.some)
        self.assertEqual(["two.of-them", "zmumu"], [dataset["name"] for dataset in self.ctl_json("datasets")])
        self.assertIn("zmumu", self.ctl("datasets", "list").stdout)
        self.assertEqual("\n".join(self.some) + "\n", self.ctl("datasets", "show", "two.of-them").stdout)
        self.assertEqual(f"{glob}:events\n", self.ctl("datasets", "show", "zmumu").stdout)

        named = self.ask("zmumu")
        self.assert_as_oracle(named, self.expected())
        self.assert_successful(named, events.ENTRIES, events.SUBTASKS)
        some = self.ask("two.of-them")
        self.assertEqual(2 * events.FILE_ENTRIES, some.metadata["hq_entries"])
        self.assertTrue(self.ask(*self.some).metadata["hq_from_store"], "a name is its files")

        stderr = self.ctl("datasets", "add", "zmumu", *self.some, code=1).stderr
        self.assertIn("--force", stderr)
        self.ctl("datasets", "add", "zmumu", *self.some, "--force")
        self.assertEqual(2 * events.FILE_ENTRIES, self.ask("zmumu").metadata["hq_entries"])
        self.assertIn("is removed", self.ctl("datasets", "remove", "zmumu").stdout)
        for action in "show", "remove":
            self.assertIn("no dataset of that name", self.ctl("datasets", action, "zmumu", code=1).stderr)
        refused = self.start_submit(self.folder / "light.py", "zmumu").wait(code=1)
        self.assertIn("zmumu: no such file, and no dataset of that name", refused.process.stderr)

    def test_the_brokers_file_of_datasets_goes_first_and_files_before_both(self):
        listed = self.folder / "datasets.conf"
        listed.write_text(f"[both]\nfiles = {self.some[0]}\n", "utf-8")
        self.start_broker("--datasets", listed)
        self.start_workers(1)
        for name in "both", "stored", "here":
            self.ctl("datasets", "add", name, *self.some)
        self.assertEqual(events.FILE_ENTRIES, self.ask("both").metadata["hq_entries"])
        self.assertEqual(2 * events.FILE_ENTRIES, self.ask("stored").metadata["hq_entries"])
        self.assertIn("nor has the store", self.start_submit(self.folder / "light.py", "neither").wait(code=1)
                      .process.stderr)
        (self.folder / "here").symlink_to(self.paths[0])
        self.assertIn("take the name for that file",
                      self.ctl("datasets", "add", "here", *self.some, "--force").stderr)
        self.assertEqual(events.FILE_ENTRIES, self.ask("here").metadata["hq_entries"])

    def test_datasets_of_one_machine(self):
        store = ["--store", f"sqlite:{self.folder}/results.db"]
        self.ctl(*store, "datasets", "add", "two", *self.some)
        query = events.write_query(self.folder / "light.py", work=1)
        path = self.folder / "local.json"
        process = self.start("hq-submit", "--local", *store, "--json", path, query, "two", *events.PARTITIONS)
        answer = harness.Answer(self, process, path).wait()
        self.assert_as_oracle(answer, self.expected(files=2))
        (result,) = self.ctl_json(*store, "stored")["results"]
        self.assertEqual(("two", answer.metadata["hq_query"]), (result["dataset"], result["query"]))
        self.ctl(*store, "flush", "--yes")
        self.assertEqual([], self.ctl_json(*store, "stored")["results"])
        # Without --store it is the user's own, which is that of hq-submit --local; nobody is asked then.
        process = self.start("hq-submit", "--local", "--quiet", query, self.some[0])
        self.assertEqual(0, process.wait())
        (finished,) = self.ctl_json("queries", "--local")["finished"]
        self.assertEqual("SUCCESSFUL", finished["state"])

    def test_wrong_datasets(self):
        for arguments, code, text in ((["add", "a/b", *self.some], 2, '"a/b" cannot be the name'),
                                      (["add", "x.root", *self.some], 2, "cannot be the name"),
                                      (["add", "", *self.some], 2, "cannot be the name"),
                                      (["add", "name"], 2, "hq-ctl datasets ["),
                                      (["add", "name", "nothing"], 2, "nothing: no such file is here"),
                                      (["nonsense"], 2, "hq-ctl datasets ["),
                                      (["show"], 2, "hq-ctl datasets [")):
            self.assertIn(text, self.ctl("datasets", *arguments, code=code).stderr)
        self.assertEqual([], self.ctl_json("datasets"))

    # --- what a person can get wrong ---

    def test_wrong_use(self):
        for arguments, text in ((["nonsense"], 'there is no command "nonsense"'), ([], "a command is wanted"),
                                (["cancel"], "hq-ctl cancel ID"), (["status", "more"], "hq-ctl status"),
                                (["status", "--interval", "1ms"], "--interval"),
                                (["queries", "--watch"], "--watch goes with status only")):
            self.assertIn(text, self.ctl(*arguments, code=2).stderr)
        process = self.start("hq-ctl", "--coordinator", "nonsense", "status")
        self.assertEqual(2, process.wait())
        self.assertIn("it must look like zk:", process.stderr)


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
