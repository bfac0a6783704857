#!/usr/bin/env python3
"""What the oracle itself claims: its scalars, its bins, its columns, its comparison. Plain assertions, no framework.

usage: test_oracle.py DATA_DIR      the folder that holds uproot-HZZ.root, nano_dy.root and uproot-Zmumu.root
"""

import copy
import glob
import json
import math
import os
import subprocess
import sys
import tempfile

import boost_histogram
import hist
import numpy as np
import uproot

import columns
import compare
import oracle

HERE = os.path.dirname(os.path.abspath(__file__))


def run_text(text, specs):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/q.py"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return oracle.run(path, specs)


def value_of(expression, setup=""):
    """The value of an expression as a query computes it."""
    names = oracle.namespace([])
    tree = oracle.ast.parse(f"import math\n{setup}\nresult = {expression}\n")
    tree = oracle.ast.fix_missing_locations(oracle.Operands().visit(tree))
    with np.errstate(all="ignore"):
        exec(compile(tree, "test", "exec"), names)
    return names["result"]


def same(a, b):
    return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))


def test_scalars():
    inf, nan = math.inf, math.nan
    for expression, expected in {
        "1 / 0": inf, "-1 / 0": -inf, "0 / 0": nan, "1 // 0": 0, "1 % 0": 0, "1.0 // 0": inf, "1.0 % 0": nan,
        "7 // -2": -4, "7 % -2": -1, "-7 % 2.5": 0.5, "7 / 2": 3.5, "2 ** -1": 0.5, "2 ** 10": 1024,
        "(-8.0) ** 0.5": nan, "1e308 * 10": inf, "9223372036854775807 + 1": -9223372036854775808,
        "True + True": 2, "(1 < 2) + (2 < 3)": 2, "-(1 < 2)": -1, "1 < 2 < 3": True, "1 < 2 < 2": False,
        "0 or 2.5": 2.5, "int(math.nan)": 0, "int(1e300)": 2**63 - 1, "int(-2.7)": -2, "round(2.5)": 2,
        "round(-3.5)": -4, "math.floor(-0.5)": -1, "math.ceil(-math.inf)": -2**63, "math.sqrt(-1)": nan,
        "math.log(0)": -inf, "math.log(8, 2)": math.log(8) / math.log(2), "math.exp(1000)": inf, "math.acos(2)": nan,
        "math.gamma(0)": inf, "math.gamma(-1)": nan, "math.lgamma(-1)": inf, "math.gamma(200)": inf,
        "math.fmod(1, 0)": nan, "math.pow(0, -1)": inf, "math.pow(-8, 1 / 3)": nan, "math.cosh(1000)": inf,
        "math.sinh(-1000)": -inf, "math.remainder(1, 0)": nan, "math.atanh(1)": inf, "min(3, 2.5)": 2.5,
        "math.factorial(21)": -4249290049419214848, "math.comb(-1, 2)": 0, "math.isqrt(-4)": 0, "math.gcd(12, 18, 4)": 2,
        "math.fsum([1e308, 1e308, -1e308])": 1e308, "math.fsum([math.inf, -math.inf])": nan, "math.ldexp(-1, 5000)": -inf,
        "math.prod([2**62, 4])": 0, "math.hypot(math.inf, math.nan)": inf,
        "(math.nan, 1) == (math.nan, 1)": False, "math.nan in [math.nan]": False, "(1, 2) < (1, 2.5)": True,
        "2 in (1, 2.0)": True, "1 < 2 in range(3)": True, "len((1, 2) + (3,))": 3, "max((1, 2), (1, 3))[1]": 3,
        "list(reversed([1, 2]))[0]": 2, "[1, 2, 3][::-2][1]": 1,
        "max(1, 2, 3)": 3, "abs(-3)": 3, "pow(2, 3)": 8, "~5": -6, "1 << 64": 0, "-1 >> 99": -1, "0x10 | 1": 17,
    }.items():
        assert same(value_of(expression), expected), (expression, value_of(expression), expected)
    assert value_of("x", "x = 7\nx //= 2\nx -= 0.5\nx **= 2") == 6.25
    for wrong in ("import os", "import math.x", "open('x')", "print(1)", "eval('1')", "__import__('os')"):
        try:
            value_of("0", wrong)
        except (ImportError, NameError):
            continue
        raise AssertionError(f"{wrong} was allowed")


