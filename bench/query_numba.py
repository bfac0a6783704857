#!/usr/bin/env python3
"""The ADL queries as numba loops over NumPy arrays in memory, the fastest that Python has: a peer for bench/query.

    query_numba.py FILE TREE ROUNDS NAME...

Prints JSON: for each query its best and median time in microseconds of this thread, and its bins; and the best time from the file,
uproot's reading of just the columns that it needs included, with the file in the page cache.
"""
import json
import math
import sys
import time

import numba
import numpy as np
import uproot

FILE_ROUNDS = 3

jit = numba.njit(error_model="numpy")


@jit
def fill(bins, x, high):
    position = 100 * x / high
    if x < 0:
        bins[0] += 1
    elif position < 100:
        bins[1 + int(position)] += 1
    else:
        bins[101] += 1


@jit
def q1(e, j, m, l, h):
    for x in e[0]:
        fill(h[0], np.float64(x), 200.0)


@jit
def q2(e, j, m, l, h):
    for x in j[1]:
        fill(h[0], np.float64(x), 200.0)


@jit
def q3(e, j, m, l, h):
    for k in range(len(j[1])):
        if abs(j[2][k]) < 1:
            fill(h[0], np.float64(j[1][k]), 200.0)


@jit
def q4(e, j, m, l, h):
    for i in range(len(e[0])):
        hard = 0
        for k in range(j[0][i], j[0][i + 1]):
            hard += j[1][k] > 40
        if hard >= 2:
            fill(h[0], np.float64(e[0][i]), 200.0)


@jit
def momentum(o, k):
    pt, eta, phi, mass = np.float64(o[1][k]), np.float64(o[2][k]), np.float64(o[3][k]), np.float64(o[4][k])
    x, y, z = pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)
    return x, y, z, math.sqrt(x * x + y * y + z * z + mass * mass)


@jit
def mass_of(x, y, z, e):
    square = e * e - x * x - y * y - z * z
    return -math.sqrt(-square) if square < 0 else math.sqrt(square)


@jit
def pair_mass(o, a, b):
    p, q = momentum(o, a), momentum(o, b)
    return mass_of(p[0] + q[0], p[1] + q[1], p[2] + q[2], p[3] + q[3])


@jit
def has_z(m, first, last):
    for a in range(first, last):
        for b in range(a + 1, last):
            if m[5][a] != m[5][b] and 60 < pair_mass(m, a, b) < 120:
                return True
    return False


@jit
def q5(e, j, m, l, h):
    for i in range(len(e[0])):
        if has_z(m, m[0][i], m[0][i + 1]):
            fill(h[0], np.float64(e[0][i]), 200.0)


@jit
def q6(e, j, m, l, h):
    p = np.empty((256, 4))
    for i in range(len(j[0]) - 1):
        first, count = j[0][i], j[0][i + 1] - j[0][i]
        if count < 3 or count > 256:
            continue
        for k in range(count):
            p[k, 0], p[k, 1], p[k, 2], p[k, 3] = momentum(j, first + k)
        nearest, a, b, c = np.inf, 0, 1, 2
        for x in range(count - 2):
            for y in range(x + 1, count - 1):
                s0, s1, s2, s3 = p[x, 0] + p[y, 0], p[x, 1] + p[y, 1], p[x, 2] + p[y, 2], p[x, 3] + p[y, 3]
                for z in range(y + 1, count):
                    d = abs(mass_of(s0 + p[z, 0], s1 + p[z, 1], s2 + p[z, 2], s3 + p[z, 3]) - 172.5)
                    if d < nearest:
                        nearest, a, b, c = d, x, y, z
        px, py = p[a, 0] + p[b, 0] + p[c, 0], p[a, 1] + p[b, 1] + p[c, 1]
        fill(h[0], math.sqrt(px * px + py * py), 200.0)
        fill(h[1], np.float64(max(j[6][first + a], j[6][first + b], j[6][first + c])), 1.0)


@jit
def has_near(o, i, eta, phi):
    for k in range(o[0][i], o[0][i + 1]):
        if o[1][k] > 10:
            d_eta, d_phi = eta - np.float64(o[2][k]), phi - np.float64(o[3][k])
            if d_phi > math.pi:
                d_phi -= 2 * math.pi
            elif d_phi < -math.pi:
                d_phi += 2 * math.pi
            if d_eta * d_eta + d_phi * d_phi < 0.4 * 0.4:
                return True
    return False


@jit
def q7(e, j, m, l, h):
    for i in range(len(j[0]) - 1):
        total = 0.0
        for k in range(j[0][i], j[0][i + 1]):
            if j[1][k] > 30:
                eta, phi = np.float64(j[2][k]), np.float64(j[3][k])
                if not has_near(m, i, eta, phi) and not has_near(l, i, eta, phi):
                    total += np.float64(j[1][k])
        if total > 0:
            fill(h[0], total, 200.0)


