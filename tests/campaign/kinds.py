"""The kinds of models, by name; a case is determined by seed, kind and number."""

from collections.abc import Callable
from typing import Final

from tests.campaign import convex_kinds, kink_kinds, linear_kinds, nonconvex_kinds, switch_kinds
from tests.campaign.case import Case
from tests.campaign.draw import Draw

KINDS: Final[dict[str, Callable[[Draw], Case]]] = {
    "lp": linear_kinds.lp,
    "milp": linear_kinds.milp,
    "degenerate": linear_kinds.degenerate,
    "fixed": linear_kinds.fixed,
    "infeasible": linear_kinds.infeasible,
    "unbounded": linear_kinds.unbounded,
    "offset": linear_kinds.offset,
    "switch": switch_kinds.switch,
    "clock": switch_kinds.clock,
    "penalty": switch_kinds.penalty,
    "integers": switch_kinds.integer_rows,
    "products": switch_kinds.products,
    "kinks": kink_kinds.kinks,
    "convex": convex_kinds.convex,
    "deadline": convex_kinds.soft_deadline,
    "poles": convex_kinds.poles,
    "endless": convex_kinds.endless,
    "mixed": convex_kinds.mixed,
    "boxes": nonconvex_kinds.products_over_boxes,
    "concave": nonconvex_kinds.concave_cost,
    "curve": nonconvex_kinds.curve,
    "wave": nonconvex_kinds.wave,
}


def make(seed: int, kind: str, number: int) -> Case:
    """A case. Raises KeyError for a kind that is none."""
    return KINDS[kind](Draw(seed, kind, number))
