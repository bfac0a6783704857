#!/usr/bin/env python3
"""The queries of queries/adl and queries/nano, run by the oracle over real events.

usage: test_queries.py DATA_DIR      the folder that holds coffea's nano_*.root

The benchmark's histograms are made a second time, from whole columns by awkward-array, and must be equal, bin for bin.
Of the others every histogram must be filled and must be read by the package hist.
"""

import glob
import os
import sys

import awkward as ak
import numpy as np
import uproot

import oracle
import run


class Four:
    """Momenta of an array of particles, in float64."""

    def __init__(self, px, py, pz, energy):
        self.px, self.py, self.pz, self.energy = px, py, pz, energy

    def __add__(self, other):
        return Four(self.px + other.px, self.py + other.py, self.pz + other.pz, self.energy + other.energy)

    def mass(self):
        square = self.energy**2 - self.px**2 - self.py**2 - self.pz**2
        return np.sign(square) * np.sqrt(abs(square))

    def pt(self):
        return np.sqrt(self.px**2 + self.py**2)


def four(p):
    px, py, pz = p.pt * np.cos(p.phi), p.pt * np.sin(p.phi), p.pt * np.sinh(p.eta)
    return Four(px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + p.mass**2))


def events_of(path):
    tree = uproot.open(path)["Events"]
    columns = {}
    for name in ("Jet", "Muon", "Electron"):
        members = [key for key in tree.keys() if key.startswith(f"{name}_")]
        columns[name] = ak.zip({key[len(name) + 1:]: tree[key].array() for key in members})
    columns |= {name: tree[name].array() for name in ("MET_pt", "MET_phi")}
    return {name: ak.values_astype(array, np.float64) for name, array in columns.items()}


def bins(values, high):
    """Counts in a hundred bins from 0 to high, with flow."""
    values = np.asarray(ak.flatten(values, axis=None))
    index = np.clip(np.floor(100 * values / high), -1, 100).astype(int) + 1
    return np.bincount(index, minlength=102)


def q5(events):
    a, b = ak.unzip(ak.combinations(events["Muon"], 2))
    mass = (four(a) + four(b)).mass()
    is_z = (a.charge != b.charge) & (mass > 60) & (mass < 120)
    return bins(events["MET_pt"][ak.any(is_z, axis=1)], 200)


def q6(events):
    jets = ak.combinations(events["Jet"][ak.num(events["Jet"]) >= 3], 3)
    a, b, c = ak.unzip(jets)
    whole = four(a) + four(b) + four(c)
    best = ak.argmin(abs(whole.mass() - 172.5), axis=1, keepdims=True)
    tags = np.maximum(np.maximum(a.btag, b.btag), c.btag)
    return bins(whole.pt()[best], 200), bins(tags[best], 1)


def q7(events):
    jets, leptons = events["Jet"], ak.concatenate([events["Muon"], events["Electron"]], axis=1)
    jet, lepton = ak.unzip(ak.cartesian([jets, leptons[leptons.pt > 10]], nested=True))
    angle = (jet.phi - lepton.phi + np.pi) % (2 * np.pi) - np.pi
    is_near = (jet.eta - lepton.eta)**2 + angle**2 < 0.16
    good = jets[(jets.pt > 30) & ~ak.any(is_near, axis=2)]
    return bins(ak.sum(good.pt, axis=1)[ak.num(good) > 0], 200)


def q8(events):
    muons = ak.with_field(events["Muon"], 0, "flavour")
    electrons = ak.with_field(events["Electron"], 1, "flavour")
    leptons = ak.concatenate([muons, electrons], axis=1)
    is_used = ak.num(leptons) >= 3
    leptons, met, met_phi = leptons[is_used], events["MET_pt"][is_used], events["MET_phi"][is_used]
    i, j = ak.unzip(ak.argcombinations(leptons, 2))
    a, b = leptons[i], leptons[j]
    is_pair = (a.flavour == b.flavour) & (a.charge != b.charge)
    distance = ak.where(is_pair, abs((four(a) + four(b)).mass() - 91.2), np.inf)
    best = ak.argmin(distance, axis=1, keepdims=True)
    has_pair = ak.any(is_pair, axis=1)
    others = leptons[(ak.local_index(leptons) != ak.flatten(i[best])) & (ak.local_index(leptons) != ak.flatten(j[best]))]
    hardest = ak.firsts(others[ak.argmax(others.pt, axis=1, keepdims=True)])[has_pair]
    return bins(np.sqrt(2 * hardest.pt * met[has_pair] * (1 - np.cos(met_phi[has_pair] - hardest.phi))), 200)


BENCHMARK = {
    "q1": lambda events: {"met": bins(events["MET_pt"], 200)},
    "q2": lambda events: {"pt": bins(events["Jet"].pt, 200)},
    "q3": lambda events: {"pt": bins(events["Jet"].pt[abs(events["Jet"].eta) < 1], 200)},
    "q4": lambda events: {"met": bins(events["MET_pt"][ak.sum(events["Jet"].pt > 40, axis=1) >= 2], 200)},
    "q5": lambda events: {"met": q5(events)},
    "q6": lambda events: dict(zip(("pt", "btag"), q6(events))),
    "q7": lambda events: {"ht": q7(events)},
    "q8": lambda events: {"mt": q8(events)},
}


def test_benchmark(data_dir):
    events = events_of(run.mini.made(data_dir))
    paths = sorted(glob.glob(f"{run.SOURCE}/queries/adl/*.py"))
    assert [os.path.basename(path)[:-3] for path in paths] == list(BENCHMARK)
    for path, (name, make) in zip(paths, BENCHMARK.items()):
        hists = oracle.run(path, run.data_of(path, data_dir))
        expected = make(events)
        assert hists.keys() == expected.keys()
        for key, hist in hists.items():
            found = hist.to_hist().view(flow=True)
            assert found.sum() > 10 and np.array_equal(found, expected[key]), (name, key, found - expected[key])


def test_analyses(data_dir):
    paths = sorted(glob.glob(f"{run.SOURCE}/queries/nano/*.py"))
    assert len(paths) >= 12
    for path in paths:
        for name, hist in oracle.run(path, run.data_of(path, data_dir)).items():
            real = hist.to_hist(name)
            assert hist.fills > 10 and np.any(real.values()), (path, name)
            assert all(axis.name for axis in real.axes), (path, name)


if __name__ == "__main__":
    test_benchmark(sys.argv[1])
    test_analyses(sys.argv[1])
