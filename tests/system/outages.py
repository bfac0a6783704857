"""The servers that hq stands on, away: nothing is acknowledged that is not safe, and nothing is lost."""

import pathlib
import time

import events
import harness
import servers
from harness import wait_until

HEAVY = 8000


class Outages(harness.ClusterTest):
    STORE_TIMEOUT = "2s"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path.cwd() / "data"
        cls.paths = events.write_files(folder)
        cls.expected = events.Expected(folder, cls.paths)

    def setUp(self):
        super().setUp()
        for server in self.zookeeper, self.mongo:
            server.resume()
            if server.process.poll() is not None:
                server.restart()

    def start_query(self, work=HEAVY, *options):
        query = events.write_query(self.folder / "query.py", work=work)
        return self.start_submit(query, *(f"{path}:events" for path in self.paths), *events.PARTITIONS, *options)

    def under_way(self):
        self.wait_for_counter("subtasks", 0.1 * events.SUBTASKS)
        self.assertLess(self.counters()["subtasks"], 0.8 * events.SUBTASKS, "the query is too quick for this test")

    def finish(self, answer):
        answer.wait()
        self.assert_as_oracle(answer, self.expected())
        self.assert_successful(answer, events.ENTRIES, events.SUBTASKS)
        self.assert_nothing_pending()

    def nobody_there(self, *options, timeout="1s"):
        """hq-submit ends with 3 and says whom it missed."""
        query = events.write_query(self.folder / "query.py")
        process = self.start("hq-submit", *options, "--timeout", timeout, query, self.paths[0])
        self.assertEqual(3, process.wait(60), process.stderr)
        return process.stderr

    def test_nobody_there(self):
        # Told at once, by a coordinator that answers.
        self.assertIn("no broker is registered", self.nobody_there("--coordinator", self.coordinator, timeout="1h"))
        begin = time.monotonic()  # six seconds are more than it waits untold
        self.assertIn("no broker answers",
                      self.nobody_there("--broker", f"tcp://127.0.0.1:{servers.free_port()}", timeout="6s"))
        self.assertGreaterEqual(time.monotonic() - begin, 6)
        self.zookeeper.pause()
        self.assertIn("does not answer", self.nobody_there("--coordinator", self.coordinator))
        self.zookeeper.resume()
        self.zookeeper.kill()
        self.assertIn("does not answer", self.nobody_there("--coordinator", self.coordinator))

    def test_store_away_at_the_end(self):
        broker = self.start_broker()
        self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        self.mongo.kill()
        self.wait_for_counter("subtasks", events.SUBTASKS)
        wait_until(lambda: "waits for the store" in broker.stderr, "the broker waits for the store")
        self.assertTrue(answer.process.is_running(), "an answer that is not stored was acknowledged")
        self.assertEqual({}, self.done())
        self.mongo.restart()
        self.finish(answer)

    def test_store_away_from_the_start(self):
        self.mongo.kill()
        broker = self.start_broker()
        self.start_workers(1)
        answer = self.start_query(1)
        self.wait_for_counter("subtasks", events.SUBTASKS)
        wait_until(lambda: "waits for the store" in broker.stderr, "the broker waits for the store")
        self.assertTrue(answer.process.is_running())
        self.mongo.restart()
        self.finish(answer)

    def test_broker_stops_in_the_middle(self):
        """Its clients are told, and a new broker goes on from what was computed."""
        broker = self.start_broker("--store-timeout", "20s")  # it has much to write at its end
        self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        computed = self.counters()["subtasks"]
        self.assertEqual(0, broker.end())
        answer.wait(code=1)
        self.assertIn("the broker is stopping", answer.process.stderr)
        self.start_broker("--store-timeout", "20s")
        wait_until(lambda: self.status()["workers"] == 2, "the workers at the new broker")
        answer = self.start_query().wait()
        self.assert_as_oracle(answer, self.expected())
        self.assertGreaterEqual(answer.metadata["hq_stored_share"], computed / events.SUBTASKS)
        self.assertEqual("SUCCESSFUL", self.done()[answer.metadata["hq_query"]]["state"])

    def test_broker_killed_and_replaced_at_its_address(self):
        """The client notices that it talks to another one, which knows nothing of its query, and ends."""
        front = ("--front", f"tcp://127.0.0.1:{servers.free_port()}")
        broker = self.start_broker(*front)
        answer = self.start_query()
        wait_until(lambda: self.children("owned"), "the query in /owned")
        broker.kill()
        wait_until(lambda: not self.children("brokers"), "the killed broker's node to go")
        self.start_broker(*front)
        answer.wait(code=1)
        self.assertIn("no such query is under way here", answer.process.stderr)

    def test_coordinator_hangs_in_the_middle(self):
        """Shorter than a session: computing goes on, and the query is done when ZooKeeper is back."""
        self.start_broker()
        self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        before = self.counters()["subtasks"]
        self.close_tree()
        self.zookeeper.pause()
        self.wait_for_counter("subtasks", before + 20)
        self.zookeeper.resume()
        self.finish(answer)

    def test_coordinator_restarts_in_the_middle(self):
        self.start_broker()
        self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        self.close_tree()
        self.zookeeper.restart()
        self.finish(answer)

    def test_coordinator_away_at_the_end(self):
        """Longer than the query: all is computed, but nobody is told so before /done says it."""
        self.start_broker()
        self.start_workers(2)
        answer = self.start_query()
        self.under_way()
        self.close_tree()
        self.zookeeper.kill()
        self.wait_for_counter("subtasks", events.SUBTASKS)
        wait_until(lambda: self.database.results.find_one(), "the result in the store")
        self.assertTrue(answer.process.is_running(), "an answer that is not under /done was acknowledged")
        self.zookeeper.restart()
        self.finish(answer)


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
