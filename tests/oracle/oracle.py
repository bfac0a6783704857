#!/usr/bin/env python3
"""The oracle: runs a query's text under CPython, over columns read by uproot, and writes what hq must give.

usage: oracle.py QUERY FILE[:Tree] ... [--json OUT]

Of hq nothing is used but the text. The text is run as it stands, with three things put in its place:

- `events` is an iterable of the files' entries, with the columns of columns.py as attributes and by event["name"].
- Operands of operators are turned into NumPy's int64 and float64 scalars, so that 1 / 0 is inf, 1 // 0 is 0 and an
  int wraps; a comparison gives a plain bool. `math` gives nan or inf where CPython's own raises. int, round, floor and
  their kin, which have no int to give for nan or inf, give 0 for nan and the nearest int64 for the rest.
- `hist` is the class Hist below, which finds the bin by the formula floor(n * (x - low) / (high - low)) instead of
  boost-histogram's, which puts some values on an edge into the bin below it. Sums of weights are exact (math.fsum).

The result is JSON of the UHI schema, with hq's way of writing what is not finite (query/uhi.h).
"""

import argparse
import ast
import builtins
import json
import math
import sys
import types

import numpy as np

from columns import Events

INT64 = np.iinfo(np.int64)


# --- scalars -----------------------------------------------------------------------------------------------------


def number(x):
    """An operand as a NumPy scalar."""
    kind = type(x)
    if kind is np.float64 or kind is np.int64:
        return x
    if kind is float:
        return np.float64(x)
    if kind is int or kind is bool or kind is np.bool_:
        return np.int64(x)
    raise TypeError(f"{x!r} is no number")


def power(a, b):
    a, b = number(a), number(b)
    if isinstance(a, np.int64) and isinstance(b, np.int64) and b < 0:
        return np.float64(a) ** np.float64(b)
    return a ** b


def to_int(x):
    """Towards zero, into the range of an int64; 0 for nan."""
    x = number(x)
    if isinstance(x, np.int64):
        return int(x)
    if np.isnan(x):
        return 0
    if np.isinf(x):
        return INT64.max if x > 0 else INT64.min
    return min(max(math.trunc(x), INT64.min), INT64.max)


def to_int_by(function):
    """floor, ceil, round: for what is finite Python's own."""
    def convert(x):
        x = number(x)
        return to_int(x if isinstance(x, np.int64) or not np.isfinite(x) else np.float64(function(float(x))))
    return convert


def extreme(function):
    """min, max: the result has the wider type of all arguments."""
    def choose(first, *others):
        values = [number(x) for x in (first, *others)]
        result = function(values)
        return np.float64(result) if any(isinstance(x, np.float64) for x in values) else result
    return choose


class Operands(ast.NodeTransformer):
    """Wraps the operands of every operator."""

    @staticmethod
    def call(name, *arguments):
        return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            return self.call("__hq_power", node.left, node.right)
        return ast.BinOp(self.call("__hq_number", node.left), node.op, self.call("__hq_number", node.right))

    def visit_AugAssign(self, node):
        value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        return ast.Assign([node.target], self.visit(value))

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return node if isinstance(node.op, ast.Not) else ast.UnaryOp(node.op, self.call("__hq_number", node.operand))

    def visit_Compare(self, node):
        self.generic_visit(node)
        operands = [self.call("__hq_number", operand) for operand in (node.left, *node.comparators)]
        return self.call("__hq_bool", ast.Compare(operands[0], node.ops, operands[1:]))


# --- math --------------------------------------------------------------------------------------------------------


def gamma_beyond(x):
    return math.copysign(math.inf, x) if x == 0 or x > 0 else math.nan


# What IEEE 754 and C give where CPython raises ValueError or OverflowError.
BEYOND = {
    "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "atanh": np.arctanh, "cos": np.cos, "cosh": np.cosh,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "fmod": np.fmod, "log": np.log, "log10": np.log10,
    "log1p": np.log1p, "log2": np.log2, "pow": np.float_power, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt,
    "tan": np.tan, "gamma": gamma_beyond, "lgamma": lambda x: math.inf, "remainder": lambda x, y: math.nan,
}


def total(function, beyond):
    """A function of math on floats that never raises."""
    def call(*arguments):
        arguments = [float(number(x)) for x in arguments]
        try:
            return function(*arguments)
        except (ValueError, OverflowError):
            return float(beyond(*arguments))
    return call


def logarithm(x, base=None):
    natural = total(math.log, np.log)
    return natural(x) if base is None else number(natural(x)) / number(natural(base))


def math_module():
    module = types.ModuleType("math")
    for name in dir(math):
        value = getattr(math, name)
        if isinstance(value, float):
            setattr(module, name, value)
        elif callable(value) and not name.startswith("_"):
            setattr(module, name, total(value, BEYOND[name]) if name in BEYOND else value)
    module.log = logarithm
    module.floor, module.ceil, module.trunc = to_int_by(math.floor), to_int_by(math.ceil), to_int
    return module


# --- hist --------------------------------------------------------------------------------------------------------


class Regular:
    def __init__(self, bins, start, stop, *, name="", label="", underflow=True, overflow=True, flow=True, growth=False,
                 circular=False):
        assert underflow and overflow and flow and not growth and not circular
        self.bins, self.low, self.high = int(bins), float(start), float(stop)
        self.name, self.label = name, label

    def index(self, x):
        x = float(x)
        if x < self.low:
            return 0
        if not x < self.high:
            return self.bins + 1
        return min(1 + math.floor(self.bins * (x - self.low) / (self.high - self.low)), self.bins + 1)

    def to_uhi(self):
        metadata = {key: text for key, text in (("name", self.name), ("label", self.label)) if text}
        axis = {"type": "regular", "lower": self.low, "upper": self.high, "bins": self.bins,
                "underflow": True, "overflow": True, "circular": False}
        return axis | ({"metadata": metadata} if metadata else {})


