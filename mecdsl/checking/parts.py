"""What the parts of the resolver of expressions share: the names, the reports of faults, and the
way back to whole expressions, which hold parts of every other kind.
"""

from typing import Protocol

from mecdsl.checking.faults import Faults, wrong_number
from mecdsl.checking.index_ranges import IndexRanges, Ranged
from mecdsl.checking.member_names import MemberNames
from mecdsl.checking.resolve_topology import Topology
from mecdsl.checking.scope import IndexInfo, Names, Scope
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax


class Whole(Protocol):
    """The resolver of whole expressions. Every method raises `Unresolved` after reporting."""

    names: Names
    ranges: IndexRanges
    faults: Faults
    members: MemberNames
    topology: Topology

    def resolve(self, expression: syntax.Expression, scope: Scope) -> sym.Expression:
        """The symbolic expression."""

    def resolve_all(
        self, expressions: tuple[syntax.Expression, ...], scope: Scope
    ) -> tuple[sym.Expression, ...]:
        """Several, so that every fault in them is reported."""

    def ranged(
        self, expression: syntax.Expression, scope: Scope, place: IndexInfo | None = None
    ) -> Ranged:
        """The expression with the family its values belong to."""

    def domain(
        self, expression: syntax.Expression, scope: Scope, of: IndexInfo | None = None
    ) -> sym.Domain:
        """The set an index runs over."""

    def space(
        self,
        generators: tuple[syntax.Generator, ...],
        condition: syntax.Expression | None,
        scope: Scope,
    ) -> tuple[sym.Space, Scope]:
        """Generators from left to right, and the scope inside them."""


class Part:
    """Resolves expressions of one kind; what is inside of them goes back to `whole`."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.names, self.ranges = whole.names, whole.ranges
        self.members, self.topology = whole.members, whole.topology
        self.fail, self.fail_once = whole.faults.fail, whole.faults.fail_once

    def require_arguments(
        self, call: syntax.Call, parameters: tuple[str, ...], noun: str = "argument"
    ) -> None:
        """Fail unless a call has as many arguments as there are parameters."""
        fault = wrong_number(call, parameters, noun)
        if fault is not None:
            raise self.fail("E110", fault[0], call.span, help=fault[1])
