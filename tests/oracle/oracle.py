#!/usr/bin/env python3
"""The oracle: runs a query's text under CPython, over columns read by uproot, and writes what hq must give.

usage: oracle.py QUERY FILE[:Tree] ... [--json OUT]

Of hq nothing is used but the text. The text is run as it stands, with three things put in its place:

- `events` is an iterable of the files' entries, with the columns of columns.py as attributes and by event["name"].
- Operands of operators are turned into NumPy's int64 and float64 scalars, so that 1 / 0 is inf, 1 // 0 is 0 and an
  int wraps; a comparison gives a plain bool. `math` gives nan or inf where CPython's own raises. int, round, floor and
  their kin, which have no int to give for nan or inf, give 0 for nan and the nearest int64 for the rest.
- `hist` is the class Hist below, which finds the bin by the formula floor(n * (x - low) / (high - low)) instead of
  boost-histogram's, which puts some values on an edge into the bin below it. Sums of weights are exact (math.fsum), a
  mean and the spread around it are computed from all samples in two passes.
- `hq` is the functions delta_phi, delta_r and invariant_mass below.

The result is JSON of the UHI schema, with hq's way of writing what is not finite (query/uhi.h).
"""

import argparse
import ast
import bisect
import builtins
import fractions
import itertools
import json
import math
import sys
import types

import numpy as np

from columns import Events, Joined, Sequence

INT64 = np.iinfo(np.int64)


# --- scalars -----------------------------------------------------------------------------------------------------


def number(x):
    """An operand as a NumPy scalar, or a tuple of them. All floats are made anew: to Python a nan in a tuple is equal to
    another if they are one object, and hq knows no objects."""
    kind = type(x)
    if kind is np.float64 or kind is np.int64:
        return x
    if kind is float:
        return np.float64(x)
    if kind is int or kind is bool or kind is np.bool_:
        return np.int64(x)
    if kind is tuple:
        return tuple(np.float64(float(part)) if isinstance(part, float) else number(part) for part in x)
    if kind is Sequence or kind is Joined or kind is list:  # what + joins
        return x
    raise TypeError(f"{x!r} is no number")


def sought(x):
    """What is looked for by 'in': of floats a new object, see number."""
    return number((x,))[0]


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


def rounded(x, ndigits=None):
    """round; to digits it keeps the type."""
    x = number(x)
    if ndigits is None:
        return to_int_by(round)(x)
    if isinstance(x, np.int64):
        return wrapped(round(int(x), int(ndigits)))
    try:
        return round(float(x), int(ndigits))
    except OverflowError:
        return math.copysign(math.inf, x)


def extreme(function):
    """min, max: the result has the wider type of all arguments, or is the element with the least or greatest key."""
    def choose(first, *others, key=None, default=None):
        items = [first, *others] if others else list(first)
        if not items and default is not None:
            return default
        if key is not None:
            return function(items, key=lambda item: number(key(item)))
        values = [number(x) for x in items]
        result = function(values)
        is_float = not isinstance(result, tuple) and any(isinstance(x, np.float64) for x in values)
        return np.float64(result) if is_float else result
    return choose


def total_of(items, start=0):
    """sum, from left to right, without the compensation of newer Pythons."""
    result = number(start)
    for item in items:
        result = result + number(item)
    return result


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
        # What stands behind 'in' is gone through as it is.
        looks = [isinstance(op, (ast.In, ast.NotIn)) for op in node.ops]
        operands = [operand if behind else self.call("__hq_sought" if before else "__hq_number", operand)
                    for operand, behind, before in zip((node.left, *node.comparators), [False, *looks], [*looks, False])]
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
            with np.errstate(all="ignore"):
                return float(beyond(*arguments))
    return call


def total_of_scale(x, exponent):
    """math.ldexp, with inf where CPython raises."""
    try:
        return math.ldexp(float(number(x)), int(exponent))
    except OverflowError:
        return math.copysign(math.inf, x)


def logarithm(x, base=None):
    natural = total(math.log, np.log)
    return natural(x) if base is None else number(natural(x)) / number(natural(base))


def wrapped(value):
    """An int of any size as an int64."""
    return (value - INT64.min) % 2**64 + INT64.min


def of_ints(function):
    """gcd, comb and their kin: 0 where CPython raises."""
    def call(*arguments):
        assert all(isinstance(x, (int, np.integer)) for x in arguments), arguments
        try:
            return wrapped(function(*map(int, arguments)))
        except ValueError:
            return 0
    return call


def combinations_of(n, k):
    """math.comb, for which hq counts to 65536 only."""
    return math.comb(n, k) if min(k, n - k) <= 1 << 16 else 0


