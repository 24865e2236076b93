"""Random models drawn from the grammar; most of them are valid."""

import random
from typing import Final

from tests.fuzz.expressions import MEMBERS, Name, Scope

VARIABLE_TYPES: Final = tuple(
    "1|real in 0..3|binary|integer|>= 0|in 2..2|integer in 0.5..2.5|in 0..inf|>= 2|integer in 0..4|"
    "in -1..2|<= 3|in 0..1e308|binary|in 0..5|in 1..4|real|in -inf..inf|in 3..2|integer >= 1e9|"
    "in 1e-12..1|in 0..1e-308".split("|")
)
RANDOM: Final = (
    "uniform(0, 1)",
    "normal(1, 2)",
    "exponential(2)",
    "rayleigh(1)",
    "choice(1, 2, 3)",
)
UNITS: Final = ("1", "1", "1", "1", "s", "ms", "GHz", "Mbit")


def model(generator: random.Random) -> str:
    """The text of a model."""
    return _Model(generator).text()


class _Model:
    def __init__(self, generator: random.Random) -> None:
        self.generator = generator
        self.scope = Scope(generator)
        self.lines: list[str] = []
        self.variables: list[Name] = []
        self.rows: list[str] = []

    def text(self) -> str:
        scope = self.scope
        if scope.chance(0.2):
            self.lines.append('model drawn "a model"')
        for make, most in (
            (self._set, 2),
            (self._family, 1),
            (self._parameter, 3),
            (self._variable, 3),
            (self._links, 1),
            (self._layers, 1),
            (self._let, 2),
        ):
            for _ in range(self.generator.randint(1 if make == self._variable else 0, most)):
                make()
        self._objective()
        for make, most in (
            (self._constraint, 3),
            (self._report, 1),
            (self._start, 1),
            (self._form, 2),
        ):
            for _ in range(self.generator.randint(0, most)):
                make()
        if scope.chance(0.3):
            self.generator.shuffle(self.lines)
        return "\n".join(self.lines)

    def _number(self, word: str) -> str:
        self.scope.fresh += 1
        return f"{word}{self.scope.fresh}"

    # Sets and families

    def _set(self) -> None:
        name = "S0" if "S0" not in self.scope.domains else "S1"
        kind = self.generator.randrange(6)
        members: tuple[str, ...] = ()
        if kind <= 1:
            members = tuple(f"{name}{letter}" for letter in "abc"[: 3 - kind])
            self.scope.named.add(name)
            self.lines.append(f"{'ordered ' * kind}set {name} = {{{', '.join(members)}}}")
        elif kind == 2:
            least = self.generator.choice((1, 2, 3, 9))
            members = tuple(str(number) for number in range(least, 4))
            self.lines.append(f"set {name} = 1..3 where {name} >= {least}")
        elif kind == 3:
            where = self.scope.condition({"i": "", "j": ""})
            self.lines.append(f"set {name}[i in 1..2, j in 1..3 where {where}]")
            self.scope.named.add(name)
        elif kind == 4:
            pairs = self.generator.choice(("{(1, 2), (2, 3)}", "{(1, 1)}", "{}"))
            self.lines.append(f"set {name} = {pairs}")
            self.scope.named.add(name)
        else:
            domain = self.generator.choice((*MEMBERS, "1..3"))
            members = MEMBERS[domain] if domain != "i..3" else ()
            self.lines.append(f"set {name} = {domain if domain != 'i..3' else '1..0'}")
        self.scope.members[name] = members
        self.scope.domains.append(name)

    def _members(self, owner: str, index: dict[str, str]) -> str:
        parts = [f"cap : 1 = {self.scope.expression(index, 1, data=True)}"]
        kind = self.generator.choice(VARIABLE_TYPES)
        parts.append(f"var load : {kind}")
        if self.scope.chance(0.3):
            parts.append("let twice : 1 = 2*load + cap")
            self.scope.names.append(Name(f"{owner}.twice", (owner,), data=False))
        self.scope.names.append(Name(f"{owner}.cap", (owner,)))
        self.variables.append(Name(f"{owner}.load", (owner,), data=False, binary="binary" in kind))
        self.scope.names.append(self.variables[-1])
        self.scope.domains.append(owner)
        return "{ " + "\n ".join(parts) + " }"

    def _family(self) -> None:
        if self.scope.chance(0.2):
            self.lines.append("node C0 { cap : 1 = 2\n var load : real in 0..1 }")
            self.variables.append(Name("C0.load", data=False))
            self.scope.names += [Name("C0.cap"), self.variables[-1]]
            return
        high = self.generator.choice((3, 3, 2, 1, 0))
        self.scope.members["N0"] = tuple(str(number) for number in range(1, high + 1))
        self.lines.append(f"nodes N0[k in 1..{high}] {self._members('N0', {'k': '1..3'})}")

    def _links(self) -> None:
        if "N0" in self.scope.domains:
            where = self.generator.choice(("", " where m != n", " where 1 == 2", " where m <= n"))
            self.lines.append(f"links L0[m in N0, n in N0{where}]: m -> n {{ var flow : >= 0 }}")
            self.scope.names.append(Name("L0.flow", ("N0", "N0"), data=False))

    def _layers(self) -> None:
        if self.scope.chance(0.4):
            last = self.generator.choice((3, 2, 1, 0))
            self.lines.append(f"layers Y0[l in 1..{last}] {{ macs : 1 = l }}")
            self.scope.members["Y0"] = tuple(str(number) for number in range(1, last + 1))
            self.scope.names.append(Name("Y0.macs", ("Y0",)))
            self.scope.domains += ["Y0", "cuts(Y0)"]

    # Symbols

    def _parameter(self) -> None:
        name, (words, indices) = self._number("p"), self.scope.index_list(0.4)
        unit = self.generator.choice(UNITS)
        value = f"({self.scope.expression(indices, 2, data=True)})"
        if self.scope.chance(0.3):
            value = self.generator.choice(RANDOM)
        elif self.scope.chance(0.5):
            value = self.scope.constant()
        times = "" if unit == "1" else f" * 1 {unit}"
        kind = self.generator.choice(("", "", "", "", "real "))
        self.lines.append(f"param {name}{words} : {kind}{unit} = {value}{times}")
        self.scope.names.append(Name(name, tuple(indices.values()), unit))

    def _variable(self) -> None:
        name, (words, indices) = self._number("x"), self.scope.index_list(0.4)
        kind = self.generator.choice(VARIABLE_TYPES)
        if self.scope.chance(0.1):
            kind = (
                "in "
                f"{self.scope.expression(indices, 1, True)}..{self.scope.expression(indices, 1, True)}"
            )
        unit = self.generator.choice(UNITS) if kind in (">= 0", "real") else "1"
        kind = f"{unit} {kind}" if unit != "1" and kind != "real" else unit if unit != "1" else kind
        self.lines.append(f"var {name}{words} : {kind}")
        found = Name(name, tuple(indices.values()), unit, data=False, binary=kind == "binary")
        self.variables.append(found)
        self.scope.names += [found, found]

    def _let(self) -> None:
        name, (words, indices) = self._number("d"), self.scope.index_list(0.5)
        self.lines.append(f"let {name}{words} = {self.scope.expression(indices, 3)}")
        self.scope.names.append(Name(name, tuple(indices.values()), data=False))

    def _objective(self) -> None:
        sense = self.generator.choice(("minimize", "maximize"))
        self.lines.append(f"{sense} goal = {self.scope.expression({}, 4)}")

    def _constraint(self) -> None:
        name, (words, indices) = self._number("c"), self.scope.index_list(0.5)
        when = ""
        able = [v for v in self.variables if v.binary and not v.domains]
        if able and self.scope.chance(0.4):
            when = f" when {self.generator.choice(('', 'not '))}{able[0].text}"
        depth = 1 if when and self.scope.chance(0.7) else 3
        left, right = (self.scope.expression(indices, depth) for _ in "ab")
        relation = self.generator.choice("<= >= == <= >=".split())
        if self.scope.chance(0.1):
            text = f"{self.scope.constant()} <= {left} <= {self.scope.constant()}"
        else:
            text = f"{left} {relation} {right}"
        self.lines.append(f"constraint {name}{words}{when}: {text}")
        self.rows.append(name)

    def _report(self) -> None:
        words, indices = self.scope.index_list(0.4)
        self.lines.append(
            f"report {self._number('r')}{words} = {self.scope.expression(indices, 3)}"
        )

    def _target(self, fresh: str) -> tuple[str, dict[str, str]]:
        """A variable with a pattern of indices."""
        variable = self.generator.choice(self.variables)
        names = [f"{fresh}{place}" for place in range(len(variable.domains))]
        words = f"[{', '.join(names)}]" if names else ""
        return variable.text + words, dict(zip(names, variable.domains, strict=True))

    def _start(self) -> None:
        target, indices = self._target("q")
        self.lines.append(f"start {target} = {self.scope.expression(indices, 1, data=True)}")

    # Forms

    def _form(self) -> None:
        name = self._number("f")
        parents = [line.split()[1].rstrip(":") for line in self.lines if line.startswith("form ")]
        parent = f" from {parents[-1]}" if parents and self.scope.chance(0.4) else ""
        changes = [self._a_change() for _ in range(self.generator.randint(1, 3))]
        if any("\n" in change for change in changes) or self.scope.chance(0.5):
            self.lines.append(f"form {name}{parent} {{\n  " + "\n  ".join(changes) + "\n}")
        else:
            self.lines.append(f"form {name}{parent}: {', '.join(changes)}")

    def _a_change(self) -> str:
        variable, other = (self.generator.choice(self.variables).text for _ in "ab")
        kind = self.generator.randrange(8)
        if kind == 0:
            return f"relax {variable}"
        if kind == 1:
            target, indices = self._target("q")
            return f"fix {target} = {self.scope.expression(indices, 1, data=True)}"
        if kind == 2 and self.rows:
            return f"drop {self.generator.choice(self.rows)}"
        if kind == 3:
            return f"replace minimize goal = {self.scope.expression({}, 3)}"
        if kind == 4:
            return (
                f"add constraint {self._number('c')}: {self.scope.expression({}, 2)} <= "
                f"{self.scope.constant()}"
            )
        if kind == 5:
            return f"linearize {variable}*{other}"
        if kind == 6 and self.rows:
            return (
                f"replace constraint {self.generator.choice(self.rows)}: "
                f"{self.scope.expression({}, 2)} >= 0"
            )
        return "linearize all"
