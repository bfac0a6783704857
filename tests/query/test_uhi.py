"""What query/uhi.c writes is valid by uhi's own schema and is read by boost-histogram and hist, value for value.

usage: test_uhi.py PROGRAM      PROGRAM write: the document, as tests/query/test_uhi.c makes it
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


def main(program):
    text = subprocess.run([program, "write"], check=True, capture_output=True).stdout.decode("utf-8")

    def refuse(token):
        raise AssertionError(f"{token} is no JSON")

    json.loads(text, parse_constant=refuse)
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
