"""Every program tells what it is, what it takes and how it is configured; conf/ holds what they print."""

import json
import re

import harness

PROGRAMS = ("hq-broker", "hq-ctl", "hq-show", "hq-submit", "hq-worker")
CONFIGURED = ("hq-broker", "hq-ctl", "hq-submit", "hq-worker")


class Programs(harness.SystemTest):
    def output(self, program, *options):
        process = self.start(program, *options)
        self.assertEqual(0, process.wait(), process.stderr)
        self.assertEqual("", process.stderr)
        return process.stdout

    def version(self):
        text = (harness.SOURCE / "CMakeLists.txt").read_text("utf-8")
        return re.search(r"project\(hq VERSION ([0-9.]+)", text).group(1)

    def test_all_programs_are_here(self):
        """One that is built and not in this list is not looked at below."""
        self.assertEqual(sorted(PROGRAMS), sorted(path.name for path in harness.BIN.glob("hq-*")))

    def test_help(self):
        for program in PROGRAMS:
            with self.subTest(program):
                text = self.output(program, "--help")
                self.assertIn(program, text.splitlines()[0])
                self.assertIn("--version", text)
                self.assertIn("Exit codes: 0 ", text)

    def test_version(self):
        for program in PROGRAMS:
            with self.subTest(program):
                self.assertEqual(f"{program} {self.version()}\n", self.output(program, "--version"))

    def test_unknown_option(self):
        for program in PROGRAMS:
            with self.subTest(program):
                process = self.start(program, "--nonsense")
                self.assertEqual(2, process.wait())
                self.assertIn("--help", process.stderr)

    def test_explain(self):
        """Nothing is run: the columns, the text, and what LLVM makes of it."""
        question = ["-e", "hypot(Muon.Px, Muon.Py)", "--bins", "10,0,100", "--where", "len(Muon) > 1",
                    f"{harness.DATA}/skhep/uproot-HZZ.root:events"]
        columns = self.output("hq-submit", "--explain", "columns", *question)
        self.assertRegex(columns, r"reads 2 columns of 2421 entries in 1 file")
        self.assertRegex(columns, r"Muon_Px +float32\[\]  as Px of Muon")
        self.assertRegex(columns, r"Muon_Py +float32\[\]  as Py of Muon")
        self.assertIn("h.fill(math.hypot(item_.Px, item_.Py))", self.output("hq-submit", "--explain", "text", *question))
        self.assertIn("define ", self.output("hq-submit", "--explain", "ir", *question))
        self.assertIn(".text", self.output("hq-submit", "--explain", "assembly", *question))

    def test_shorthand(self):
        """It gives what the text that it stands for gives."""
        question = ["-e", "Muon.Px", "--bins", "20,-100,100", "--where", "len(Muon) > 1", "--weight", "EventWeight"]
        data = f"{harness.DATA}/skhep/uproot-HZZ.root:events"
        query = self.folder / "query.py"
        query.write_text(self.output("hq-submit", "--explain", "text", *question, data))
        answers = [json.loads(self.output("hq-submit", "--local", "--store", "none", "--json", "-", *arguments, data))
                   for arguments in (question, [query])]
        self.assertGreater(sum(answers[0]["h"]["storage"]["values"]), 0)
        self.assertEqual(answers[0]["h"]["storage"], answers[1]["h"]["storage"])

    def test_configuration_files(self):
        """conf/PROGRAM.conf is what --print-config prints, and says nothing new: read again, it gives itself."""
        for program in CONFIGURED:
            with self.subTest(program):
                path = harness.SOURCE / "conf" / f"{program}.conf"
                printed = self.output(program, "--print-config")
                self.assertEqual(path.read_text("utf-8"), printed,
                                 f"write it anew: {program} --print-config >conf/{program}.conf")
                self.assertEqual(printed, self.output(program, "--config", path, "--print-config"))

    def test_configuration_is_read(self):
        """What stands in a file counts, and the command line more."""
        for program, key in (("hq-broker", "lease"), ("hq-worker", "session"), ("hq-submit", "timeout")):
            with self.subTest(program):
                path = self.folder / f"{program}.conf"
                path.write_text(f"{key} = 7s\n", "utf-8")
                self.assertIn(f"\n{key} = 7s\n", self.output(program, "--config", path, "--print-config"))
                self.assertIn(f"\n{key} = 8s\n",
                              self.output(program, "--config", path, f"--{key}=8s", "--print-config"))
                path.write_text(f"{key} = 7s\nnonsense = 1\n", "utf-8")
                process = self.start(program, "--config", path)
                self.assertEqual(2, process.wait())
                self.assertIn(f"{path}:2", process.stderr)


if __name__ == "__main__":
    harness.main()
