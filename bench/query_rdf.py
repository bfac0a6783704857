#!/usr/bin/env python3
"""One of the ADL queries by ROOT's RDataFrame, one thread, as a physicist writes it: a peer for bench/cold.

    query_rdf.py FILE TREE NAME

Prints a JSON line when the histograms are there, {"bins": [...]}, flow included, and after a second run in the same process,
which compiles nothing, another with its times in seconds: what the import took, the first run (ROOT's helpers declared,
the graph compiled, the events read and looped over) and the second.
"""
import json
import sys
import time

BEGUN = time.perf_counter()

import ROOT  # noqa: E402  (its time is measured)

HELPERS = r"""
namespace hq_bench {
using Floats = const ROOT::RVecF &;
using Ints = const ROOT::RVecI &;
using Momentum = ROOT::Math::PxPyPzEVector;

ROOT::RVec<Momentum> momenta(Floats pt, Floats eta, Floats phi, Floats mass)
{
    ROOT::RVec<Momentum> all;
    all.reserve(pt.size());
    for (size_t i = 0; i < pt.size(); i++)
        all.emplace_back(ROOT::Math::PtEtaPhiMVector(pt[i], eta[i], phi[i], mass[i]));
    return all;
}

bool from_z(const ROOT::RVec<Momentum> &p, Ints charge)
{
    for (size_t a = 0; a < p.size(); a++)
        for (size_t b = a + 1; b < p.size(); b++)
            if (charge[a] != charge[b]) {
                double mass = (p[a] + p[b]).M();
                if (60 < mass && mass < 120)
                    return true;
            }
    return false;
}

ROOT::RVec<size_t> top(const ROOT::RVec<Momentum> &p)
{
    ROOT::RVec<size_t> best{0, 1, 2};
    double nearest = INFINITY;
    for (size_t a = 0; a < p.size(); a++)
        for (size_t b = a + 1; b < p.size(); b++) {
            Momentum pair = p[a] + p[b];
            for (size_t c = b + 1; c < p.size(); c++) {
                double distance = std::abs((pair + p[c]).M() - 172.5);
                if (distance < nearest) {
                    nearest = distance;
                    best = {a, b, c};
                }
            }
        }
    return best;
}

ROOT::RVec<bool> far(Floats eta, Floats phi, Floats pt_of, Floats eta_of, Floats phi_of)
{
    ROOT::RVec<bool> is_far(eta.size(), true);
    for (size_t i = 0; i < eta.size(); i++)
        for (size_t k = 0; k < pt_of.size(); k++) {
            double x = double(eta[i]) - eta_of[k];
            double y = ROOT::VecOps::DeltaPhi(double(phi[i]), double(phi_of[k]));
            if (pt_of[k] > 10 && x * x + y * y < 0.4 * 0.4)
                is_far[i] = false;
        }
    return is_far;
}

int beside_z(const ROOT::RVec<Momentum> &p, Floats pt, Ints charge, size_t muons)
{
    int first = -1, second = -1, hardest = -1;
    double nearest = INFINITY;
    for (int a = 0; a < int(p.size()); a++)
        for (int b = a + 1; b < int(p.size()); b++)
            if (charge[a] != charge[b] && (a < int(muons)) == (b < int(muons))) {
                double distance = std::abs((p[a] + p[b]).M() - 91.2);
                if (distance < nearest) {
                    nearest = distance;
                    first = a;
                    second = b;
                }
            }
    for (int k = 0; first >= 0 && k < int(p.size()); k++)
        if (k != first && k != second && (hardest < 0 || pt[k] > pt[hardest]))
            hardest = k;
    return hardest;
}
}
"""
MOMENTA = "hq_bench::momenta({0}_pt, {0}_eta, {0}_phi, {0}_mass)"


def hist(frame, column, high=200.0):
    return frame.Histo1D(("h", "", 100, 0.0, high), column)


def q1(events):
    return [hist(events, "MET_pt")]


def q2(events):
    return [hist(events, "Jet_pt")]


def q3(events):
    return [hist(events.Define("pt", "Jet_pt[abs(Jet_eta) < 1]"), "pt")]


def q4(events):
    return [hist(events.Filter("Sum(Jet_pt > 40) >= 2"), "MET_pt")]


def q5(events):
    pairs = events.Filter("Muon_pt.size() >= 2").Define("p", MOMENTA.format("Muon"))
    return [hist(pairs.Filter("hq_bench::from_z(p, Muon_charge)"), "MET_pt")]


def q6(events):
    best = events.Filter("Jet_pt.size() >= 3").Define("p", MOMENTA.format("Jet")).Define("best", "hq_bench::top(p)")
    best = best.Define("pt", "(p[best[0]] + p[best[1]] + p[best[2]]).Pt()").Define("btag", "Max(Take(Jet_btag, best))")
    return [hist(best, "pt"), hist(best, "btag", 1.0)]


def q7(events):
    far = " && ".join(f"hq_bench::far(Jet_eta, Jet_phi, {name}_pt, {name}_eta, {name}_phi)" for name in ("Muon", "Electron"))
    jets = events.Filter("Jet_pt.size() > 0").Define("pt", f"Jet_pt[Jet_pt > 30 && {far}]").Filter("pt.size() > 0")
    return [hist(jets.Define("ht", "Sum(ROOT::RVecD(pt))"), "ht")]


def q8(events):
    leptons = events.Filter("Muon_pt.size() + Electron_pt.size() >= 3")
    for member in ("pt", "eta", "phi", "mass", "charge"):
        leptons = leptons.Define(f"Lepton_{member}", f"Concatenate(Muon_{member}, Electron_{member})")
    leptons = leptons.Define("p", MOMENTA.format("Lepton"))
    other = leptons.Define("k", "hq_bench::beside_z(p, Lepton_pt, Lepton_charge, Muon_pt.size())").Filter("k >= 0")
    return [hist(other.Define("mt", "std::sqrt(2.0 * Lepton_pt[k] * MET_pt * (1 - std::cos(double(MET_phi) - Lepton_phi[k])))"), "mt")]


def run(path, tree, name):
    hists = [booked.GetValue() for booked in globals()[name](ROOT.RDataFrame(tree, path))]
    return [[int(h.GetBinContent(i)) for i in range(h.GetNbinsX() + 2)] for h in hists]


def main():
    path, tree, name = sys.argv[1:]
    ROOT.gROOT.SetBatch(True)
    imported = time.perf_counter()
    if name >= "q5":
        ROOT.gInterpreter.Declare(HELPERS)
    print(json.dumps({"bins": run(path, tree, name)}), flush=True)
    first = time.perf_counter()
    run(path, tree, name)
    again = time.perf_counter()
    print(json.dumps({"root": ROOT.__version__, "import_s": imported - BEGUN, "first_s": first - imported,
                      "again_s": again - first}), flush=True)


if __name__ == "__main__":
    main()
