"""Queries at random: expressions of every type, nested, in loops and branches, to be compared by run.py --random.

Only operations that IEEE 754 and Python fix to the last bit are used, so that a result may not differ even where %,
// and floor turn a last bit into a whole number. The same seed gives the same query.
"""

import random

DATA = "uproot-HZZ.root:events"
RULES = 30

INT_COLUMNS = ("event.NJet", "event.NMuon", "event.NElectron", "event.NPrimaryVertices", "len(event.Jet)",
               "len(event.Muon[1:])", "i")
FLOAT_COLUMNS = ("event.MET_px", "event.MET_py", "event.EventWeight", "event.MChadronicBottom_pz", "jet.Px", "jet.E",
                 "jet.btag")
BOOL_COLUMNS = ("event.triggerIsoMu24", "jet.ID", "(event.MET_px > event.MET_py)")
# An overflow among constants alone is refused by the compiler: what leads to one has a variable in it.
INT_CONSTANTS = ("0", "1", "2", "3", "-1", "-2", "7", "10", "(1000003 + i)", "(9223372036854775807 - i)")
FLOAT_CONSTANTS = ("0.0", "0.5", "-0.5", "1.0", "2.5", "-3.0", "1e-3", "1e10", "1e300", "math.inf", "math.nan",
                   "math.pi")


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ints, self.floats, self.bools = [], [], []  # variables that have a value

    def pick(self, *choices):
        return self.random.choice(choices)

    def expression(self, kind, depth):
        return getattr(self, kind)(depth)

    def number(self, depth):
        return self.expression(self.pick("int", "int", "float", "bool"), depth)

    def int(self, depth):
        if depth <= 0:
            return self.pick(*INT_COLUMNS, *INT_CONSTANTS, *self.ints)
        a, b, c = (self.int(depth - 1) for _ in range(3))
        return self.pick(
            f"({a} {self.pick('+', '-', '*', '//', '%', '&', '|', '^')} {b})",
            f"({a} {self.pick('+', '-', '*', '//', '%')} {self.bool(depth - 1)})",
            f"({a} {self.pick('<<', '>>')} (({b} + i) % 70))",
            f"({a}) ** (({b} + i) % 5)",
            f"{self.pick('-', '+', '~', '')}({a})",
            f"abs({a})", f"min({a}, {b})", f"max({a}, {b}, {c})",
            f"({a} if {self.bool(depth - 1)} else {b})",
            f"({a} {self.pick('and', 'or')} {b})",
            f"{self.pick('int', 'round', 'math.floor', 'math.ceil', 'math.trunc')}({self.float(depth - 1)})",
            f"int({self.bool(depth - 1)})",
        )

    def float(self, depth):
        if depth <= 0:
            return self.pick(*FLOAT_COLUMNS, *FLOAT_CONSTANTS, *self.floats)
        a, b = self.float(depth - 1), self.float(depth - 1)
        return self.pick(
            f"({a} {self.pick('+', '-', '*', '/')} {b})",
            f"({a} {self.pick('//', '%')} {b})",
            f"({a} {self.pick('+', '-', '*', '/', '//', '%')} {self.int(depth - 1)})",
            f"({self.number(depth - 1)} / {self.number(depth - 1)})",
            f"({self.pick('-', '+')}{a})",
            f"abs({a})", f"min({a}, {b})", f"max({a}, {self.int(depth - 1)})",
            # With an int on one side hq makes it a float, CPython does not, and // 0 tells them apart.
            f"({a} if {self.bool(depth - 1)} else {b})", f"({a} {self.pick('and', 'or')} {b})",
            f"math.{self.pick('sqrt', 'fabs')}({a})", f"math.copysign({a}, {b})", f"math.fmod({a}, {b})",
            f"float({self.number(depth - 1)})",
        )

    def bool(self, depth):
        if depth <= 0:
            return self.pick(*BOOL_COLUMNS, *self.bools, "True", "False")
        a, b, c = (self.number(depth - 1) for _ in range(3))

        def compare():
            return self.pick("<", "<=", ">", ">=", "==", "!=")
        return self.pick(
            f"({a} {compare()} {b})", f"({a} {compare()} {b} {compare()} {c})",
            f"({self.bool(depth - 1)} {self.pick('and', 'or')} {self.bool(depth - 1)})",
            f"({self.bool(depth - 1)} {self.pick('&', '|', '^')} {self.bool(depth - 1)})",
            f"(not {a})", f"bool({a})", f"math.{self.pick('isnan', 'isinf', 'isfinite')}({self.float(depth - 1)})",
            f"({self.bool(depth - 1)} if {self.bool(depth - 1)} else {self.bool(depth - 1)})",
        )

    def assign(self, indent):
        """A new variable, and perhaps another value for it in a branch."""
        kind, names = self.pick(("int", self.ints), ("float", self.floats), ("bool", self.bools))
        name = f"{kind[0]}{len(names)}"
        lines = [f"{indent}{name} = {self.expression(kind, 2)}"]
        if kind != "bool" and self.random.random() < 0.5:
            operator = self.pick("+", "-", "*", "//", "%")
            lines += [f"{indent}if {self.bool(2)}:", f"{indent}    {name} {operator}= {self.expression(kind, 1)}"]
            if self.random.random() < 0.5:
                lines += [f"{indent}elif {self.bool(1)}:", f"{indent}    {name} = {self.expression(kind, 1)}"]
        names.append(name)
        return lines

    def query(self):
        lines = [
            "import math", "from hist import Hist, axis", "",
            f'whole = Hist(axis.Regular({RULES}, 0, {RULES}, name="rule"), axis.Regular(197, -98, 99, name="value"))',
            f'real = Hist(axis.Regular({RULES}, 0, {RULES}, name="rule"), axis.Regular(1013, -40, 40, name="value"))',
            "", "for event in events:", "    for i, jet in enumerate(event.Jet):",
        ]
        indent = " " * 8
        for rule in range(RULES):
            if rule % 5 == 0:
                lines += self.assign(indent)
            kind = self.pick("int", "float", "bool")
            value = self.expression(kind, 3)
            if kind == "int":
                value = f"{value} % 97"  # large ones would all be overflow
            hist = "real" if kind == "float" else "whole"
            lines.append(f"{indent}{hist}.fill({rule}, {value})")
        return "\n".join(lines) + "\n"


def random_query(seed):
    return f"# data: {DATA}\n# seed {seed}\n" + Generator(seed).query()
