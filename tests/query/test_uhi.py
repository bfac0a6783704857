"""What query/uhi.c writes is valid by uhi's own schema and is read by boost-histogram and hist, value for value.

usage: test_uhi.py PROGRAM      PROGRAM write, PROGRAM write-kinds: documents, as tests/query/test_uhi.c makes them
"""

import importlib.resources
import json
import subprocess
import sys

import boost_histogram
import hist
import jsonschema
import numpy as np
import referencing
import uhi.io.json


def values_expected(shape, weighted):
    i = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    return (i / 7 - 1, i / 3) if weighted else i * i + 3 * i


def uhi_schema():
    """A checker for uhi's own histograms.schema.json."""
    folder = importlib.resources.files("uhi") / "resources"
    schemas = {name: json.loads((folder / name).read_text("utf-8"))
               for name in ("histogram.schema.json", "histograms.schema.json")}
    registry = referencing.Registry().with_resources(
        (schema["$id"], referencing.Resource.from_contents(schema)) for schema in schemas.values())
    return jsonschema.Draft7Validator(schemas["histograms.schema.json"], registry=registry)


def text_of(program, what):
    text = subprocess.run([program, what], check=True, capture_output=True).stdout.decode("utf-8")

    def refuse(token):
        raise AssertionError(f"{token} is no JSON")

    json.loads(text, parse_constant=refuse)
    return text


AXES = {
    "log": boost_histogram.axis.Regular(7, 0.5, 300, transform=boost_histogram.axis.transform.log),
    "sqrt": boost_histogram.axis.Regular(5, 0, 90, transform=boost_histogram.axis.transform.sqrt),
    "variable": boost_histogram.axis.Variable([-1, 0, 0.5, 3]),
    "integer": boost_histogram.axis.Integer(-2, 4),
    "ints": boost_histogram.axis.IntCategory([3, -7, 100]),
    "texts": boost_histogram.axis.StrCategory(["mu", "eé \""]),
    "flags": boost_histogram.axis.Boolean(),
}


def kth_values(name):
    k = np.arange(500)
    if name in ("log", "sqrt", "variable"):
        return (k * 37 % 113) / 8 - 1.5
    values = k * 5 % 13 - 5
    # On an axis of texts hq takes the category's number.
    return [dict(enumerate(["mu", "eé \""])).get(value, "?") for value in values] if name == "texts" \
        else values != 0 if name == "flags" else values


def filled_kth(storage, first, last):
    k = np.arange(first, last)
    h = boost_histogram.Histogram(boost_histogram.axis.Regular(4, 0, 1), storage=storage)
    h.fill((k * 29 % 31) / 20 - 0.25, weight=0.25 + k % 5 / 4, sample=(k * k % 29) / 7 + 90)
    return h


def check_means(read, expected, storage):
    """All that the schema keeps is equal bit for bit; the spread went through a division and back."""
    view, wanted = read.view(flow=True), expected.view(flow=True)
    assert issubclass(read.storage_type, storage)
    for field in view.dtype.names[:-1]:
        assert np.array_equal(view[field], wanted[field]), (field, view[field], wanted[field])
    assert np.allclose(view[view.dtype.names[-1]], wanted[view.dtype.names[-1]], rtol=1e-14, atol=0)
    assert np.allclose(view.variance, wanted.variance, rtol=1e-14, atol=0)


