"""Random numbers and random points of a region, which only the data of a parameter may hold."""

from collections.abc import Iterator
from contextlib import contextmanager

from mecdsl.checking.parts import Part, Whole
from mecdsl.checking.scope import Scope
from mecdsl.diagnostics import nearest
from mecdsl.draws import DRAWS, REGIONS
from mecdsl.functions.signature import signature
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.units import DIMENSIONLESS


class Draws(Part):
    """Resolves draws to their addresses: the parameter and the number of the call in its value."""

    def __init__(self, whole: Whole) -> None:
        super().__init__(whole)
        self.address: str | None = None  # of the value that is resolved, if it may hold draws
        self.calls = 0

    @contextmanager
    def addressed(self, address: str | None) -> Iterator[None]:
        """Give the draws inside an address, and number them from 1; None: none may stand there."""
        self.address, self.calls = address, 0
        try:
            yield
        finally:
            self.address = None

    def draw(self, call: syntax.Call, scope: Scope) -> sym.Draw:
        """A random number; only the data of a parameter may be random, so that a file can hold
        them.
        """
        name = call.function
        self.require_arguments(call, DRAWS[name])
        if self.address is None:
            raise self.fail(
                "E115",
                f"`{name}` may stand only in the value of a parameter",
                call.span,
                help="declare `param draw[...] : unit = " + call.span.text + "` and use it here",
            )
        self.calls += 1
        arguments = self.whole.resolve_all(call.arguments, scope)
        return sym.Draw(
            function=name,
            arguments=arguments,
            symbol=self.address,
            call=self.calls,
            span=call.span,
        )

    def coordinate(self, point: syntax.Coordinate, scope: Scope) -> sym.Expression:
        """A coordinate of a point of a region: a draw whose address is that of the other
        coordinate.
        """
        region, axis = point.region, point.axis
        self._require_region(region)
        self.calls += 1
        call = self.calls
        arguments = self.whole.resolve_all(region.arguments, scope)
        drawn = sym.Draw(
            function=region.function,
            arguments=arguments,
            symbol=self.address or "",
            call=call,
            span=point.span,
            axis=axis,
        )
        if point.around is None:
            return drawn
        centre = self._centre(point.around, axis, scope)
        offset: sym.Expression = drawn
        if region.function == "rectangle":  # drawn from a corner, and its centre is asked for
            two = sym.Constant(2.0, DIMENSIONLESS, point.span)
            half = sym.Operation("/", (arguments[axis], two), point.span)
            offset = sym.Operation("-", (drawn, half), point.span)
        return sym.Operation("+", (centre, offset), point.span)

    def _require_region(self, region: syntax.Call) -> None:
        """Fail unless a region is known and has as many lengths as it takes."""
        name = region.function
        if name not in REGIONS:
            near = nearest(name, REGIONS)
            regions = ", ".join(signature(shape, lengths) for shape, lengths in REGIONS.items())
            fix = f"did you mean `{near}`?" if near else f"known are {regions}"
            raise self.fail("E110", f"unknown region `{name}`", region.span, help=fix)
        self.require_arguments(region, REGIONS[name], "length")

    def _centre(self, around: syntax.Expression, axis: int, scope: Scope) -> sym.Expression:
        """A coordinate of what a region lies around."""
        if isinstance(around, syntax.Tuple) and len(around.items) != 2:
            message = f"a centre has 2 coordinates, found {len(around.items)}"
            fix = "write `around (250 m, 400 m)`"
            raise self.fail("E110", message, around.span, help=fix)
        # draws in both coordinates of a centre are two draws
        self.address = f"{self.address or ''} around {'xy'[axis]}"
        if isinstance(around, syntax.Tuple):
            return self.whole.resolve(around.items[axis], scope)
        return self.topology.place(self.whole.ranged(around, scope), around, axis)