@jit
def nearest_pair(o, i, nearest):
    first, second = -1, -1
    for a in range(o[0][i], o[0][i + 1]):
        for b in range(a + 1, o[0][i + 1]):
            if o[5][a] != o[5][b]:
                d = abs(pair_mass(o, a, b) - 91.2)
                if d < nearest:
                    nearest, first, second = d, a, b
    return nearest, first, second


@jit
def hardest_other(o, i, first, second, pt, phi):
    for k in range(o[0][i], o[0][i + 1]):
        if k != first and k != second and o[1][k] > pt:
            pt, phi = np.float64(o[1][k]), np.float64(o[3][k])
    return pt, phi


@jit
def q8(e, j, m, l, h):
    for i in range(len(e[0])):
        if m[0][i + 1] - m[0][i] + l[0][i + 1] - l[0][i] < 3:
            continue
        nearest, a, b = nearest_pair(m, i, np.inf)
        nearest2, c, d = nearest_pair(l, i, nearest)
        if c >= 0:
            a, b = -1, -1
        if not nearest2 < np.inf:
            continue
        pt, phi = hardest_other(m, i, a, b, -1.0, 0.0)
        pt, phi = hardest_other(l, i, c, d, pt, phi)
        fill(h[0], math.sqrt(2 * pt * e[0][i] * (1 - math.cos(np.float64(e[1][i]) - phi))), 200.0)


MEMBERS = ("pt", "eta", "phi", "mass", "charge", "btag")
KINEMATICS = ("pt", "eta", "phi", "mass")
NEEDED = {  # of the event, and of each collection
    "q1": (("pt",), {}),
    "q2": ((), {"Jet": ("pt",)}),
    "q3": ((), {"Jet": ("pt", "eta")}),
    "q4": (("pt",), {"Jet": ("pt",)}),
    "q5": (("pt",), {"Muon": (*KINEMATICS, "charge")}),
    "q6": ((), {"Jet": (*KINEMATICS, "btag")}),
    "q7": ((), {"Jet": ("pt", "eta", "phi"), "Muon": ("pt", "eta", "phi"), "Electron": ("pt", "eta", "phi")}),
    "q8": (("pt", "phi"), {"Muon": (*KINEMATICS, "charge"), "Electron": (*KINEMATICS, "charge")}),
}
EVERYTHING = (("pt", "phi"), {"Jet": (*KINEMATICS, "btag"), "Muon": (*KINEMATICS, "charge"), "Electron": (*KINEMATICS, "charge")})


def objects(tree, name, members):
    """offsets, pt, eta, phi, mass, charge, btag: all of the same shape for all collections; zeros for what is not wanted."""
    arrays = {member: np.zeros(1, np.int32 if member == "charge" else np.float32) for member in MEMBERS}
    offsets = np.zeros(1, np.int64)
    for member in members:
        content = tree[f"{name}_{member}"].array().layout
        arrays[member] = np.ascontiguousarray(content.content.data)
        offsets = content.offsets.data
    offsets = np.ascontiguousarray(offsets).astype(np.int64)
    return offsets, *(arrays[member] for member in MEMBERS[:4]), arrays["charge"].astype(np.int32), arrays["btag"]


def read(tree, needed):
    of_event, of_collections = needed
    event = tuple(tree[f"MET_{name}"].array(library="np") if name in of_event else np.zeros(1, np.float32) for name in ("pt", "phi"))
    return event, *(objects(tree, name, of_collections.get(name, ())) for name in ("Jet", "Muon", "Electron"))


def warm(path):
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def time_from_file(path, tree_name, name, rounds):
    """The best of the rounds: one thread, opening the file not counted, the loop compiled before. And the bins."""
    times = []
    for _ in range(rounds):
        warm(path)
        with uproot.open(path) as file:
            tree = file[tree_name]
            bins = np.zeros((2, 102), np.int64)
            begun = time.process_time()
            inputs = read(tree, NEEDED[name])
            globals()[name](*inputs, bins)
            times.append((time.process_time() - begun) * 1e6)
    return min(times), bins


def main():
    path, tree_name, rounds, names = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    with uproot.open(path) as file:
        inputs = read(file[tree_name], EVERYTHING)
    result = {}
    for name in names:
        times = []
        for _ in range(rounds + 1):  # the first one compiles
            bins = np.zeros((2, 102), np.int64)
            begun = time.thread_time()
            globals()[name](*inputs, bins)
            times.append((time.thread_time() - begun) * 1e6)
        times = sorted(times[1:])
        file_us, file_bins = time_from_file(path, tree_name, name, min(rounds, FILE_ROUNDS))
        if not np.array_equal(bins, file_bins):
            sys.exit(f"{name} gives another histogram from the file")
        result[name] = {"file_us": file_us, "best_us": times[0], "median_us": times[len(times) // 2], "fills": int(bins.sum())}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
