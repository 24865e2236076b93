"""`constraint c when x: left <= right` becomes `left <= right + M*(1 - x)`, with M computed and
shown.

M is the largest value of `left - right` by interval arithmetic over the declared limits: large
enough by proof, and never guessed. A row of `<=` needs that end alone, and asks for no limit that
does not enter it. M is a definition of the model, `c.big_m`, one number for every row; `show` and
`check --explain` print it. The constraint itself is kept in `Model.switched`, and the verifier
judges that one where the switch has its value: a row with a big M alone would forgive a violation
of 1e-6 times M.
"""

from collections.abc import Sequence
from dataclasses import replace

from mecdsl.diagnostics import Collector, Label
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier, Degree
from mecdsl.model.dimensions import find_dimension
from mecdsl.model.relation import Relation
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.compose import ONE, add, multiply, subtract
from mecdsl.reformulations.limits import Intervals, Limits, NoInterval, Unbounded
from mecdsl.units import Unit


def switch_rows(model: sym.Model, collector: Collector) -> sym.Model:
    """The model with big-M rows in place of constraints that have a switch; a missing limit goes to
    the collector.
    """
    if all(constraint.switch is None for constraint in model.constraints):
        return model
    limits, shapes = Limits(dict(model.symbols)), Classifier(model)

    def is_data(expression: sym.Expression) -> bool:
        names = (node.symbol for node in sym.walk(expression) if isinstance(node, sym.Lookup))
        return all(
            name in limits.made or shapes.symbol(name).degree is Degree.CONSTANT for name in names
        )

    intervals = Intervals(model, limits, is_data)
    constraints: list[sym.Constraint] = []
    switched: list[sym.Switched] = []
    made: dict[str, sym.Symbol] = {}
    for constraint in model.constraints:
        if constraint.switch is None:
            constraints.append(constraint)
            continue
        try:
            rows, values = _rows(constraint, constraint.switch, intervals, model)
        except Unbounded as error:
            _unbounded(constraint, constraint.switch, error, model, collector)
            continue
        except NoInterval as error:
            message = (
                f"`{constraint.name}` cannot be switched: the range of a part of it is not known"
            )
            labels = (Label(error.expression.span, "this part"),)
            fix = (
                "give the part a variable of its own with finite bounds, and a constraint "
                "that sets it"
            )
            collector.error("E122", message, constraint.switch.span, labels=labels, help=fix)
            continue
        constraints += rows
        made |= {value.name: value for value in values}
        names = (tuple(row.name for row in rows), tuple(value.name for value in values))
        switched.append(sym.Switched(replace(constraint, switch=None), constraint.switch, *names))
    symbols = {**model.symbols, **limits.made, **made}
    return replace(model, symbols=symbols, constraints=tuple(constraints), switched=tuple(switched))


def _rows(
    constraint: sym.Constraint, switch: sym.Switch, intervals: Intervals, model: sym.Model
) -> tuple[Sequence[sym.Constraint], Sequence[sym.Symbol]]:
    """One row family and its big-M for `<=` and `>=`, two for `==`."""
    difference = subtract(constraint.left, constraint.right)
    off = subtract(ONE, switch.variable) if switch.value == 1 else switch.variable
    rows: list[sym.Constraint] = []
    values: list[sym.Symbol] = []
    for relation in constraint.relation.parts:
        end = "upper" if relation is Relation.AT_MOST else "lower"
        bound = intervals.end(difference, end)
        side = end if constraint.relation is Relation.EQUAL else ""
        name = f"{constraint.name}.big_m" + (f"_{side}" if side else "")
        value = _definition(name, constraint, bound, model)
        values.append(value)
        indices = tuple(sym.IndexValue(index, constraint.span) for index in constraint.space.names)
        big_m = sym.Lookup(name, indices, bound.span)
        right = add(constraint.right, multiply(big_m, off))
        row = f"{constraint.name}.switched" + (f"_{side}" if side else "")
        doc = f"{constraint.left.span.text} {relation} {right.span.text}"
        rows.append(
            replace(constraint, name=row, relation=relation, right=right, doc=doc, switch=None)
        )
    return rows, values


def _definition(
    name: str, constraint: sym.Constraint, bound: sym.Expression, model: sym.Model
) -> sym.Symbol:
    dimensions = (find_dimension(model, side) for side in (constraint.left, constraint.right))
    dimension = next((one for one in dimensions if one is not None), None)
    unit = None if dimension is None else Unit(str(dimension), dimension, 1.0)
    space, real = constraint.space, sym.NumberDomain.REAL
    doc = f"big-M of {constraint.name}"
    return sym.Symbol(
        name=name,
        kind=Kind.LET,
        owner=None,
        own_space=space,
        space=space,
        domain=real,
        unit=unit,
        limits=(),
        value=bound,
        member_of=None,
        doc=doc,
        span=constraint.span,
    )


def _unbounded(
    constraint: sym.Constraint,
    switch: sym.Switch,
    error: Unbounded,
    model: sym.Model,
    collector: Collector,
) -> None:
    symbol = model.symbols[error.symbol]
    operator = ">=" if error.side == "lower" else "<="
    collector.error(
        "E122",
        f"`{constraint.name}` cannot be switched: `{error.symbol}` has no {error.side} bound",
        switch.span,
        labels=(Label(symbol.span, f"no `{operator}` here"),),
        help=f"declare a finite bound, `{error.symbol.rpartition('.')[2]} : ... {operator} ...`",
    )
