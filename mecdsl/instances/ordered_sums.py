"""Sums over the members that stand before one in an order: `sum(e for v in F where v.a == a and
v.b < b)`.

Written out, such a sum has a term for every pair of members. Sorted, it is a running sum within
each group of equal `a`: with n members n log n steps and no pairs. It is taken where

- one member of a family runs, and the body and its side of every condition know it and some of the
  indices around, the shared ones;
- conditions joined by `and` are equalities, of which one side knows the member and the other does
  not, and one order: `p < q`, `p > q`, `p <= q`, `p >= q`, also `p < q or p == q and k < l`, in
  which ties are broken by a second key.

A running sum adds the terms of one group from its first on, so it cancels no digits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model import symbolic as sym
from mecdsl.reformulations.rewrite import structure

BEFORE = {"<": (1.0, True), "<=": (1.0, False), ">": (-1.0, True), ">=": (-1.0, False)}
MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
Number = NDArray[Any]
Pair = tuple[sym.Expression, sym.Expression]  # of the member, and of what stands around


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedSum:
    """A sum over what stands before: the space of the `members`, the `shared` indices of its side.

    `equal`: what has to agree. `keys`: what is compared, the first before the second; `signs`: -1
    where the larger stands before. `strict`: whether members with equal keys are left out.
    """

    members: sym.Space
    shared: tuple[str, ...]
    equal: tuple[Pair, ...]
    keys: tuple[Pair, ...]
    signs: tuple[float, ...]
    strict: bool

    @property
    def compared(self) -> tuple[Pair, ...]:
        """All that a member and a place are compared by."""
        return (*self.equal, *self.keys)

    def sums(
        self, members: Sequence[Number], places: Sequence[Number], values: FloatArray
    ) -> FloatArray:
        """For each place the sum of the values of the members that stand before it.

        `members`, `places`: the number of the shared indices, then the values of `compared`.
        """
        count = len(values)
        columns: list[Number] = [np.concatenate(pair) for pair in zip(members, places, strict=True)]
        first = 1 + len(self.equal)
        group = _numbered(columns[:first])
        keys = [sign * key for sign, key in zip(self.signs, columns[first:], strict=True)]
        is_place = np.arange(len(group)) >= count
        # at equal keys what comes first counts: places before members where these are left out
        last = ~is_place if self.strict else is_place
        order = np.lexsort((last, *reversed(keys), group))
        terms = np.concatenate((values, np.zeros(len(group) - count)))[order]
        result = np.empty(len(group))
        result[order] = running_sums(terms, group[order])
        return result[count:]


def ordered_sum(
    aggregate: sym.Aggregate,
    names: Sequence[str],
    free: Callable[[sym.Expression], frozenset[str]],
) -> OrderedSum | None:
    """What a sum says of an order, None where it says none.

    `names`: the indices around it; `free`: those that an expression takes from outside.
    """
    space = aggregate.space
    if aggregate.function != "sum" or len(space.generators) != 1 or space.condition is None:
        return None
    generator = space.generators[0]
    if len(generator.names) != 1 or not isinstance(generator.domain, sym.FamilyDomain):
        return None
    member = generator.names[0]
    sides = _Sides(member, free)
    equal: list[Pair] = []
    orders: list[tuple[tuple[Pair, ...], tuple[float, ...], bool]] = []
    for part in _joined(space.condition, "and"):
        pair = sides.compared(part, "==")
        if pair is not None:
            equal.append(pair[0])
            continue
        order = sides.order(part)
        if order is None:
            return None
        orders.append(order)
    if len(orders) != 1:
        return None
    keys, signs, strict = orders[0]
    inner = [aggregate.body, *(pair[0] for pair in (*equal, *keys))]
    used = frozenset[str]().union(*map(free, inner))
    shared = tuple(name for name in names if name in used)
    around = frozenset[str]().union(*(free(pair[1]) for pair in (*equal, *keys)))
    if not used - {member} <= set(names) or not around - set(shared):
        return None  # nothing to gain: every place around has members of its own
    return OrderedSum(
        members=replace(space, condition=None),
        shared=shared,
        equal=tuple(equal),
        keys=keys,
        signs=signs,
        strict=strict,
    )


@dataclass(frozen=True, slots=True)
class _Sides:
    """Tells which side of a comparison knows the member."""

    member: str
    free: Callable[[sym.Expression], frozenset[str]]

    def compared(self, part: sym.Expression, *operators: str) -> tuple[Pair, str] | None:
        """The side of the member, the other, and the operator that stands between them."""
        if not isinstance(part, sym.Operation) or part.operator not in operators:
            return None
        left, right = part.operands
        knows = [self.member in self.free(side) for side in (left, right)]
        if knows == [True, False]:
            return (left, right), part.operator
        if knows == [False, True]:
            return (right, left), MIRRORED.get(part.operator, part.operator)
        return None

    def order(
        self, part: sym.Expression
    ) -> tuple[tuple[Pair, ...], tuple[float, ...], bool] | None:
        """The keys of an order, their signs, and whether it is strict."""
        single = self.compared(part, *BEFORE)
        if single is not None:
            sign, strict = BEFORE[single[1]]
            return (single[0],), (sign,), strict
        ways = _joined(part, "or")
        if len(ways) != 2:
            return None
        for first, tie in (ways, ways[::-1]):
            before = self.compared(first, *BEFORE)
            if before is not None and BEFORE[before[1]][1]:
                second = self._tie(tie, before[0])
                if second is not None:
                    sign, strict = BEFORE[second[1]]
                    return (before[0], second[0]), (BEFORE[before[1]][0], sign), strict
        return None

    def _tie(self, part: sym.Expression, first: Pair) -> tuple[Pair, str] | None:
        """What is compared where the first keys are equal."""
        parts = _joined(part, "and")
        if len(parts) != 2:
            return None
        for equality, order in (parts, parts[::-1]):
            level, second = self.compared(equality, "=="), self.compared(order, *BEFORE)
            if level is not None and second is not None:
                return second if structure(level[0], {}) == structure(first, {}) else None
        return None


def _joined(condition: sym.Expression, operator: str) -> Sequence[sym.Expression]:
    """The conditions that `and` or `or` joins."""
    if isinstance(condition, sym.Operation) and condition.operator == operator:
        return [part for operand in condition.operands for part in _joined(operand, operator)]
    return [condition]


def _numbered(columns: Sequence[Number]) -> IntArray:
    """A number for each row, equal where all columns are."""
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, place = np.unique(column, return_inverse=True)
        number = number * len(values) + place
        if number.max(initial=0) > 2**31:  # so that the next column leaves it below 2^63
            number = np.unique(number, return_inverse=True)[1].astype(np.int64)
    return number


def running_sums(terms: FloatArray, group: IntArray) -> FloatArray:
    """The sum of each term and those before it in its group; groups stand together.

    Short groups take a step together, long ones are summed one by one; both add in order.
    """
    size = len(terms)
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if size else np.zeros(0, int)
    lengths = np.diff(np.r_[starts, size])
    result = terms.copy()
    limit = max(32, int(np.sqrt(size)))
    for start, length in zip(starts[lengths > limit], lengths[lengths > limit], strict=True):
        result[start : start + length] = np.cumsum(terms[start : start + length])
    short = starts[lengths <= limit]
    lengths = lengths[lengths <= limit]
    by_length = np.argsort(-lengths, kind="stable")
    short, lengths = short[by_length], lengths[by_length]
    for step in range(1, int(lengths.max(initial=0))):
        at = short[: np.searchsorted(-lengths, -step, side="left")] + step
        result[at] += result[at - 1]
    return result