def fsum(items):
    """math.fsum; where it overflows on the way, the exact sum by other means."""
    items = [float(number(x)) for x in items]
    special = [x for x in items if not math.isfinite(x)]
    if special:
        return float(np.sum(special))
    try:
        return math.fsum(items)
    except OverflowError:
        exact = sum(map(fractions.Fraction, items))
        try:
            return float(exact)
        except OverflowError:
            return math.inf if exact > 0 else -math.inf


def product_of(items, *, start=1):
    """math.prod, of int64 and float64."""
    result = number(start)
    for item in items:
        result = result * number(item)
    return result


def math_module():
    module = types.ModuleType("math")
    for name in dir(math):
        value = getattr(math, name)
        if isinstance(value, float):
            setattr(module, name, value)
        elif callable(value) and not name.startswith("_"):
            setattr(module, name, total(value, BEYOND[name]) if name in BEYOND else value)
    for name in ("factorial", "gcd", "isqrt", "lcm", "perm"):
        setattr(module, name, of_ints(getattr(math, name)))
    module.comb = of_ints(combinations_of)
    module.fsum, module.prod = fsum, product_of
    module.ldexp = total_of_scale
    module.log = logarithm
    module.floor, module.ceil, module.trunc = to_int_by(math.floor), to_int_by(math.ceil), to_int
    return module


# --- hq ----------------------------------------------------------------------------------------------------------


def delta_phi(a, b):
    """The angle from b to a, in [-pi, pi) but for rounding."""
    with np.errstate(all="ignore"):
        d = np.float64(number(a)) - np.float64(number(b))
        return d - 2 * np.pi * np.floor((d + np.pi) / (2 * np.pi))


def delta_r(a, b):
    """The distance in eta and phi."""
    with np.errstate(all="ignore"):
        d_eta, d_phi = np.float64(a.eta) - np.float64(b.eta), delta_phi(a.phi, b.phi)
        return np.sqrt(d_eta * d_eta + d_phi * d_phi)


COS, SIN, SINH = total(math.cos, np.cos), total(math.sin, np.sin), total(math.sinh, np.sinh)


def momentum(record):
    """px, py, pz and energy."""
    pt, mass = np.float64(record.pt), np.float64(record.mass)
    px, py, pz = pt * COS(record.phi), pt * SIN(record.phi), pt * SINH(record.eta)
    return px, py, pz, np.sqrt(px * px + py * py + pz * pz + mass * mass)


def invariant_mass(first, *others):
    """Of the sum of the records' momenta, from left to right; that of a negative square is negative."""
    with np.errstate(all="ignore"):
        x, y, z, e = momentum(first)
        for record in others:
            px, py, pz, energy = momentum(record)
            x, y, z, e = x + px, y + py, z + pz, e + energy
        square = e * e - x * x - y * y - z * z
        return -np.sqrt(-square) if square < 0 else np.sqrt(square)


def hq_module():
    module = types.ModuleType("hq")
    module.delta_phi, module.delta_r, module.invariant_mass = delta_phi, delta_r, invariant_mass
    return module


def itertools_module():
    module = types.ModuleType("itertools")
    module.combinations = itertools.combinations
    return module


# --- hist --------------------------------------------------------------------------------------------------------


class Transform:
    def __init__(self, name, forward, back):
        self.name, self.forward, self.back = name, forward, back


LOG = Transform("log", lambda x: logarithm(x), lambda t: math.exp(t))
SQRT = Transform("sqrt", lambda x: total(math.sqrt, np.sqrt)(x), lambda t: t * t)


def boost_note(**what):
    """What boost-histogram leaves itself to read the axis back as what it was."""
    return {"writer_info": {"boost-histogram": what}}


class Axis:
    """What all kinds have: name, label, and how many bins of flow there are below and above."""

    below, above = 1, 1

    def __init__(self, name="", label="", underflow=True, overflow=True, flow=True, growth=False, circular=False):
        assert underflow and overflow and flow and not growth and not circular
        self.name, self.label = name, label

    @property
    def extent(self):
        return self.bins + self.below + self.above

    def to_uhi(self):
        metadata = {key: text for key, text in (("name", self.name), ("label", self.label)) if text}
        flow = {"underflow": True, "overflow": True, "circular": False} if self.below else {}
        return self.shape() | flow | self.note() | ({"metadata": metadata} if metadata else {})

    def note(self):
        return {}


class Regular(Axis):
    def __init__(self, bins, start, stop, *, transform=None, **others):
        super().__init__(**others)
        self.bins, self.low, self.high, self.transform = int(bins), float(start), float(stop), transform

    def index(self, x):
        t = self.transform.forward if self.transform else float
        x, low, high = t(float(x)), t(self.low), t(self.high)
        if x < low:
            return 0
        if not x < high:
            return self.bins + 1
        return min(1 + math.floor(self.bins * (x - low) / (high - low)), self.bins + 1)

    def edges(self):
        low, high = self.transform.forward(self.low), self.transform.forward(self.high)
        inner = [self.transform.back(low + (high - low) * i / self.bins) for i in range(1, self.bins)]
        return [self.low, *inner, self.high]

    def ends(self):
        return {"lower": self.low, "upper": self.high, "bins": self.bins}

    def shape(self):
        return {"type": "variable", "edges": self.edges()} if self.transform else {"type": "regular", **self.ends()}

    def note(self):
        return boost_note(transform=self.transform.name, **self.ends()) if self.transform else {}