def storage_kind(name):
    """Of Int64, Double and Weight only the last matters: it holds sums of weights even if no fill has one."""
    return lambda: name


class Hist:
    """Counts, or for each bin the weights that fell into it, to be summed up without rounding at the end."""

    def __init__(self, *axes, storage="double"):
        self.axes = axes
        self.shape = tuple(axis.bins + 2 for axis in axes)
        self.is_weighted = (storage if isinstance(storage, str) else storage()).lower() == "weight"
        self.fills = 0
        self.counts = {}
        self.weights = {}

    def fill(self, *values, weight=None, **named):
        values = list(values) + [named[axis.name] for axis in self.axes[len(values):]]
        assert len(values) == len(self.axes), "fill takes a value for each axis"
        bin = tuple(axis.index(number(x)) for axis, x in zip(self.axes, values))
        self.fills += 1
        self.counts[bin] = self.counts.get(bin, 0) + 1
        self.weights.setdefault(bin, []).append(1.0 if weight is None else float(number(weight)))

    def sums(self):
        """The sums of w and of w * w, as arrays with flow."""
        def exact(values):
            try:
                if all(map(math.isfinite, values)):
                    return math.fsum(values)
            except OverflowError:
                pass
            with np.errstate(invalid="ignore", over="ignore"):
                return float(np.sum(values))
        value, variance = np.zeros(self.shape), np.zeros(self.shape)
        for bin, weights in self.weights.items():
            value[bin], variance[bin] = exact(weights), exact([w * w for w in weights])
        return value, variance

    def to_uhi(self, name):
        storage = {"type": "int"}
        metadata = {"name": name, "hq_fills": self.fills}
        if self.is_weighted:
            value, variance = self.sums()
            unknown = np.isnan(value) | np.isnan(variance)
            if unknown.any():
                metadata["hq_nan_bins"] = int(unknown.sum())
            storage = {"type": "weighted", "values": np.where(unknown, 0, value),
                       "variances": np.where(unknown, np.inf, variance)}
        else:
            counts = np.zeros(self.shape, np.int64)
            for bin, count in self.counts.items():
                counts[bin] = count
            storage["values"] = counts
        return {"uhi_schema": 1, "metadata": metadata, "axes": [axis.to_uhi() for axis in self.axes],
                "storage": storage}

    def to_hist(self, name=""):
        """The real thing, of the package hist."""
        import hist
        return hist.Hist(self.to_uhi(name))


def hist_modules():
    module, axis, storage = types.ModuleType("hist"), types.ModuleType("hist.axis"), types.ModuleType("hist.storage")
    axis.Regular = Regular
    for name in ("Int64", "Double", "Weight"):
        setattr(storage, name, storage_kind(name))
    module.Hist, module.axis, module.storage = Hist, axis, storage
    return {"hist": module, "hist.axis": axis, "hist.storage": storage}


# --- running -----------------------------------------------------------------------------------------------------


def weighted_names(tree):
    """The histograms that some fill in the text gives a weight: hq decides by the text, whether or not it is run."""
    return {node.func.value.id for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fill"
            and isinstance(node.func.value, ast.Name) and any(keyword.arg == "weight" for keyword in node.keywords)}


def namespace(events):
    modules = {"math": math_module(), **hist_modules()}

    def importer(name, globals=None, locals=None, fromlist=(), level=0):
        if name not in modules:
            raise ImportError(f"a query cannot import {name}")
        return modules[name if fromlist else name.split(".")[0]]

    names = {name: getattr(builtins, name) for name in ("bool", "enumerate", "float", "len", "range")}
    names |= {"int": to_int, "round": to_int_by(round), "min": extreme(min), "max": extreme(max),
              "abs": lambda x: abs(number(x)), "pow": power, "__import__": importer}
    return {"__builtins__": names, "__hq_number": number, "__hq_power": power, "__hq_bool": bool, "events": events}


def run(query_path, specs):
    """The histograms of the query by name, in the order of their declaration."""
    with open(query_path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), query_path)
    weighted = weighted_names(tree)
    code = compile(ast.fix_missing_locations(Operands().visit(tree)), query_path, "exec")
    names = namespace(Events(specs))
    with np.errstate(all="ignore"):
        exec(code, names)
    hists = {name: value for name, value in names.items() if isinstance(value, Hist)}
    for name in weighted & hists.keys():
        hists[name].is_weighted = True
    return hists


def json_text(value, depth=0):
    """As json.dumps, but with infinity as 1e999, which JSON allows and json.loads reads."""
    if isinstance(value, dict):
        inner = ",\n".join(f"{'  ' * (depth + 1)}{json.dumps(key)}: {json_text(item, depth + 1)}"
                           for key, item in value.items())
        return f"{{\n{inner}\n{'  ' * depth}}}" if inner else "{}"
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return f"[{', '.join(json_text(item, depth + 1) for item in value)}]"
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return json.dumps(value, allow_nan=False)


def document(hists):
    return json_text({name: hist.to_uhi(name) for name, hist in hists.items()}) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Runs a query under CPython, over columns read by uproot.")
    parser.add_argument("query")
    parser.add_argument("files", nargs="+", metavar="FILE[:Tree]")
    parser.add_argument("--json", metavar="OUT", default="-", help="where the UHI JSON goes; default: standard output")
    arguments = parser.parse_args()
    text = document(run(arguments.query, arguments.files))
    if arguments.json == "-":
        sys.stdout.write(text)
    else:
        with open(arguments.json, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
