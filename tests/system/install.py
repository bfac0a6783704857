"""What `cmake --install` puts into a prefix works from there, and depends on nothing in the tree it was built in."""

import os
import pathlib
import re
import subprocess

import harness

BUILD = pathlib.Path(os.environ.get("HQ_BUILD", harness.BIN.parent))


class Install(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.prefix = self.folder / "prefix"
        installed = subprocess.run(["cmake", "--install", BUILD, "--prefix", self.prefix], stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=600)
        self.assertEqual(0, installed.returncode, installed.stderr)

    def run_installed(self, program, *arguments):
        process = self.start(self.prefix / "bin" / program, *arguments, name=program)
        self.assertEqual(0, process.wait(), process.stderr)
        return process.stdout

    def test_a_query_from_the_prefix(self):
        for program in "hq-broker", "hq-worker":
            self.assertIn(program, self.run_installed(program, "--version"))
        self.assertIn("2304 entries", self.run_installed("hq-show", harness.ZMUMU).replace(",", ""))
        query = self.prefix / "share" / "hq" / "queries" / "zpeak.py"
        path = self.folder / "z.json"
        drawn = self.run_installed("hq-submit", "--local", "--json", path, query, f"{harness.ZMUMU}:events")
        self.assertIn("dimuon mass [GeV]", drawn)
        low, high = map(float, re.search(r"fullest bin \[([0-9.]+), ([0-9.]+)\)", drawn).groups())
        self.assertLess(abs((low + high) / 2 - 91), 2, "the Z")
        self.assert_as_oracle(harness.Answer(self, None, path),
                              harness.oracle_of(query, [f"{harness.ZMUMU}:events"]))

    def test_configuration_and_documents(self):
        for path in ("etc/hq/hq-broker.conf", "etc/hq/hq-worker.conf", "etc/hq/datasets.conf", "share/doc/hq/README.md",
                     "share/doc/hq/LICENSE", "share/doc/hq/protocol.md"):
            self.assertTrue((self.prefix / path).is_file(), path)
        self.run_installed("hq-worker", "--config", self.prefix / "etc/hq/hq-worker.conf", "--print-config")

    def test_nothing_but_what_is_meant(self):
        """No test, bench or build file gets into a prefix."""
        found = {path.relative_to(self.prefix).parts[0] for path in self.prefix.iterdir()}
        self.assertLessEqual(found, {"bin", "etc", "include", "lib", "share"})
        for path in (self.prefix / "bin").iterdir():
            self.assertRegex(path.name, r"^hq-[a-z]+$")


if __name__ == "__main__":
    harness.main()
