#!/usr/bin/env python3
"""Compares two documents of UHI histograms.

usage: compare.py A.json B.json

Names, axes, labels and kinds of storage must be the same, counts equal, and sums of weights equal within 1e-12 of the
larger of their size and the square root of the sum of squares (which bounds what rounding can do to sums that cancel).
Means and variances of samples may differ by 1e-12 of the samples' root mean square and of its square, times what the
variance's divisor has lost to cancellation.
Says where they differ; exit code 1 if they do.
"""

import argparse
import itertools
import json
import sys

import numpy as np

TOLERANCE = 1e-12
SHOWN = 5  # differing bins of one histogram


def axis_differences(a, b):
    found = []
    for key in sorted((a.keys() | b.keys()) - {"metadata", "edges"}):
        if a.get(key) != b.get(key):
            found.append(f"{key} is {a.get(key)!r} and {b.get(key)!r}")
    edges = [axis.get("edges", []) for axis in (a, b)]
    if len(edges[0]) != len(edges[1]) or not np.allclose(*edges, rtol=TOLERANCE, atol=0):
        found.append(f"edges are {edges[0]!r} and {edges[1]!r}")
    for key in ("name", "label"):
        one, other = (axis.get("metadata", {}).get(key, "") for axis in (a, b))
        if one != other:
            found.append(f"{key} is {one!r} and {other!r}")
    return found


def bins_of(axis):
    """How many bins the range has, and how many there are below and above it."""
    if axis["type"] == "boolean":
        return 2, 0, 0
    if "categories" in axis:
        return len(axis["categories"]), 0, int(axis["flow"])
    bins = axis["bins"] if axis["type"] == "regular" else len(axis["edges"]) - 1
    return bins, int(axis["underflow"]), int(axis["overflow"])


def one_bin_name(axis, i):
    bins, below, _ = bins_of(axis)
    i -= below
    if i < 0 or i >= bins:
        return "underflow" if i < 0 else "overflow"
    if axis["type"] == "boolean":
        return str(bool(i))
    if "categories" in axis:
        return repr(axis["categories"][i])
    if axis["type"] == "variable":
        return f"[{axis['edges'][i]:.6g}, {axis['edges'][i + 1]:.6g})"
    width = (axis["upper"] - axis["lower"]) / axis["bins"]
    return f"[{axis['lower'] + width * i:.6g}, {axis['lower'] + width * (i + 1):.6g})"


def bin_name(axes, index):
    """"[90, 91) x overflow": where a bin with flow is."""
    return " x ".join(map(one_bin_name, axes, index))


def sums_agree(a, b, scale):
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.maximum(np.abs(a), np.abs(b)), scale)
        return (a == b) | (np.isfinite(size) & (np.abs(a - b) <= TOLERANCE * size))


def finite(array):
    return np.where(np.isfinite(array), array, 0)


def mean_agrees(kind, arrays):
    """Which bins of a profile are the same, for each of its arrays."""
    sums = arrays["counts" if kind == "mean" else "sum_of_weights"]
    weight = np.maximum(*np.abs(sums))
    square = finite(np.maximum(*np.abs(arrays["values"]))) ** 2 + finite(np.maximum(*np.abs(arrays["variances"])))
    with np.errstate(all="ignore"):
        free = sums[0] - (1 if kind == "mean" else arrays["sum_of_weights_squared"][0] / sums[0])
        loss = finite(np.maximum(weight / np.abs(free), 1))
    zero = np.zeros(weight.shape)
    scale = {"values": np.sqrt(square), "variances": square * loss}
    return {key: sums_agree(*pair, scale.get(key, zero)) for key, pair in arrays.items()}


def storage_differences(a, b):
    one, other = a["storage"], b["storage"]
    if one["type"] != other["type"]:
        yield f"storage is {one['type']!r} and {other['type']!r}"
        return
    arrays = {key: np.array([one[key], other[key]]) for key in one if key != "type" and
              np.shape(one[key]) == np.shape(other[key])}
    for key in one.keys() - arrays.keys() - {"type"}:
        yield f"{key} are of shapes {np.shape(one[key])} and {np.shape(other[key])}"
        return
    shape = tuple(sum(bins_of(axis)) for axis in a["axes"])
    for key, (left, right) in arrays.items():
        if left.shape != shape:
            yield f"{key} are of shapes {left.shape} where the axes give {shape}"
            return
    if one["type"] == "int":
        equal = {"values": arrays["values"][0] == arrays["values"][1]}
    elif one["type"] in ("mean", "weighted_mean"):
        equal = mean_agrees(one["type"], arrays)
    else:
        variances = np.maximum(*arrays["variances"])
        scale = np.sqrt(np.where(np.isfinite(variances), variances, 0))
        equal = {"values": sums_agree(*arrays["values"], scale),
                 "variances": sums_agree(*arrays["variances"], np.zeros(shape))}
    for key, agree in equal.items():
        places = np.argwhere(~agree)
        for place in itertools.islice(places, SHOWN):
            left, right = (array[tuple(place)].item() for array in arrays[key])
            yield f"{key} in {bin_name(a['axes'], place)}: {left!r} and {right!r}"
        if len(places) > SHOWN:
            yield f"{key} in {len(places) - SHOWN} more bins"


def differences(a, b):
    """What is not the same, one text for each difference; none if all is the same."""
    found = []
    for name in sorted(a.keys() ^ b.keys()):
        found.append(f"{name}: only in the {'first' if name in a else 'second'}")
    for name in (name for name in a if name in b):
        one, other = a[name], b[name]
        if len(one["axes"]) != len(other["axes"]):
            found.append(f"{name}: {len(one['axes'])} axes and {len(other['axes'])}")
            continue
        axes = [f"{name}: axis {i}: {text}" for i, pair in enumerate(zip(one["axes"], other["axes"]))
                for text in axis_differences(*pair)]
        fills = [document.get("metadata", {}).get("hq_fills") for document in (one, other)]
        if None not in fills and fills[0] != fills[1]:
            found.append(f"{name}: filled {fills[0]} times and {fills[1]} times")
        found += axes or [f"{name}: {text}" for text in storage_differences(one, other)]
    return found


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description="Compares two documents of UHI histograms.")
    parser.add_argument("a")
    parser.add_argument("b")
    arguments = parser.parse_args()
    found = differences(load(arguments.a), load(arguments.b))
    for text in found:
        print(text)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
