"""--skip-bad-files: files truncated, flipped and missing are left out and named, and the rest is answered as if they had
never been asked for."""

import json
import shutil

import uproot

import events
import harness

CORRUPT, TRUNCATED, CUT_HEAD, NO_ROOT, MISSING, WRONG_TREE = "corrupt.root", "truncated.root", "head.root", "text.root", \
    "missing.root", "tree.root"
AT_PLANNING = {TRUNCATED: "truncated", CUT_HEAD: "/head.root", NO_ROOT: "not a ROOT file", MISSING: "No such file",
               WRONG_TREE: "no tree"}


def corrupt(path, branch, basket):
    """Flips bits in the middle of one compressed basket."""
    with uproot.open(path) as file:
        branch = file["events"][branch]
        at = int(branch.member("fBasketSeek")[basket]) + int(branch.member("fBasketBytes")[basket]) * 3 // 4
    content = bytearray(path.read_bytes())
    for i in range(at, at + 8):
        content[i] ^= 0x5a
    path.write_bytes(content)


class Mixin:
    def write_bad(self):
        """Six bad files of six kinds between eight good ones; all of them, and the good ones."""
        good = events.write_files(self.folder / "data")
        whole = good[0].read_bytes()
        bad = {name: self.folder / "data" / name for name in (CORRUPT, *AT_PLANNING)}
        bad[TRUNCATED].write_bytes(whole[:len(whole) * 2 // 3])
        bad[CUT_HEAD].write_bytes(whole[:40])
        bad[NO_ROOT].write_text("This is no ROOT file.\n" * 100, "utf-8")
        with uproot.recreate(bad[WRONG_TREE]) as file:
            file["others"] = {"x": [1.0]}
        shutil.copy(good[3], bad[CORRUPT])
        corrupt(bad[CORRUPT], "px1", events.BASKETS // 2)
        everything = [good[0], bad[TRUNCATED], good[1], bad[CORRUPT], bad[MISSING], *good[2:5], bad[NO_ROOT],
                      bad[CUT_HEAD], *good[5:], bad[WRONG_TREE]]
        specs = [f"{path}:events" for path in everything]
        self.query = events.write_query(self.folder / "query.py", work=20)
        return specs, [f"{path}:events" for path in good], bad

    def ask(self, specs, *options):
        return self.start_answer(self.query, *specs, *events.PARTITIONS, *options)

    def check(self):
        specs, good, bad = self.write_bad()
        # Without the option the first bad one fails it all.
        refused = self.ask([spec for spec in specs if MISSING not in spec]).wait(code=1)
        self.assertIn(f"{bad[TRUNCATED]}: truncated", refused.process.stderr)
        refused = self.ask([*good, f"{bad[MISSING]}:events"]).wait(code=1)
        self.assertIn(f'{bad[MISSING]}": no such file', refused.process.stderr)
        refused = self.ask([good[0], f"{bad[CORRUPT]}:events", *good[1:]]).wait(code=1)
        for text in str(bad[CORRUPT]), "px1", "offset":
            self.assertIn(text, refused.process.stderr)
        # With it, what is left is the good files' answer, bit for bit, and all others are named with their reasons.
        answer = self.ask(specs, "--skip-bad-files", "-q").wait()
        metadata, told = answer.metadata, answer.process.stderr
        self.assertEqual((events.ENTRIES, events.SUBTASKS), (metadata["hq_entries"], metadata["hq_subtasks"]))
        self.assertEqual(len(bad), metadata["hq_left_out_count"])
        self.assertIn(f"{len(bad)} of the files could not be read", told)
        reasons = {entry["file"]: entry["reason"] for entry in json.loads(metadata["hq_left_out"])}
        self.assertEqual({str(path) for path in bad.values()}, set(reasons))
        for name, text in AT_PLANNING.items():
            self.assertIn(text, reasons[str(bad[name])])
        self.assertIn("px1", reasons[str(bad[CORRUPT])])
        self.assertIn("offset", reasons[str(bad[CORRUPT])])
        for reason in reasons.values():
            self.assertIn(reason, told)
        # It stands in the store as the result of the good files, which it is.
        of_good = self.ask(good).wait()
        self.assertTrue(of_good.metadata["hq_from_store"])
        self.assertEqual(0, of_good.metadata["hq_left_out_count"])
        self.assertNotIn("left out", of_good.process.stderr)
        self.assertEqual(of_good.contents, answer.contents)
        computed = self.ask(good, "--fresh").wait()
        self.assertEqual(computed.contents, answer.contents)
        self.assert_as_oracle(answer, harness.oracle_of(self.query, good))
        # Bad at planning only: known before anything is computed, so the store answers at once.
        again = self.ask([*good, f"{bad[TRUNCATED]}:events"], "--skip-bad-files").wait()
        self.assertTrue(again.metadata["hq_from_store"])
        self.assertEqual([str(bad[TRUNCATED])], [entry["file"] for entry in json.loads(again.metadata["hq_left_out"])])
        # And nothing good is left: that is no answer.
        for name in TRUNCATED, CORRUPT:
            refused = self.ask([f"{bad[name]}:events"], "--skip-bad-files").wait(code=1)
            self.assertIn("that can be read" if name == TRUNCATED else "no file of this dataset can be read",
                          refused.process.stderr)
            self.assertIn(str(bad[name]), refused.process.stderr)
        return bad


class Local(Mixin, harness.SystemTest):
    answers = 0

    def start_answer(self, *arguments):
        self.answers += 1
        path = self.folder / f"answer-{self.answers}.json"
        process = self.start("hq-submit", "--local", "--threads", "2", "--store", f"sqlite:{self.folder}/results.db",
                             "--json", path, *arguments)
        return harness.Answer(self, process, path)

    def test_bad_files_are_left_out(self):
        self.check()


class OnCluster(Mixin, harness.ClusterTest):
    def start_answer(self, *arguments):
        return self.start_client(*arguments)

    def test_bad_files_are_left_out(self):
        self.start_broker()
        self.start_workers(2)
        self.check()
        harness.wait_until(lambda: self.status()["queries"] == 0, "no query under way")
        self.assert_nothing_pending()
        self.assertEqual(6, self.counters()["files_left_out"], "the corrupt one was tried once")

    def test_what_failed_is_not_tried_by_the_next_one(self):
        self.start_broker()
        self.start_workers(2)
        specs, good, bad = self.write_bad()
        self.ask(specs, "--skip-bad-files").wait()
        self.assertEqual(1, self.counters()["files_known_bad"])
        status = self.start("hq-ctl", "--coordinator", self.coordinator, "--timeout", "60s", "status")
        self.assertEqual(0, status.wait(), status.stderr)
        self.assertIn("knows 1 file that failed", status.stdout)
        before = self.counters()["subtasks"]
        self.query = events.write_query(self.folder / "another.py", work=20, bins=61)
        answer = self.ask(specs, "--skip-bad-files").wait()
        self.assertEqual(events.SUBTASKS, self.counters()["subtasks"] - before, "none of the bad file's")
        reasons = {entry["file"]: entry["reason"] for entry in json.loads(answer.metadata["hq_left_out"])}
        self.assertEqual({str(path) for path in bad.values()}, set(reasons))
        self.assertRegex(reasons[str(bad[CORRUPT])], r"px1.*\(found \d+ s ago; --fresh tries again\)$")
        self.assertIn(reasons[str(bad[CORRUPT])], answer.process.stderr)
        self.assert_as_oracle(answer, harness.oracle_of(self.query, good))
        fresh = self.ask(specs, "--skip-bad-files", "--fresh").wait()
        reasons = {entry["file"]: entry["reason"] for entry in json.loads(fresh.metadata["hq_left_out"])}
        self.assertNotIn("--fresh", reasons[str(bad[CORRUPT])])


if __name__ == "__main__":
    harness.main(needs=harness.REAL_SERVERS)
