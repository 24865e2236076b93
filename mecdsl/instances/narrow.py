"""Ranges cut short by the condition of their space: `l in 1..n where abs(k - l) == 1` is two
numbers for each k.

Without this every pair would be made and nearly all thrown away again. The condition is judged
afterwards all the same, so that cutting too little is no fault.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mecdsl.model import symbolic as sym

MIRRORED = {"==": "==", "<=": ">=", "<": ">", ">=": "<=", ">": "<"}
ARITHMETIC = ("+", "-", "*")


@dataclass(frozen=True, slots=True)
class Limit:
    """`index operator centre`, or `abs(index - centre) operator reach`; strict ones count as their
    weak forms.
    """

    operator: str
    centre: sym.Expression
    reach: sym.Expression | None = None


def limits(space: sym.Space, position: int) -> Iterator[Limit]:
    """What the condition of a space says of the index of one generator in terms of those before it
    and of data.
    """
    names = space.generators[position].names
    if space.condition is None or len(names) != 1:
        return
    later = frozenset(name for generator in space.generators[position:] for name in generator.names)
    for part in _parts(space.condition):
        limit = _limit(part, names[0])
        if limit is not None and all(
            _is_plain(e, later) for e in (limit.centre, limit.reach) if e is not None
        ):
            yield limit


def _parts(condition: sym.Expression) -> Iterator[sym.Expression]:
    """The conditions that `and` joins."""
    match condition:
        case sym.Operation(operator="and", operands=operands):
            for operand in operands:
                yield from _parts(operand)
        case _:
            yield condition


def _limit(part: sym.Expression, name: str) -> Limit | None:
    if (
        not isinstance(part, sym.Operation)
        or part.operator not in MIRRORED
        or len(part.operands) != 2
    ):
        return None
    left, right = part.operands
    for one, operator, other in (
        (left, part.operator, right),
        (right, MIRRORED[part.operator], left),
    ):
        if _is_index(one, name):
            return Limit(operator, other)
        match one:
            case sym.Function(
                name="abs", arguments=(sym.Operation(operator="-", operands=(a, b)),)
            ):
                if operator in ("==", "<=", "<") and (_is_index(a, name) or _is_index(b, name)):
                    return Limit(operator, b if _is_index(a, name) else a, other)
            case _:
                pass
    return None


def _is_index(expression: sym.Expression, name: str) -> bool:
    return isinstance(expression, sym.IndexValue) and expression.name == name


def _is_plain(expression: sym.Expression, later: frozenset[str]) -> bool:
    """Numbers, indices from further out, single parameters and their sums and products: nothing
    that could fail.
    """
    match expression:
        case sym.Constant():
            return True
        case sym.IndexValue(name=name):
            return name not in later
        case sym.Lookup(indices=indices):
            return not indices
        case sym.Operation(operator=operator, operands=operands):
            return operator in ARITHMETIC and all(_is_plain(operand, later) for operand in operands)
        case _:
            return False
