"""Syntax tree to checked model: forms, names, circles, dimensions, and data where only data may
stand.
"""

import re
from dataclasses import dataclass, replace

from mecdsl.checking.layer_families import read_layer_files
from mecdsl.checking.member_files import read_member_files
from mecdsl.checking.own_units import own_units
from mecdsl.checking.resolve import resolve
from mecdsl.diagnostics import Collector, Diagnostic, ModelError
from mecdsl.forms.apply import apply_form
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier, fully_fixed
from mecdsl.model.dimensions import check_dimensions
from mecdsl.model.order import definition_order, warn_unused
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.linearize import linearize
from mecdsl.reformulations.switch_rows import switch_rows
from mecdsl.units import Dimension

SELECT = "only data may stand here; multiply by a binary variable instead of a condition"


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A model without faults, in one form, with the order of its definitions and the shapes of its
    parts.
    """

    model: sym.Model
    order: tuple[str, ...]
    shapes: Classifier


def check(document: syntax.Document, form: str = "", relax: bool = False) -> CheckedModel:
    """Check a document in a form ("" is the base model, `a+b` two forms) and return the model.

    Raises `ModelError` with every fault of this form.
    """
    try:
        return _check(document, form, relax)
    except RecursionError:
        message = "definitions use each other in a chain too long to follow"
        raise ModelError([Diagnostic("E003", message, help="join some of them")]) from None


def _check(document: syntax.Document, form: str, relax: bool) -> CheckedModel:
    collector = Collector()
    units = own_units(document.statements, collector)
    document = read_member_files(read_layer_files(document, units, collector), collector)
    formed = apply_form(document, form, relax, collector)
    model = resolve(formed, units, collector)
    order = definition_order(model, collector)
    if any(d.code == "E107" for d in collector.errors):
        collector.raise_errors()
    dimensions = check_dimensions(model, collector)
    shapes = Classifier(model)
    _check_data_places(
        model, Classifier(replace(model, fixes=())) if model.fixes else shapes, collector
    )
    collector.raise_errors()
    if not form:  # a form may well leave a parameter or a definition unused
        forms = (s.span.text for s in document.statements if isinstance(s, syntax.Form))
        warn_unused(model, collector, frozenset(re.findall(r"\w+", " ".join(forms))))
    changed = linearize(model, order, formed.linearizations, shapes, collector)
    changed = switch_rows(changed, collector)
    collector.raise_errors()
    if changed is not model:
        model = changed
        order, dimensions, shapes = _again(model)
    model = replace(model, dimensions=dimensions, warnings=collector.warnings)
    return CheckedModel(model, order, shapes)


def _again(model: sym.Model) -> tuple[tuple[str, ...], dict[str, Dimension | None], Classifier]:
    """Order, dimensions and shapes of a model that a pass of the compiler changed: a fault now is
    that pass's own.
    """
    collector = Collector()
    order, dimensions = (
        definition_order(model, collector),
        check_dimensions(model, collector, own_text=False),
    )
    if collector.errors:
        raise RuntimeError(f"the reformulated model is wrong: {collector.errors[0].message}")
    return order, dimensions, Classifier(model)


def _check_data_places(model: sym.Model, shapes: Classifier, collector: Collector) -> None:
    """Variables may stand only in constraints, objective, definitions and reports.

    `shapes`: with fixed variables as variables, for their values come after sets, parameters and
    bounds.
    """
    fixed = fully_fixed(model)

    def data_only(expression: sym.Expression | None, what: str, fix: str = SELECT) -> None:
        if expression is None or shapes.is_data(expression):
            return
        for node in sym.walk(expression):
            if isinstance(node, sym.Lookup) and not shapes.is_data(node):
                collector.error(
                    "E108",
                    f"`{node.symbol}` depends on variables and cannot stand in {what}",
                    node.span,
                    note=f"`{node.symbol}` is fixed, which makes it a number in rows alone"
                    if node.symbol in fixed
                    else None,
                    help=fix,
                )
                return

    def space(of: sym.Space) -> None:
        for part in sym.space_parts(of):
            data_only(part, "a set or its condition")

    def inside(expression: sym.Expression) -> None:
        for node in sym.walk(expression):
            match node:
                case sym.Choice(condition=condition):
                    data_only(condition, "the condition of an `if`")
                case sym.Aggregate(space=inner, function=function, body=body):
                    space(inner)
                    if function in ("count", "all", "any"):
                        data_only(body, f"`{function}`")
                case sym.Lookup(indices=indices):
                    for index in indices:
                        data_only(
                            index, "an index", "sum over all members, each times a binary variable"
                        )
                case sym.Member(arguments=indices):
                    for index in indices:
                        data_only(
                            index, "an index", "sum over all members, each times a binary variable"
                        )
                case _:
                    pass

    for family in model.families.values():
        space(family.space)
        for end in family.ends or ():
            data_only(end, "the end of a link", "declare all links, each with a binary variable")
        for item in (item for member in family.listed or () for item in member):
            data_only(item, "a set or its condition")
    for symbol in model.symbols.values():
        space(symbol.own_space)
        for limit in symbol.limits:
            data_only(
                limit.value, "a bound", f"write a constraint: `{symbol.name} {limit.operator} ...`"
            )
        if symbol.value is None or isinstance(symbol.value, sym.DataFile):
            continue
        for item in sym.data_expressions(symbol.value):
            if symbol.kind is Kind.PARAM:
                data_only(item, "a parameter", f"write `let {symbol.name} = ...`")
            inside(item)
    for assignment in (*model.starts, *model.fixes, *model.settings):
        data_only(assignment.condition, "an index")
        for item in sym.data_expressions(assignment.value):
            data_only(item, "a given value", "only data may stand here")
    for constraint in model.constraints:
        space(constraint.space)
        inside(constraint.left)
        inside(constraint.right)
        if constraint.switch is not None:
            inside(constraint.switch.variable)
    inside(model.objective.value)
