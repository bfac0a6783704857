"""Plans of files in the store: known files are not opened for planning, changed ones are, and a store that is away only
means that they are opened."""

import pathlib
import shutil

import uproot

import events
import harness
from harness import wait_until


def copy_files(folder):
    """Files of this test's own, which it may change."""
    paths = []
    for path in Plans.paths:
        paths.append(shutil.copy2(path, folder / path.name))
    return paths


def write_fewer(path):
    """The file anew, with the first thousand events."""
    with uproot.open(harness.ZMUMU) as file:
        columns = file["events"].arrays(events.COLUMNS, library="np", entry_stop=1000)
    with uproot.recreate(path) as file:
        file.mktree("events", {name: values.dtype for name, values in columns.items()})
        file["events"].extend(columns)


class Plans(harness.ClusterTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path.cwd() / "data"
        cls.paths = events.write_files(folder)
        cls.expected = events.Expected(folder, cls.paths)

    def setUp(self):
        super().setUp()
        if self.mongo.process.poll() is not None:
            self.mongo.restart()

    def ask(self, bins, paths, *options):
        query = events.write_query(self.folder / f"query-{bins}.py", bins=bins)
        return self.start_submit(query, *(f"{path}:events" for path in paths), *options)

    def assert_plans(self, known, opened, replaced=0):
        counters = self.counters()
        self.assertEqual((known, opened, replaced, 0),
                         tuple(counters[f"plans_{what}"] for what in ("found", "opened", "replaced", "bad")))

    def test_known_and_changed_files(self):
        self.start_broker()
        self.start_workers(1)
        paths = copy_files(self.folder)
        self.ask(60, paths).wait()
        self.assert_plans(0, events.FILES)
        self.assertEqual(events.FILES + 1, self.database.plans.count_documents({}), "one schema for all files")
        answer = self.ask(61, paths).wait()
        self.assert_plans(events.FILES, events.FILES)
        self.assert_as_oracle(answer, self.expected(61))
        write_fewer(paths[3])
        changed = events.Expected(self.folder, paths)
        answer = self.ask(62, paths).wait()
        self.assert_plans(2 * events.FILES - 1, events.FILES + 1, 1)
        self.assert_as_oracle(answer, changed(62))
        answer = self.ask(63, paths, "--fresh").wait()
        self.assert_plans(2 * events.FILES - 1, 2 * events.FILES + 1, 1)
        self.assert_as_oracle(answer, changed(63))

    def test_another_broker_knows_them(self):
        broker = self.start_broker()
        self.start_workers(1)
        self.ask(60, self.paths).wait()
        self.assertEqual(0, broker.end())
        wait_until(lambda: not self.children("brokers"), "the broker's node to go")
        self.start_broker()
        wait_until(lambda: self.status()["workers"] == 1, "the worker at the new broker")
        answer = self.ask(61, self.paths).wait()
        self.assert_plans(events.FILES, 0)
        self.assert_as_oracle(answer, self.expected(61))

    def test_store_away(self):
        broker = self.start_broker("--store-timeout", "2s")
        self.start_workers(1)
        self.ask(60, self.paths).wait()
        self.mongo.kill()
        answer = self.ask(61, self.paths)
        self.wait_for_counter("plans_opened", 2 * events.FILES)
        self.assertIn("files are opened, as their plans cannot be had from the store", broker.stderr)
        self.mongo.restart()
        answer.wait()
        self.assert_plans(0, 2 * events.FILES)
        self.assert_as_oracle(answer, self.expected(61))

    def test_local(self):
        """The same on one machine, where what is planned by one process is known to the next."""
        def planned(bins, store):
            query = events.write_query(self.folder / f"query-{bins}.py", bins=bins)
            json = self.folder / f"local-{bins}.json"
            process = self.start("hq-submit", "--local", "--quiet", "--store", store, "--log-level", "info", "--json", json,
                                 query, *(f"{path}:events" for path in self.paths))
            answer = harness.Answer(self, process, json).wait()
            self.assert_as_oracle(answer, self.expected(bins))
            return process.stderr

        store = f"sqlite:{self.folder}/hq.db"
        opened, known = f"0 files known from before, {events.FILES} opened", f"{events.FILES} files known from before, 0 opened"
        self.assertIn(opened, planned(60, store))
        self.assertIn(known, planned(61, store))
        self.assertIn(opened, planned(62, "none"))


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