class Variable(Axis):
    def __init__(self, edges, **others):
        super().__init__(**others)
        self.edges = [float(edge) for edge in edges]
        self.bins = len(self.edges) - 1
        assert self.bins > 0 and all(a < b for a, b in zip(self.edges, self.edges[1:]))

    def index(self, x):
        return bisect.bisect_right(self.edges, float(x)) if x < self.edges[-1] else self.bins + 1

    def shape(self):
        return {"type": "variable", "edges": self.edges}


class Integer(Axis):
    def __init__(self, start, stop, **others):
        super().__init__(**others)
        self.low, self.high = int(start), int(stop)
        self.bins = self.high - self.low
        assert self.bins > 0

    def index(self, x):
        if x < self.low:
            return 0
        return 1 + math.floor(x) - self.low if x < self.high else self.bins + 1

    def shape(self):
        return {"type": "regular", "lower": self.low, "upper": self.high, "bins": self.bins}

    def note(self):
        return boost_note(orig_type="Integer")


class IntCategory(Axis):
    below = 0

    def __init__(self, categories, **others):
        super().__init__(**others)
        self.categories = list(categories)
        self.bins = len(self.categories)
        assert self.bins > 0 and len(set(self.categories)) == self.bins

    def index(self, x):
        return self.categories.index(x) if x in self.categories else self.bins

    def shape(self):
        return {"type": "category_int", "categories": self.categories, "flow": True}


class StrCategory(IntCategory):
    def shape(self):
        return {"type": "category_str", "categories": self.categories, "flow": True}


class Boolean(Axis):
    below, above, bins = 0, 0, 2

    def index(self, x):
        return int(x != 0)

    def shape(self):
        return {"type": "boolean"}


def storage_kind(name):
    """Of Int64 and Double either holds counts or sums of weights, as the fills have it."""
    return lambda: name


def exact_sum(values):
    try:
        if all(map(math.isfinite, values)):
            return math.fsum(values)
    except OverflowError:
        pass
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.sum(values))


def mean_of(weights, samples):
    """The mean, and the sum of w * (x - mean)^2. A fill of weight 0 counts for nothing."""
    used = [(w, x) for w, x in zip(weights, samples) if w != 0]
    if not used:
        return 0.0, 0.0
    if not all(math.isfinite(w) and math.isfinite(x) for w, x in used):
        return math.nan, math.nan
    # A sum of weights that comes back to 0 on the way leaves nothing to go on with.
    with np.errstate(all="ignore"):
        if (np.cumsum([w for w, _ in used]) == 0).any():
            return math.nan, math.nan
    if len({x for _, x in used}) == 1:
        return used[0][1], 0.0
    mean = math.fsum(w * x for w, x in used) / math.fsum(w for w, _ in used)
    return mean, math.fsum(w * (x - mean) ** 2 for w, x in used)


