"""Queries at random, to be compared by run.py --random: expressions of scalars of every type, nested, in loops and
branches; and comprehensions, lists, functions and all that goes through sequences.

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
            f"math.{self.pick('gcd', 'lcm')}({a}, {b})", f"math.{self.pick('comb', 'perm')}(({a}) % 70, ({b}) % 20)",
            f"math.factorial(({a}) % 30)", f"math.isqrt({a})", f"math.frexp({self.float(depth - 1)})[1]",
            f"{self.pick('min', 'max')}(({a}, {self.float(0)}), ({b}, {self.float(0)}))[0]",
            f"math.prod([{a}, {b}])", f"round({a}, {self.pick('-1', '-3', '2', '-18')})",
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
            f"math.{self.pick('sqrt', 'fabs')}({a})", f"math.copysign({a}, {self.pick(*FLOAT_COLUMNS)})", f"math.fmod({a}, {b})",
            f"float({self.number(depth - 1)})",
            f"math.hypot({a}, {b})", f"math.hypot({a}, {self.int(0)}, {b})",
            f"math.dist(({a}, {b}), ({self.int(0)}, {self.float(0)}))",
            f"round({a}, {self.pick('0', '1', '2', '5', '-1', '-2', '-20')})",
            f"math.fsum(({a}, {b}, {self.float(0)}))", f"math.ldexp({a}, ({self.int(0)}) % 50)",
            f"math.{self.pick('frexp', 'modf')}({a})[0]", f"math.modf({a})[1]", f"math.ulp({a})",
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
            f"(({a}, {b}) {compare()} ({c}, {self.number(0)}))", f"(({a}, {b}) {compare()} ({c},))",
            f"(({a}, ({b}, {c})) {compare()} ({self.number(0)}, ({b}, {self.number(0)})))",
            f"({a} {self.pick('in', 'not in')} ({b}, {c}))", f"({a} in [{b}, {c}, {self.number(0)}])",
            f"({a} in range({self.int(0)} % 9, {self.int(0)} % 30{self.pick('', ', 3', ', -2')}))",
            f"math.isclose({a}, {b}{self.pick('', ', rel_tol=0.5', ', abs_tol=3')})",
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


# --- lists, functions, collections ---------------------------------------------------------------------------------

MEMBERS = {
    "Jet": {"float": ("pt", "eta", "phi", "mass", "btag"), "int": ("hadronFlavour",), "bool": ()},
    "Muon": {"float": ("pt", "eta", "phi", "mass", "pfRelIso04_all"), "int": ("charge",), "bool": ("tightId", "mediumId")},
    "Electron": {"float": ("pt", "eta", "phi", "mass"), "int": ("charge", "cutBased"), "bool": ()},
    "lepton": {"float": ("pt", "eta", "phi", "mass"), "int": ("charge",), "bool": ()},
}


class Sequences:
    """Rules over sequences, each a value of the event. What is in scope stands in self.scopes, innermost last: a name and
    its type, which is int, float, bool, a record's ("Jet"), a pair of types, or a list's ("list", type)."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.scopes = []
        self.names = 0
        self.functions = []  # name, type of the argument, type of the value

    def pick(self, *choices):
        return self.random.choice(choices)

    def one_of(self, *makers):
        """Only the one that is chosen is made."""
        return self.random.choice(makers)()

    def new_name(self):
        # Names are used again in scopes side by side, and hide those outside.
        self.names += 1
        return f"{self.pick('x', 'y', 'z')}{self.names % 4}"

    def known(self, kind):
        visible = dict(self.scopes)
        return [name for name, its in visible.items() if its == kind]

    def within(self, bindings, make):
        self.scopes += bindings
        result = make()
        del self.scopes[len(self.scopes) - len(bindings):]
        return result

    # --- scalars ---

    def value(self, kind, depth):
        if isinstance(kind, tuple) and kind[0] != "list":
            return "(" + ", ".join(self.value(part, depth - 1) for part in kind) + ")"
        if isinstance(kind, tuple):
            return self.listing(kind[1], depth)
        return getattr(self, f"make_{kind}")(depth) if kind in ("int", "float", "bool") else self.pick(*self.known(kind))

    def leaf(self, kind, *others):
        found = list(others) + self.known(kind)
        for collection, members in MEMBERS.items():
            found += [f"{name}.{member}" for name in self.known(collection) for member in members[kind]]
        return self.pick(*found)

    def called(self, kind, depth):
        fitting = [(name, argument) for name, argument, result in self.functions
                   if result == kind and (argument not in MEMBERS or self.known(argument))]
        if not fitting or depth <= 0:
            return None
        name, argument = self.pick(*fitting)
        return f"{name}({self.value(argument, depth - 1)})"

    def make_int(self, depth):
        if depth <= 0:
            return self.leaf("int", "event.PV_npvs", "len(event.Jet)", "0", "1", "3", "-2")
        return self.one_of(
            lambda: f"({self.make_int(depth - 1)} {self.pick('+', '-', '*', '//', '%')} {self.make_int(depth - 1)})",
            lambda: f"len({self.sequence(depth - 1)[0]})",
            lambda: f"sum({self.elements('int', depth - 1)})",
            lambda: f"sum({self.elements('bool', depth - 1)})",
            lambda: f"max({self.generator('int', depth - 1)}, default={self.make_int(0)})",
            lambda: f"min([{self.make_int(depth - 1)}, {self.make_int(depth - 1)}], key=lambda k: -k)",
            lambda: f"{self.pick('min', 'max')}({self.generator(('float', 'int'), depth - 1)}, default=(0.5, 1))[1]",
            lambda: f"math.prod({self.elements('int', depth - 1)})",
            lambda: f"int({self.make_bool(depth - 1)})",
            lambda: f"({self.make_int(depth - 1)} if {self.make_bool(depth - 1)} else {self.make_int(depth - 1)})",
            lambda: self.called("int", depth) or self.make_int(depth - 1),
        )

    def make_float(self, depth):
        if depth <= 0:
            return self.leaf("float", "event.MET_pt", "event.genWeight", "0.5", "20.0", "-1.5")
        return self.one_of(
            lambda: f"({self.make_float(depth - 1)} {self.pick('+', '-', '*', '/')} {self.make_float(depth - 1)})",
            lambda: f"sum(({self.elements('float', depth - 1)}), 0.0)",
            lambda: f"{self.pick('min', 'max')}({self.generator('float', depth - 1)}, default={self.make_float(0)})",
            lambda: f"math.fsum({self.elements('float', depth - 1)})",
            lambda: f"math.prod({self.elements('float', depth - 1)}, start=0.5)",
            lambda: f"{self.pick('min', 'max')}({self.generator(('bool', 'float'), depth - 1)}, default=(True, 0.5))[1]",
            lambda: f"max([{self.make_float(depth - 1)}, {self.make_float(0)}][::{self.pick('-1', '2')}])",
            lambda: f"delta_phi({self.make_float(depth - 1)}, {self.make_float(depth - 1)})",
            lambda: self.element(depth),
            lambda: f"abs({self.make_float(depth - 1)})",
            lambda: f"({self.make_float(depth - 1)} if {self.make_bool(depth - 1)} else {self.make_float(depth - 1)})",
            lambda: self.called("float", depth) or self.make_float(depth - 1),
        )

    def make_bool(self, depth):
        if depth <= 0:
            return self.leaf("bool", "event.HLT_IsoMu24", "True")
        return self.one_of(
            lambda: f"({self.make_float(depth - 1)} {self.pick('<', '>=')} {self.make_float(depth - 1)})",
            lambda: f"({self.make_int(depth - 1)} {self.pick('==', '!=', '<')} {self.make_int(depth - 1)})",
            lambda: f"({self.make_bool(depth - 1)} {self.pick('and', 'or')} {self.make_bool(depth - 1)})",
            lambda: f"(not {self.make_bool(depth - 1)})",
            lambda: f"{self.pick('any', 'all')}({self.elements('bool', depth - 1)})",
            lambda: f"bool({self.sequence(depth - 1)[0]})",
            lambda: self.membership(depth),
            lambda: f"({self.value(('int', 'float'), depth)} {self.pick('<', '<=', '==', '!=', '>')} "
                    f"{self.value(('int', 'float'), depth)})",
        )

    def membership(self, depth):
        """Whether something is in a sequence, or in what is gone through."""
        kind = self.pick("int", "int", "float", ("int", "bool"))
        place = self.one_of(lambda: self.listing(kind, depth - 1), lambda: self.elements(kind, depth - 1),
                            lambda: f"({self.value(kind, depth - 1)}, {self.value(kind, depth - 1)})")
        return f"({self.value(kind, depth - 1)} {self.pick('in', 'not in')} {place})"

    # --- sequences ---

    def element(self, depth):
        """A float of an element that may not be there."""
        text, kind = self.sequence(depth - 1)
        index = self.pick("0", "-1", "1", "len(event.Muon)")
        if kind not in MEMBERS:
            return self.make_float(depth - 1)
        least = {"0": 0, "-1": 0, "1": 1}.get(index, "len(event.Muon)")
        member = self.pick(*MEMBERS[kind]["float"])
        return f"({text}[{index}].{member} if len({text}) > {least} else {self.make_float(0)})"

    def listing(self, kind, depth):
        names = self.known(("list", kind))
        if names and self.random.random() < 0.5:
            return self.pick(*names)
        if kind in MEMBERS:
            name = self.new_name()
            condition = self.within([(name, kind)], lambda: self.make_bool(depth - 1))
            return self.pick(f"event.{kind}", f"[{name} for {name} in event.{kind} if {condition}]")
        return f"[{self.generator(kind, depth - 1)[1:-1]}]"

    def sequence(self, depth):
        """An expression that has a length and indexes, and the type of its elements."""
        kind = self.pick("Jet", "Muon", "Electron", "lepton", "int", "float")
        if kind == "lepton":
            text = self.pick("(event.Muon + event.Electron)", "(event.Electron + event.Muon)")
        elif kind in MEMBERS:
            text = f"event.{kind}"
        elif kind == "int" and self.random.random() < 0.5:
            text = f"range({self.make_int(0)} % 9 - 4, {self.pick('len(event.Jet)', '4')}{self.pick('', ', 2', ', 1')})"
        else:
            text = self.listing(kind, depth)
        if kind in MEMBERS and self.random.random() < 0.3:
            lists = self.known(("list", kind))
            text = self.pick(*lists) if lists else text
        if depth > 0 and self.random.random() < 0.3:
            text = f"{text}[{self.pick('1:', ':-1', ':3', '-2:', '1:3', f'{self.make_int(0)}:{self.make_int(0)}')}]"
        if depth > 0 and self.random.random() < 0.3:
            bounds = self.pick(":", ":", "1:", ":-1", f"{self.make_int(0)}:", f":{self.make_int(0)}")
            text = f"{text}[{bounds}:{self.pick('-1', '2', '-2', '3')}]"
        if depth > 0 and kind in MEMBERS and self.random.random() < 0.3:
            name = self.new_name()
            key = f"{self.pick('', '-')}{name}.{self.pick(*MEMBERS[kind]['float'])}"
            if self.random.random() < 0.5:
                key = f"({name}.{self.pick(*MEMBERS[kind]['int'])}, {key})"
            text = f"sorted({text}, key=lambda {name}: {key}{self.pick('', ', reverse=True')})"
        return text, kind

    def iterable(self, depth, a=None, b=None):
        """What is gone through, the targets, and what they are bound to."""
        text, kind = self.sequence(depth)
        a, b = a or self.new_name(), b or self.new_name()
        while b == a:
            b = self.new_name()
        if self.random.random() < 0.2:
            text = f"reversed({text})"
        way = self.pick("plain", "plain", "enumerate", "zip", "combinations")
        if way == "plain":
            return text, a, [(a, kind)]
        if way == "enumerate":
            return f"enumerate({text}{self.pick('', ', 2')})", f"{a}, {b}", [(a, "int"), (b, kind)]
        if way == "zip":
            other, its = self.sequence(depth - 1)
            return f"zip({text}, {other})", f"{a}, {b}", [(a, kind), (b, its)]
        return f"combinations({text}, 2)", f"{a}, {b}", [(a, kind), (b, kind)]

    def generator(self, kind, depth):
        text, targets, bindings = self.iterable(depth)
        if depth > 1 and self.random.random() < 0.2:
            inner, more, others = self.within(bindings, lambda: self.iterable(0))
            bindings = bindings + others
            targets = f"{targets} in {text} for {more}"
            text = inner
        value = self.within(bindings, lambda: self.value(kind, depth - 1))
        condition = ""
        if self.random.random() < 0.4:
            condition = " if " + self.within(bindings, lambda: self.make_bool(depth - 1))
        return f"({value} for {targets} in {text}{condition})"

    def elements(self, kind, depth):
        generator = self.generator(kind, depth)
        return f"[{generator[1:-1]}]" if self.random.random() < 0.2 else generator

    # --- statements ---

    def function(self):
        name = f"f{len(self.functions)}"
        argument = self.pick("int", "float", "Jet", ("list", "Jet"))
        result = self.pick("int", "float")
        parameter = self.new_name()

        def body():
            lines = []
            if self.random.random() < 0.5:
                lines += [f"    if {self.make_bool(1)}:", f"        return {self.value(result, 1)}"]
            if isinstance(argument, tuple) and self.random.random() < 0.7:
                each = self.new_name()
                each += "e" if each == parameter else ""  # in one function a name keeps its type
                text = self.within([(each, argument[1])], lambda: f"            return {self.value(result, 1)}")
                test = self.within([(each, argument[1])], lambda: self.make_bool(1))
                lines += [f"    for {each} in {parameter}:", f"        if {test}:", text]
            return lines + [f"    return {self.value(result, 2)}"]

        outer, self.scopes = self.scopes, [(parameter, argument)]
        lines = [f"def {name}({parameter}):", *body(), "", ""]
        self.scopes = outer
        self.functions.append((name, argument, result))
        return lines

    def assign(self, number):
        kind = self.pick("int", "float", ("list", "float"), ("list", "Jet"), ("int", "float"))
        name = f"v{number}"
        value = self.value(kind, 2)
        if kind == ("int", "float"):
            self.scopes += [(f"{name}a", "int"), (f"{name}b", "float")]
            return f"    {name}a, {name}b = {value}"
        self.scopes.append((name, kind))
        return f"    {name} = {value}"

    def rule(self, number):
        """A value for the rule's row, in a loop perhaps."""
        kind = self.pick("int", "float", "bool")
        if self.random.random() < 0.6:
            return [f"    h.fill({number}, {self.value(kind, 3)})"]
        # A loop's variables stay behind in Python and keep their types in hq, so they need names of their own.
        text, targets, bindings = self.iterable(1, f"a{number}", f"b{number}")
        lines = [f"    for {targets} in {text}:"]

        def body():
            lines.append(f"        h.fill({number}, {self.value(kind, 2)})")
            if self.random.random() < 0.5:
                lines.extend([f"        if {self.make_bool(1)}:", f"            {self.pick('break', 'continue')}"])
                lines.append(f"        h.fill({number}, 7.5)")
        self.within(bindings, body)
        return lines

    def query(self):
        functions = sum((self.function() for _ in range(2)), [])
        lines = ["import math", "from itertools import combinations", "from hist import Hist, axis", "from hq import delta_phi",
                 "",
                 'h = Hist(axis.Regular(8, 0, 8, name="rule"), axis.Regular(1013, -40, 160, name="value"))', "", "",
                 *functions, "for event in events:"]
        for number in range(8):
            if number % 3 == 0:
                lines.append(self.assign(number))
            lines += self.rule(number)
        return "\n".join(lines) + "\n"


def random_query(seed):
    """Of scalars for every twentieth seed, else of sequences."""
    if seed % 20 == 0:
        return f"# data: {DATA}\n# seed {seed}\n" + Generator(seed).query()
    return f"# data: mini.root:Events\n# seed {seed}\n" + Sequences(seed).query()
