"""Random expressions over what a model has declared so far, mostly of the right kind."""

import random
from dataclasses import dataclass, field
from typing import Final

from mecdsl.functions.table import SPELLED, UNIVARIATE

CONSTANTS: Final = "0 1 2 3 0.5 10 -1 4".split()
ODD_CONSTANTS: Final = "inf 1e308 1e-308 1e15 1e-9 5e-324 9007199254740993 -0.0 1e-16".split()
FUNCTIONS: Final = [*UNIVARIATE, *(n for n, row in SPELLED.items() if row.parameters == ("x",))]
MEMBERS: Final = {
    "1..3": ("1", "2", "3"),
    "1..2": ("1", "2"),
    "1..1": ("1",),
    "2..3": ("2", "3"),
    "i..3": ("3",),
    "{1, 2, 3}": ("1", "2", "3"),
    "{2}": ("2",),
    "1..0": (),
    "{}": (),
}
EXPONENTS: Final = "0 1 2 3 4 0.5 1.5 -1 -2 (1/3) 1e3".split()


@dataclass(frozen=True, slots=True)
class Name:
    """Something declared: what its indices run over, its unit, whether it depends on variables, if
    it is 0 or 1.
    """

    text: str
    domains: tuple[str, ...] = ()
    unit: str = "1"
    data: bool = True
    binary: bool = False


@dataclass(slots=True)
class Scope:
    """What may stand in an expression; `members`: of what an index may run over, as far as they can
    be named.

    `named`: the sets of names, whose members are no numbers.
    """

    generator: random.Random
    names: list[Name] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    members: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(MEMBERS))
    named: set[str] = field(default_factory=set)
    fresh: int = 0

    def chance(self, share: float) -> bool:
        return self.generator.random() < share

    def constant(self) -> str:
        """A number, now and then an odd one."""
        return self.generator.choice(ODD_CONSTANTS if self.chance(0.06) else CONSTANTS)

    def domain(self) -> str:
        """A set or a range, now and then empty or of one member."""
        if self.domains and self.chance(0.5):
            return self.generator.choice(self.domains)
        if self.chance(0.12):
            return self.generator.choice(("1..0", "{}"))
        return self.generator.choice(("1..3", "1..3", "1..2", "1..1", "{1, 2, 3}", "{2}", "2..3"))

    def index_list(self, share: float = 0.5) -> tuple[str, dict[str, str]]:
        """`[i in 1..3, j in S]` or nothing, and what the indices run over."""
        if not self.chance(share):
            return "", {}
        indices: dict[str, str] = {}
        for name in ("i", "j")[: 2 if self.chance(0.2) else 1]:
            indices[name] = self.domain()
        if len(indices) == 2 and self.chance(0.2):
            indices["j"] = "i..3"
        words = ", ".join(f"{name} in {domain}" for name, domain in indices.items())
        where = f" where {self.condition(indices)}" if self.chance(0.06) else ""
        return f"[{words}{where}]", indices

    def condition(self, indices: dict[str, str]) -> str:
        """A condition over data."""
        if self.chance(0.1):
            return self.generator.choice(("1 == 2", "1 == 1"))
        numbers = self.numbers(indices)
        name = self.generator.choice([*numbers, "1"])
        relation = self.generator.choice("<= >= == != < >".split())
        word = (
            "first(S0)" if self.chance(0.02) else self.generator.choice(("2", "1", "3", *numbers))
        )
        text = f"{name} {relation} {word}"
        return f"not {text}" if self.chance(0.1) else text

    def numbers(self, indices: dict[str, str]) -> list[str]:
        """The indices that are numbers."""
        return [
            name
            for name, domain in indices.items()
            if domain not in self.named or self.chance(0.01)
        ]

    def reference(self, indices: dict[str, str], data: bool) -> str:
        """A declared name at indices that fit it mostly, as a plain number."""
        able = [name for name in self.names if name.data or not data]
        if self.chance(0.005):
            able = self.names
        if not able:
            return self.generator.choice([*self.numbers(indices), self.constant()])
        name = self.generator.choice(able)
        places = [self._place(domain, indices) for domain in name.domains]
        if not all(places):
            return self.constant()
        text = f"{name.text}[{', '.join(places)}]" if places else name.text
        return text if name.unit == "1" else f"({text}/(1 {name.unit}))"

    def _place(self, domain: str, indices: dict[str, str]) -> str:
        """An index or a member; nothing where none is known."""
        fitting = [name for name, own in indices.items() if own == domain]
        if fitting and self.chance(0.85):
            return self.generator.choice(fitting)
        if self.chance(0.01):
            return self.generator.choice((*indices, "0", "z9", "max(1, 2)", "inf", "prev(i)"))
        known = self.members.get(domain, ())
        return self.generator.choice(known or fitting or ("",))

    def expression(self, indices: dict[str, str], depth: int = 3, data: bool = False) -> str:
        """A plain number over data, and over variables unless `data`."""
        if depth <= 0 or self.chance(0.2):
            if self.chance(0.35):
                return self.constant()
            return self.reference(indices, data)
        usual = [*(self._binary,) * 4, *(self._aggregate,) * 2, self._power, self._call]
        make = self.generator.choice([*usual, self._several, self._special, self._choice])
        return make(indices, depth - 1, data)

    def _binary(self, indices: dict[str, str], depth: int, data: bool) -> str:
        one, two = (self.expression(indices, depth, data) for _ in "ab")
        if self.chance(0.08):
            two = one
        return f"({one}) {self.generator.choice('++-**/')} ({two})"

    def _power(self, indices: dict[str, str], depth: int, data: bool) -> str:
        base = self.expression(indices, depth, data)
        if self.chance(0.1):
            return f"({base})^({self.expression(indices, 1, data)})"
        return f"({base})^{self.generator.choice(EXPONENTS)}"

    def _call(self, indices: dict[str, str], depth: int, data: bool) -> str:
        return f"{self.generator.choice(FUNCTIONS)}({self.expression(indices, depth, data)})"

    def _several(self, indices: dict[str, str], depth: int, data: bool) -> str:
        number = self.generator.choice((1, 2, 2, 2, 3, 3, 0 if self.chance(0.03) else 2))
        parts = [self.expression(indices, depth, data) for _ in range(number)]
        return f"{self.generator.choice(('min', 'max'))}({', '.join(parts)})"

    def _aggregate(self, indices: dict[str, str], depth: int, data: bool) -> str:
        self.fresh += 1
        name, domain = f"z{self.fresh}", self.domain()
        inner = {**indices, name: domain}
        body = self.expression(inner, depth, data)
        where = f" where {self.condition(inner)}" if self.chance(0.25) else ""
        function = self.generator.choice(
            "sum sum sum sum prod min max count norm logsumexp".split()
        )
        if (
            function in ("min", "max")
            and (where or not self.members.get(domain))
            and self.chance(0.9)
        ):
            function = "sum"
        if function == "count":
            body = self.condition(inner)
        return f"{function}({body} for {name} in {domain}{where})"

    def _special(self, indices: dict[str, str], depth: int, data: bool) -> str:
        function = self.generator.choice(("perspective", "quad_over_lin", "atan2", "hypot"))
        one, two = (self.expression(indices, depth, data) for _ in "ab")
        return f"{function}({one}, {two})"

    def _choice(self, indices: dict[str, str], depth: int, data: bool) -> str:
        one, two = (self.expression(indices, depth, data) for _ in "ab")
        return f"(if {self.condition(indices)} then {one} else {two})"