class Hist:
    """For each bin the weights and the samples that fell into it, to be summed up without rounding at the end."""

    def __init__(self, *axes, storage="double"):
        if not isinstance(axes[-1], Axis):  # as hist has it
            *axes, storage = axes
        self.axes = tuple(axes)
        self.shape = tuple(axis.extent for axis in axes)
        self.storage = (storage if isinstance(storage, str) else storage()).lower()
        assert self.storage in ("int64", "double", "weight", "mean", "weightedmean"), self.storage
        self.is_weighted = self.storage == "weight"
        self.has_mean = self.storage in ("mean", "weightedmean")
        self.fills = 0
        self.counts = {}
        self.weights = {}
        self.samples = {}

    def fill(self, *values, weight=None, sample=None, **named):
        values = list(values) + [named[axis.name] for axis in self.axes[len(values):]]
        assert len(values) == len(self.axes), "fill takes a value for each axis"
        assert (sample is not None) == self.has_mean, "a profile takes a sample, and nothing else does"
        bin = tuple(axis.index(x if isinstance(x, str) else number(x)) for axis, x in zip(self.axes, values))
        self.fills += 1
        self.counts[bin] = self.counts.get(bin, 0) + 1
        self.weights.setdefault(bin, []).append(1.0 if weight is None else float(number(weight)))
        if self.has_mean:
            self.samples.setdefault(bin, []).append(float(number(sample)))

    def sums(self):
        """The sums of w and of w * w, as arrays with flow."""
        value, variance = np.zeros(self.shape), np.zeros(self.shape)
        for bin, weights in self.weights.items():
            value[bin], variance[bin] = exact_sum(weights), exact_sum([w * w for w in weights])
        return value, variance

    def means(self):
        """The means of the samples and their variances, as arrays with flow."""
        value, variance = np.zeros(self.shape), np.zeros(self.shape)
        sums, squares = self.sums()
        for bin, weights in self.weights.items():
            value[bin], deltas = mean_of(weights, self.samples[bin])
            with np.errstate(all="ignore"):
                free = sums[bin] - (1 if self.storage == "mean" else squares[bin] / sums[bin])
                is_one = self.storage != "mean" and abs(free) <= 4 * np.finfo(float).eps * abs(sums[bin])
                variance[bin] = 0 if deltas == 0 or is_one else np.float64(deltas) / free
        return value, variance

    def storage_to_uhi(self):
        """And how many bins hold what is no number."""
        if self.has_mean:
            sums, squares = self.sums()
            value, variance = self.means()
            arrays = {"counts": sums} if self.storage == "mean" else {"sum_of_weights": sums,
                                                                     "sum_of_weights_squared": squares}
        elif self.is_weighted:
            arrays, (value, variance) = {}, self.sums()
        else:
            counts = np.zeros(self.shape, np.int64)
            for bin, count in self.counts.items():
                counts[bin] = count
            return {"type": "int", "values": counts}, 0
        kind = {"mean": "mean", "weightedmean": "weighted_mean"}.get(self.storage, "weighted")
        arrays |= {"values": value, "variances": variance}
        unknown = np.isnan(list(arrays.values())).any(axis=0)
        arrays = {key: np.where(np.isnan(array), 0, array) for key, array in arrays.items()}
        arrays |= {"values": np.where(unknown, 0, arrays["values"]),
                   "variances": np.where(unknown, np.inf, arrays["variances"])}
        return {"type": kind, **arrays}, int(unknown.sum())

    def to_uhi(self, name):
        storage, unknown = self.storage_to_uhi()
        metadata = {"name": name, "hq_fills": self.fills} | ({"hq_nan_bins": unknown} if unknown else {})
        return {"uhi_schema": 1, "metadata": metadata, "axes": [axis.to_uhi() for axis in self.axes],
                "storage": storage}

    def to_hist(self, name=""):
        """The real thing, of the package hist."""
        import hist
        return hist.Hist(self.to_uhi(name))


def hist_modules():
    module, axis, storage = types.ModuleType("hist"), types.ModuleType("hist.axis"), types.ModuleType("hist.storage")
    transform = types.ModuleType("hist.axis.transform")
    for kind in (Regular, Variable, Integer, IntCategory, StrCategory, Boolean):
        setattr(axis, kind.__name__, kind)
    transform.log, transform.sqrt = LOG, SQRT
    for name in ("Int64", "Double", "Weight", "Mean", "WeightedMean"):
        setattr(storage, name, storage_kind(name))
    axis.transform = transform
    module.Hist, module.axis, module.storage = Hist, axis, storage
    return {"hist": module, "hist.axis": axis, "hist.axis.transform": transform, "hist.storage": storage}


# --- running -----------------------------------------------------------------------------------------------------


def weighted_names(tree):
    """The histograms that some fill in the text gives a weight: hq decides by the text, whether or not it is run."""
    return {node.func.value.id for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fill"
            and isinstance(node.func.value, ast.Name) and any(keyword.arg == "weight" for keyword in node.keywords)}


def namespace(events):
    modules = {"math": math_module(), "hq": hq_module(), "itertools": itertools_module(), **hist_modules()}

    def importer(name, globals=None, locals=None, fromlist=(), level=0):
        if name not in modules:
            raise ImportError(f"a query cannot import {name}")
        return modules[name if fromlist else name.split(".")[0]]

    names = {name: getattr(builtins, name) for name in ("all", "any", "bool", "enumerate", "float", "len", "list", "range",
                                                    "reversed", "sorted", "zip")}
    names |= {"sum": total_of, "int": to_int, "round": rounded, "min": extreme(min), "max": extreme(max),
              "abs": lambda x: abs(number(x)), "pow": power, "__import__": importer}
    return {"__builtins__": names, "__hq_number": number, "__hq_sought": sought, "__hq_power": power, "__hq_bool": bool,
            "events": events}


def run(query_path, specs, entries=None):
    """The histograms of the query by name, in the order of their declaration; of all entries, or of a range of the first
    file's."""
    with open(query_path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), query_path)
    weighted = weighted_names(tree)
    code = compile(ast.fix_missing_locations(Operands().visit(tree)), query_path, "exec")
    names = namespace(Events(specs, entries))
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
        if value.dtype.kind != "f" or np.isfinite(value).all():
            return json.dumps(value.tolist())
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
