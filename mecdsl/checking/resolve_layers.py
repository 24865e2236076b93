"""Sets that come from the order of layers: `cuts(net)`, the layers of a cut, `crossing(c)`,
`before(j)`, `after(j)`.
"""

from collections.abc import Callable

from mecdsl.checking.faults import wrong_number
from mecdsl.checking.index_ranges import LAYER_GROUPS, IndexRanges
from mecdsl.checking.layer_cuts import MOST_CUTS, TooManyCutsError, valid_cuts
from mecdsl.checking.scope import Names, Scope, Unresolved
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.units import DIMENSIONLESS

Resolve = Callable[[syntax.Expression, Scope], sym.Expression]


def layers_domain(
    expression: syntax.Expression, scope: Scope, ranges: IndexRanges, resolve: Resolve
) -> sym.Domain | None:
    """The set of cuts or layers an expression means, None if it means something else.

    Raises `Unresolved` after reporting a fault.
    """
    names = ranges.names
    match expression:
        case syntax.Name(name=name) if (
            name in scope.indices and scope.indices[name].cuts_of is not None
        ):
            family = scope.indices[name].cuts_of
            return sym.LayersDomain(family or "", sym.LayerGroup.CUT, resolve(expression, scope))
        case syntax.Call(function="cuts", arguments=(syntax.Name(name=name),), base=None) if (
            name in names.families
        ):
            return _cuts(name, expression, names, resolve)
        case syntax.Call(function=function, base=None) if function in LAYER_GROUPS:
            return _group(expression, scope, ranges, resolve)
        case _:
            return None


def _fail(
    names: Names, code: str, message: str, expression: syntax.Expression, fix: str | None
) -> Unresolved:
    names.collector.error(code, message, expression.span, help=fix)
    return Unresolved()


def _cuts(
    name: str, expression: syntax.Expression, names: Names, resolve: Resolve
) -> sym.RangeDomain:
    """The cuts by number: 0 to L for a chain, 0 to one less than their count for a graph."""
    declared = names.families[name].declared
    zero = sym.Constant(0, DIMENSIONLESS, expression.span)
    if declared.layer_file is not None and declared.layer_file.before is not None:
        try:
            last = len(valid_cuts(declared.layer_file.before).truth) - 1
        except TooManyCutsError:
            fix = "join the layers of a branch into one row of a table"
            message = f"`{name}` has more than {MOST_CUTS} valid cuts"
            names.collector.error("E310", message, declared.layer_file.span, help=fix)
            last = 0  # so that no further fault follows from this one
        return sym.RangeDomain(zero, sym.Constant(last, DIMENSIONLESS, expression.span), name)
    return sym.RangeDomain(zero, resolve(_chain_end(name, names), Scope()), name)


def _chain_end(name: str, names: Names) -> syntax.Expression:
    """The L of a chain `[l in 1..L]`."""
    match names.families[name].declared.index:
        case syntax.IndexList(
            generators=(
                syntax.Generator(domain=syntax.Range(low=syntax.Quantity(value="1"), high=high)),
            ),
            condition=None,
        ):
            return high
        case index:
            fix = "number the layers from 1 with one index, or take them from a file"
            place = (
                index.span if index else names.families[name].declared.name_span
            )  # said once, however often used
            names.collector.error("E106", f"`{name}` is not a chain `[l in 1..L]`", place, help=fix)
            raise Unresolved


def _group(
    call: syntax.Call, scope: Scope, ranges: IndexRanges, resolve: Resolve
) -> sym.LayersDomain:
    names = ranges.names
    fault = wrong_number(call, ("c",) if call.function == "crossing" else ("j",))
    if fault is not None:
        raise _fail(names, "E110", fault[0], call, fault[1])
    argument, group = call.arguments[0], LAYER_GROUPS[call.function]
    info = scope.indices.get(argument.name) if isinstance(argument, syntax.Name) else None
    value = resolve(argument, scope)
    cut = group is sym.LayerGroup.CROSSING
    family = None if info is None else info.cuts_of if cut else ranges.layers_of(info)
    if family is None:
        layers = [
            n
            for n, head in names.families.items()
            if head.declared.kind is syntax.FamilyKind.LAYERS
        ]
        example_family = layers[0] if len(layers) == 1 else "net"
        what, example = (
            ("cuts", f"c in cuts({example_family})")
            if cut
            else ("layers", f"j in {example_family}")
        )
        fix = f"let an index run over the {what}: `{example}`"
        message = f"`{argument.span.text}` is no index over {what}"
        raise _fail(names, "E106", message, argument, fix)
    _chain_end(family, names)  # layers of a file are numbered so as well
    return sym.LayersDomain(family, group, value)