def test_bins():
    """The formula agrees with boost-histogram's everywhere but on and beside edges, and gives what ROOT gives there."""
    axis = oracle.Regular(100, 0, 10)
    assert [axis.index(x) for x in (-1e-300, 0, 0.1, 0.3, 9.99, 10, math.inf, -math.inf, math.nan)] \
        == [0, 1, 2, 4, 100, 101, 101, 0, 101]
    rng = np.random.default_rng(1)
    for _ in range(50):
        low = rng.uniform(-100, 100)
        ours = oracle.Regular(int(rng.integers(1, 500)), low, low + rng.uniform(1e-3, 100))
        theirs = boost_histogram.axis.Regular(ours.bins, ours.low, ours.high)
        for x in rng.uniform(ours.low - 1, ours.high + 1, 200):
            assert ours.index(x) == theirs.index(x) + 1
    rounded_up = oracle.Regular(100, -1e10, 1e-10)
    assert rounded_up.index(np.nextafter(1e-10, 0)) == 101


def test_hist():
    h = oracle.Hist(oracle.Regular(3, 0, 3, name="x", label="X"), oracle.Regular(2, 0, 1, name="y"))
    h.fill(0.5, y=0.5)
    h.fill(0.5, 0.75, weight=0.1)
    h.fill(5, -1, weight=2)
    real = h.to_hist("h")
    assert isinstance(real, hist.Hist) and real.axes[0].label == "X" and real.name == "h"
    assert real.values(flow=True)[1, 2] == 2 and real.values(flow=True)[4, 0] == 1 and real.hq_fills == 3
    h.is_weighted = True
    real = h.to_hist("h")
    assert real.values()[0, 1] == 1.1 and real.variances()[0, 1] == 1 + 0.1 * 0.1
    many = oracle.Hist(oracle.Regular(1, 0, 1), storage="Weight")
    for weight in [1.0] + [1e-16] * 10000:
        many.fill(0.5, weight=weight)
    assert many.sums()[0][1] == 1.000000000001
    many.fill(0.5, weight=math.inf)
    many.fill(-1, weight=math.nan)
    storage = json.loads(oracle.document({"many": many}))["many"]["storage"]
    assert storage["values"] == [0, math.inf, 0] and storage["variances"] == [math.inf, math.inf, 0]


def test_kinds_of_axes():
    """Each agrees with boost-histogram's wherever that takes the value; the rest by their definitions."""
    rng = np.random.default_rng(2)
    reals = [*rng.uniform(-2, 25, 200), math.nan, math.inf, -math.inf]
    wholes = list(range(-6, 12))
    bh = boost_histogram.axis
    for ours, theirs, values in (
            (oracle.Regular(9, 0.5, 20, transform=oracle.LOG), bh.Regular(9, 0.5, 20, transform=bh.transform.log), reals),
            (oracle.Regular(9, 2, 20, transform=oracle.SQRT), bh.Regular(9, 2, 20, transform=bh.transform.sqrt), reals),
            (oracle.Variable([-1, 0, 0.5, 3, 17]), bh.Variable([-1, 0, 0.5, 3, 17]), [*reals, -1, 0, 0.5, 3, 17]),
            (oracle.Integer(-2, 5), bh.Integer(-2, 5), wholes),
            (oracle.IntCategory([3, -4, 9]), bh.IntCategory([3, -4, 9]), wholes),
            (oracle.StrCategory(["a", "b"]), bh.StrCategory(["a", "b"]), ["b", "a", "", "B"]),
            (oracle.Boolean(), bh.Boolean(), [False, True])):
        real = oracle.Hist(ours).to_hist()
        assert real.axes[0].extent == ours.extent == theirs.extent and real.axes[0].traits == theirs.traits
        assert np.allclose(real.axes[0].edges, theirs.edges, rtol=1e-15, atol=0)
        assert type(real.axes[0]) is getattr(hist.axis, type(ours).__name__)
        for x in values:
            filled = boost_histogram.Histogram(theirs).fill([x]).view(flow=True)
            assert filled[ours.index(x)] == 1, (ours, x)
    assert [oracle.Regular(4, 0, 16, transform=oracle.SQRT).index(x) for x in (-1, 0, 1, 4, 9, 16)] == [5, 1, 2, 3, 4, 5]
    assert [oracle.Regular(3, 1, 1000, transform=oracle.LOG).index(x) for x in (-1, 0, 1, 99, 1000)] == [4, 0, 1, 2, 4]
    assert [oracle.Integer(-2, 3).index(np.float64(x)) for x in (-2.5, -0.5, 2.9, 3, math.nan)] == [0, 2, 5, 6, 6]
    assert [oracle.IntCategory([3, 1]).index(np.float64(x)) for x in (3, 1.5, math.nan)] == [0, 2, 2]


