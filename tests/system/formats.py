"""A query over an RNTuple gives what it gives over the TTree that it was made from, its text unchanged."""

import json

import awkward
import harness
import uproot

NANO = harness.DATA / "coffea"


class Formats(harness.SystemTest):
    def ask(self, *arguments):
        """The answer of hq-submit, or None if it does not accept the query for these columns."""
        process = self.start("hq-submit", "--local", "--store", "none", "--json", "-", *arguments)
        if process.wait() != 0:
            return None
        return {name: hist["storage"] for name, hist in json.loads(process.stdout).items() if "storage" in hist}

    def test_what_an_importer_made(self):
        """NanoAOD: all the queries that ship, each over the tree and over what ROOT's importer made of it."""
        answered = 0
        for query in sorted((harness.SOURCE / "queries" / "nano").glob("*.py")):
            with self.subTest(query.name):
                tree = self.ask(query, f"{NANO}/nano_dy.root:Events")
                ntuple = self.ask(query, f"{NANO}/nano_dy_rntuple.root:Events")
                self.assertEqual(tree, ntuple)
                answered += tree is not None
        self.assertGreater(answered, 8)

    def test_nested_records(self):
        """A vector of objects: members of members, and the column that counts."""
        question = ["-e", "len(Jets)", "--bins", "20,0,20", "--where", "Jets_ > 0"]
        tree = self.ask(*question, f"{NANO}/treemaker.root:PreSelection")
        self.assertIsNotNone(tree)
        self.assertEqual(10, sum(tree["h"]["values"]))
        self.assertEqual(tree, self.ask(*question, f"{NANO}/treemaker_rntuple.root:PreSelection"))

    def write_ntuple(self, tree):
        """Muons as a collection of records, as a writer would who begins with an RNTuple."""
        columns = tree.arrays(["NMuon", "Muon_Px", "Muon_Py", "Muon_Charge", "EventWeight", "MET_px"])
        muons = awkward.zip({"Px": columns.Muon_Px, "Py": columns.Muon_Py, "Charge": columns.Muon_Charge})
        events = awkward.Array({"Muon": muons, "EventWeight": columns.EventWeight, "MET_px": columns.MET_px})
        path = self.folder / "hzz.root"
        with uproot.recreate(path) as file:
            ntuple = file.mkrntuple("events", events[:1000])
            ntuple.extend(events[1000:1001])
            ntuple.extend(events[1001:])
        return path

    def test_collections_of_records(self):
        """And both formats side by side in one dataset."""
        made_from = f"{harness.DATA}/skhep/uproot-HZZ.root"
        made = self.write_ntuple(uproot.open(made_from)["events"])
        question = ["-e", "hypot(Muon.Px, Muon.Py)", "--bins", "50,0,150", "--weight", "EventWeight", "--where",
                    "len(Muon) > 1 and MET_px > -20"]
        tree = self.ask(*question, f"{made_from}:events")
        ntuple = self.ask(*question, f"{made}:events")
        self.assertGreater(sum(tree["h"]["values"]), 10)
        self.assertEqual(len(tree["h"]["values"]), len(ntuple["h"]["values"]))
        # Partitions are others, and so is the order of the additions.
        for key in tree["h"]:
            if key == "type":
                continue
            for one, other in zip(tree["h"][key], ntuple["h"][key]):
                self.assertAlmostEqual(one, other, delta=1e-9 * max(1, abs(one)))
        both = self.ask(*question, f"{made_from}:events", f"{made}:events")
        for one, double in zip(tree["h"]["values"], both["h"]["values"]):
            self.assertAlmostEqual(2 * one, double, delta=1e-9 * max(1, abs(double)))


if __name__ == "__main__":
    harness.main()
