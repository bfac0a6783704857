#!/usr/bin/env python3
"""Compares two documents of UHI histograms.

usage: compare.py A.json B.json

Names, axes, labels and kinds of storage must be the same, counts equal, and sums of weights equal within 1e-12 of the
larger of their size and the square root of the sum of squares (which bounds what rounding can do to sums that cancel).
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
    keys = ("type", "lower", "upper", "bins", "underflow", "overflow", "circular")
    found = [f"{key} is {a.get(key)!r} and {b.get(key)!r}" for key in keys if a.get(key) != b.get(key)]
    for key in ("name", "label"):
        one, other = (axis.get("metadata", {}).get(key, "") for axis in (a, b))
        if one != other:
            found.append(f"{key} is {one!r} and {other!r}")
    return found


def bin_name(axes, index):
    """"[90, 91) x overflow": where a bin with flow is."""
    parts = []
    for axis, i in zip(axes, index):
        width = (axis["upper"] - axis["lower"]) / axis["bins"]
        if i == 0:
            parts.append("underflow")
        elif i == axis["bins"] + 1:
            parts.append("overflow")
        else:
            parts.append(f"[{axis['lower'] + width * (i - 1):.6g}, {axis['lower'] + width * i:.6g})")
    return " x ".join(parts)


def sums_agree(a, b, scale):
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.maximum(np.abs(a), np.abs(b)), scale)
        return (a == b) | (np.isfinite(size) & (np.abs(a - b) <= TOLERANCE * size))


def storage_differences(a, b):
    one, other = a["storage"], b["storage"]
    if one["type"] != other["type"]:
        yield f"storage is {one['type']!r} and {other['type']!r}"
        return
    arrays = {key: (np.asarray(one[key]), np.asarray(other[key])) for key in one if key != "type"}
    shape = tuple(axis["bins"] + 2 for axis in a["axes"])
    for key, (left, right) in arrays.items():
        if left.shape != shape or right.shape != shape:
            yield f"{key} are of shapes {left.shape} and {right.shape} where the axes give {shape}"
            return
    if one["type"] == "int":
        equal = {"values": arrays["values"][0] == arrays["values"][1]}
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