def test_profiles():
    """The means and their spread are those that boost-histogram finds."""
    rng = np.random.default_rng(3)
    x, samples, weights = rng.uniform(-0.2, 1.2, 3000), rng.normal(5, 2, 3000), rng.uniform(0.1, 3, 3000)
    for name, kind in (("Mean", boost_histogram.storage.Mean), ("WeightedMean", boost_histogram.storage.WeightedMean)):
        for some in (None, weights):
            ours = oracle.Hist(oracle.Regular(7, 0, 1), storage=oracle.storage_kind(name))
            for i in range(3000):
                ours.fill(x[i], sample=samples[i], weight=None if some is None else some[i])
            theirs = boost_histogram.Histogram(boost_histogram.axis.Regular(7, 0, 1), storage=kind())
            theirs.fill(x, sample=samples, weight=some)
            read = ours.to_hist()
            assert issubclass(read.storage_type, kind)
            for field in read.view().dtype.names:
                assert np.allclose(read.view(flow=True)[field], theirs.view(flow=True)[field], rtol=1e-12, atol=0)
    few = oracle.Hist(oracle.Boolean(), storage="WeightedMean")
    few.fill(True, sample=0.7, weight=0.3)
    few.fill(False, sample=3, weight=0)
    storage = json.loads(oracle.document({"few": few}))["few"]["storage"]
    assert storage == {"type": "weighted_mean", "sum_of_weights": [0, 0.3], "sum_of_weights_squared": [0, 0.3 * 0.3],
                       "values": [0, 0.7], "variances": [0, 0]}
    few.fill(False, sample=math.nan)
    document = json.loads(oracle.document({"few": few}))["few"]
    assert document["storage"]["variances"] == [math.inf, 0] and document["metadata"]["hq_nan_bins"] == 1


class Particle:
    def __init__(self, pt, eta, phi, mass=0.0):
        self.pt, self.eta, self.phi, self.mass = pt, eta, phi, mass


def test_library():
    pi = math.pi
    for a, b, expected in ((1, 0.5, 0.5), (3, -3, 6 - 2 * pi), (-3, 3, 2 * pi - 6), (pi, 0, -pi), (0, pi, -pi), (100, 0, 100 - 32 * pi)):
        assert abs(oracle.delta_phi(a, b) - expected) < 1e-13
    assert math.isnan(oracle.delta_phi(math.inf, 0))
    assert abs(oracle.delta_r(Particle(1, 1, 3.1), Particle(1, 1.3, 3.5 - 2 * pi)) - 0.5) < 1e-12
    one, other = Particle(40, 0.3, 0.2, 0.1), Particle(30, -1.2, 2.9, 4)
    assert abs(oracle.invariant_mass(one) - 0.1) < 1e-9 and abs(oracle.invariant_mass(other) - 4) < 1e-9
    energies = [math.hypot(p.pt * math.cosh(p.eta), p.mass) for p in (one, other)]
    dot = one.pt * other.pt * (math.cos(0.2 - 2.9) + math.sinh(0.3) * math.sinh(-1.2))
    pair = math.sqrt(0.1**2 + 4**2 + 2 * (energies[0] * energies[1] - dot))
    assert abs(oracle.invariant_mass(one, other) - pair) < 1e-9
    assert abs(oracle.invariant_mass(one, one, one) - 0.3) < 1e-6
    light = oracle.invariant_mass(Particle(50, 3.0, 1.1))
    assert abs(light) < 1e-4 and type(light) is np.float64
    squares = [oracle.invariant_mass(Particle(pt / 7, 2.3, 0.4)) for pt in range(1, 200)]
    assert any(mass < 0 for mass in squares) and not any(math.isnan(mass) for mass in squares)


