"""The declared limits of a variable as expressions at the place where the variable is used.

A limit that depends on the member becomes a definition over data, `learner.batch.upper`, with the index of the
variable; so it can be looked up wherever the variable can.
"""

from dataclasses import dataclass, field

from mecdsl import symbolic as sym
from mecdsl.compose import ONE, ZERO, is_number, largest, smallest, written
from mecdsl.rewrite import free_names
from mecdsl.syntax import Kind

SIDES = {"lower": ">=", "upper": "<="}


class Unbounded(Exception):
    """A variable without a declared limit on one side."""

    def __init__(self, symbol: str, side: str) -> None:
        super().__init__(f"{symbol} has no {side} bound")
        self.symbol = symbol
        self.side = side


@dataclass(slots=True)
class Limits:
    """Looks up limits of `symbols`; `made` holds the definitions it needed."""

    symbols: dict[str, sym.Symbol]
    made: dict[str, sym.Symbol] = field(default_factory=dict)

    def of(self, lookup: sym.Lookup) -> tuple[sym.Expression, sym.Expression]:
        """The lower and upper limit of the variable of a lookup, in the indices of the lookup.

        Raises `Unbounded`.
        """
        return self._one(lookup, "lower"), self._one(lookup, "upper")

    def is_zero_one(self, lookup: sym.Lookup) -> bool:
        """Whether a variable takes the values 0 and 1 alone, as declared."""
        symbol = self.symbols[lookup.symbol]
        if symbol.domain is sym.NumberDomain.BINARY:
            return True
        if symbol.domain is not sym.NumberDomain.INTEGER:
            return False
        limits = [(limit.operator, limit.value) for limit in symbol.limits]
        return all(any(o == operator and is_number(v, value) for o, v in limits) for operator, value in
                   ((">=", 0.0), ("<=", 1.0)))  # fmt: skip

    def _one(self, lookup: sym.Lookup, side: str) -> sym.Expression:
        symbol = self.symbols[lookup.symbol]
        if symbol.domain is sym.NumberDomain.BINARY:
            return ZERO if side == "lower" else ONE
        values = tuple(limit.value for limit in symbol.limits if limit.operator == SIDES[side])
        if not values or any(isinstance(v, sym.Constant) and abs(v.value) == float("inf") for v in values):
            raise Unbounded(symbol.name, side)
        value = largest(values) if side == "lower" else smallest(values)
        if not free_names(value):
            return value
        name = f"{symbol.name}.{side}"
        if name not in self.made:
            self.made[name] = sym.Symbol(
                name,
                Kind.LET,
                symbol.owner,
                symbol.own_space,
                symbol.space,
                sym.NumberDomain.REAL,
                symbol.unit,
                (),
                value,
                None,
                f"{side} limit of {symbol.name}",
                symbol.span,
            )
        return sym.Lookup(name, lookup.indices, written(name), lookup.by_row)