def check_kinds(program):
    """Every kind of axis and of storage is what boost-histogram itself makes of the same fills."""
    text = text_of(program, "write-kinds")
    uhi_schema().validate(json.loads(text))
    document = json.loads(text, object_hook=uhi.io.json.object_hook)
    for reader, base in ((boost_histogram.Histogram, boost_histogram.axis), (hist.Hist, hist.axis)):
        for name, axis in AXES.items():
            read = reader(document[name])
            expected = boost_histogram.Histogram(axis, storage=boost_histogram.storage.Int64())
            expected.fill(kth_values(name))
            assert np.array_equal(read.view(flow=True), expected.view(flow=True)), name
            assert type(read.axes[0]) is getattr(base, type(axis).__name__), type(read.axes[0])
            assert read.axes[0].extent == axis.extent and read.axes[0].traits == axis.traits
            assert np.allclose(read.axes[0].edges, axis.edges, rtol=1e-15, atol=1e-15)
            assert list(read.axes[0]) == list(axis) or name in ("log", "sqrt")
            if name in ("log", "sqrt"):
                assert read.axes[0].transform == axis.transform

        many = reader(document["many"])
        assert many.axes.extent == (8, 4, 3, 2)
        i = np.arange(8 * 4 * 3 * 2).reshape(8, 4, 3, 2)
        assert np.array_equal(many.view(flow=True).value, 2 * i / 7)
        assert np.array_equal(many.view(flow=True).variance, (2 * i + 1) / 7)

        for name, storage in (("mean", boost_histogram.storage.Mean),
                              ("weighted mean", boost_histogram.storage.WeightedMean)):
            check_means(reader(document[name]), filled_kth(storage(), 0, 200), storage)
            parts = [filled_kth(storage(), 200 * i // 3, 200 * (i + 1) // 3) for i in range(3)]
            check_means(reader(document[f"{name} of parts"]), parts[0] + parts[1] + parts[2], storage)

        none = reader(document["mean of none"]).view(flow=True)
        assert none.count.tolist() == [1, 0, 0, 0, 1] and none.value.tolist() == [5, 0, 0, 0, 0]
        assert np.array_equal(none._sum_of_deltas_squared[:4], np.zeros(4))
        none = reader(document["weighted mean of none"]).view(flow=True)
        assert none.sum_of_weights.tolist() == [0, 2] and none.value.tolist() == [0, 5]
        assert none._sum_of_weighted_deltas_squared[1] == 0


def main(program):
    check_kinds(program)
    text = text_of(program, "write")
    document = json.loads(text, object_hook=uhi.io.json.object_hook)
    plain = json.loads(text)
    large = plain.pop("large")  # a million bins take the checker long, and add nothing
    schema = uhi_schema()
    schema.validate(plain)
    large["storage"]["values"] = [[0]]
    schema.validate({"large": large})
    large["metadata"]["hq_list"] = []
    assert not schema.is_valid({"large": large})

    shapes = {"counts": (12,), "sums": (12,), "plane": (12, 5), "cube": (12, 5, 4), "bare": (6,), "large": (1002, 1002)}
    assert set(document) == set(shapes) | {"infinite"}
    for name, shape in shapes.items():
        for reader in (boost_histogram.Histogram, hist.Hist):
            read = reader(document[name])
            assert read.axes.extent == shape, (name, read.axes.extent)
            view = read.view(flow=True)
            weighted = name in ("sums", "plane")
            if weighted:
                value, variance = values_expected(shape, True)
                assert np.array_equal(view.value, value) and np.array_equal(view.variance, variance), name
                assert read.storage_type is boost_histogram.storage.Weight or issubclass(
                    read.storage_type, boost_histogram.storage.Weight)
            elif name == "large":
                assert np.array_equal(view, np.arange(1002 * 1002).reshape(shape))
            else:
                assert np.array_equal(view, values_expected(shape, False)), name
                assert issubclass(read.storage_type, boost_histogram.storage.Int64)
            assert read.hq_query == "0123" and read.hq_seconds == 1.5 and read.hq_fills >= 0
            if name != "bare":
                continue
            assert np.array_equal(read.axes[0].edges, [0, 0.25, 0.5, 0.75, 1])

    cube = hist.Hist(document["cube"])
    assert cube.name == "cube"
    assert [axis.name for axis in cube.axes] == ["x", "y", "z"]
    assert [axis.label for axis in cube.axes] == ["pᵀ [GeV]", "y", "third"]
    assert cube.axes[0].edges[0] == -0.1 and cube.axes[0].edges[-1] == 1.2 and len(cube.axes[0]) == 10
    assert cube[{"z": sum}].project("x").sum(flow=True) == cube.sum(flow=True)

    infinite = hist.Hist(document["infinite"])
    view = infinite.view(flow=True)
    assert infinite.hq_nan_bins == 1
    assert np.isposinf(view.value[1]) and view.value[2] == 0 and np.isposinf(view.variance[2])


if __name__ == "__main__":
    main(sys.argv[1])