def test_builtins():
    for expression, expected in {
        "sum(x * x for x in range(4))": 14, "sum([0.1, 0.2, 0.3])": 0.1 + 0.2 + 0.3, "sum(())": 0,
        "any(x > 2 for x in (1, 2))": False, "all(x > 0 for x in (1, 2))": True, "len([x for x in range(9) if x % 2])": 4,
        "min((3, 1.5, 2))": 1.5, "max((x for x in ()), default=-1)": -1, "max((1, -5, 3), key=lambda x: x * x)": -5,
        "min((4, 2, 2.5), key=lambda x: abs(x - 3))": 2.5, "sorted((3, 1, 2), reverse=True)[0]": 3,
        "sorted((3, 1, 2), key=lambda x: -x)[1]": 2, "sum(a * b for a, b in zip((1, 2), (3, 4)))": 11,
        "sum([9223372036854775807, 1])": -2**63,
    }.items():
        assert same(value_of(expression), expected), expression
    assert value_of("list_[1][2]", "from itertools import combinations\nlist_ = [c for c in combinations((5, 6, 7, 8), 3)]") == 8


def test_columns(data_dir):
    def find(name):
        return next(iter(glob.glob(f"{data_dir}/{name}") + glob.glob(f"{data_dir}/*/{name}")))

    hzz = find("uproot-HZZ.root") + ":events"
    tree = uproot.open(hzz)
    known = columns.columns_of(tree)
    found = columns.collections_of(known)
    assert set(found) == {"Jet", "Muon", "Electron", "Photon"}
    assert set(found["Muon"]) == {"Px", "Py", "Pz", "E", "Charge", "Iso"}
    assert len(known) == len(tree.keys())
    assert "Type" not in columns.columns_of(uproot.open(find("uproot-Zmumu.root") + ":events"))  # text

    events = list(columns.Events([hzz]))
    assert len(events) == tree.num_entries
    px = tree["Jet_Px"].array(library="ak")
    for event, expected in zip(events[:200], px[:200]):
        assert [jet.Px for jet in event.Jet] == expected.tolist()
        assert list(event.Jet_Px[1:]) == expected.tolist()[1:]
        assert len(event.Jet) == event.NJet == len(expected)
        assert event["Jet_Px"][:0] is not None and not event.Jet[5:2]
    event = next(event for event in events if len(event.Muon) == 2 and len(event.Electron) == 1)
    leptons = event.Muon + event.Electron
    assert [lepton.Px for lepton in leptons] == list(event.Muon_Px) + list(event.Electron_Px)
    assert len(leptons) == 3 and leptons[-1].E == event.Electron[0].E and leptons[1:][0].Iso == event.Muon[1].Iso
    both = event.Jet + event.Muon + event.Jet
    assert len(both) == 2 * len(event.Jet) + 2
    for wrong in ("Charge", "Iso", "btag"):
        try:
            getattr(both[0], wrong)
        except AttributeError:
            continue
        raise AssertionError(f"{wrong} is not in both")
    assert list(event.Muon_Px + event.Electron_Px)[2] == event.Electron[0].Px
    assert type(events[0].triggerIsoMu24) is bool and type(events[0].NJet) is int and type(events[0].MET_px) is float
    for wrong in (lambda: events[0].Jets, lambda: events[0].Muon[0].px, lambda: events[0].Muon[99]):
        try:
            wrong()
        except (AttributeError, IndexError):
            continue
        raise AssertionError("a column that does not exist")

    nano = columns.collections_of(columns.columns_of(uproot.open(find("nano_dy.root") + ":Events")))
    assert {"pt", "eta", "phi", "charge"} <= set(nano["Muon"]) and {"pt", "btagDeepB"} <= set(nano["Jet"])

    counted = run_text("""
from hist import Hist, axis
h = Hist(axis.Regular(10, 0, 10))
for event in events:
    for a in event.Muon:
        h.fill(len(event.Muon))
""", [hzz, hzz])["h"]
    muons = tree["NMuon"].array(library="np")
    assert [counted.counts.get((i + 1,), 0) for i in range(10)] == [2 * i * int(np.sum(muons == i)) for i in range(10)]


def test_compare():
    h = oracle.Hist(oracle.Regular(3, 0, 3, name="x"))
    w = oracle.Hist(oracle.Regular(3, 0, 3, name="x"), storage="Weight")
    for hist_ in (h, w):
        hist_.fill(1.5, weight=0.3)
        hist_.fill(1.5, weight=-0.1)
        hist_.fill(2.5, weight=1e10)
    plain = json.loads(oracle.document({"h": h, "w": w}))
    assert compare.differences(plain, plain) == []

    def changed(change):
        other = copy.deepcopy(plain)
        change(other)
        found = compare.differences(plain, other)
        assert compare.differences(other, plain) and len(found) == 1, found
        return found[0]

    def set_bin(name, key, index, value):
        def change(document):
            document[name]["storage"][key][index] = value
        return change

    assert changed(set_bin("h", "values", 2, 3)) == "h: values in [1, 2): 2 and 3"
    assert changed(set_bin("h", "values", 4, 1)) == "h: values in overflow: 0 and 1"
    assert "[2, 3)" in changed(set_bin("w", "values", 3, 1e10 * (1 + 3e-12)))
    assert "variances in [1, 2)" in changed(set_bin("w", "variances", 2, 0.1000001))
    assert "inf" in changed(set_bin("w", "values", 0, math.inf))
    assert "only in the first" in changed(lambda d: d.pop("w"))
    assert "upper" in changed(lambda d: d["h"]["axes"][0].update(upper=4.0))
    assert "label" in changed(lambda d: d["h"]["axes"][0]["metadata"].update(label="y"))
    assert "storage" in changed(lambda d: d["w"].update(storage=plain["h"]["storage"]))
    assert "filled" in changed(lambda d: d["w"]["metadata"].update(hq_fills=7))
    assert "shapes" in changed(lambda d: d["h"]["storage"].update(values=[1, 2]))
    near = copy.deepcopy(plain)
    set_bin("w", "values", 2, 0.2 * (1 + 1e-13))(near)
    assert compare.differences(plain, near) == []

    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/a.json", f"{folder}/b.json"]
        set_bin("h", "values", 2, 3)(near)
        for path, document in zip(paths, (plain, near)):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(document, file)
        script = [sys.executable, f"{HERE}/compare.py"]
        assert subprocess.run([*script, paths[0], paths[0]]).returncode == 0
        result = subprocess.run([*script, *paths], capture_output=True, text=True)
        assert result.returncode == 1 and result.stdout == "h: values in [1, 2): 2 and 3\n"


def test_compare_kinds():
    axes = (oracle.Variable([0, 1, 10]), oracle.IntCategory([11, 13]), oracle.StrCategory(["a"]), oracle.Boolean())
    h = oracle.Hist(*axes, storage="WeightedMean")
    for i in range(100):
        h.fill(i % 3, 11, "a", i % 2 == 0, sample=1e6 + i, weight=1 + i / 50)
    plain = json.loads(oracle.document({"h": h}))
    assert compare.differences(plain, plain) == []

    def changed(key, factor):
        other = copy.deepcopy(plain)
        array = np.array(other["h"]["storage"][key])
        array[1, 0, 0, 1] *= factor
        other["h"]["storage"][key] = array.tolist()
        return compare.differences(plain, other)

    for key in ("sum_of_weights", "sum_of_weights_squared", "values"):
        assert changed(key, 1 + 1e-13) == []
        assert len(changed(key, 1 + 1e-10)) == 1 and f"{key} in [0, 1) x 11 x 'a' x True" in changed(key, 1 + 1e-10)[0]
    assert changed("variances", 1 + 1e-10) == []  # samples of a million with a spread of a hundred
    assert len(changed("variances", 1.01)) == 1
    for axis, key, value in ((0, "edges", [0, 1, 11]), (1, "categories", [11, 12]), (2, "categories", ["b"])):
        other = copy.deepcopy(plain)
        other["h"]["axes"][axis][key] = value
        assert key in compare.differences(plain, other)[0]


def test_zpeak(data_dir):
    """The example that the demonstration shows: its fullest bin lies at the Z."""
    query = f"{os.path.dirname(os.path.dirname(HERE))}/queries/zpeak.py"
    import run
    mass = oracle.run(query, run.data_of(query, data_dir))["mass"].to_hist()
    assert abs(mass.axes[0].centers[np.argmax(mass.values())] - 91) < 2


if __name__ == "__main__":
    test_scalars()
    test_bins()
    test_hist()
    test_kinds_of_axes()
    test_profiles()
    test_library()
    test_builtins()
    test_columns(sys.argv[1])
    test_compare()
    test_compare_kinds()
    test_zpeak(sys.argv[1])
