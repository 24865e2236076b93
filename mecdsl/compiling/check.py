"""Syntax tree to checked model, by a row of passes: forms, names, circles, dimensions, data where
only data may stand, products and switches.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mecdsl.checking.layer_families import read_layer_files
from mecdsl.checking.member_files import read_member_files
from mecdsl.checking.own_units import own_units
from mecdsl.checking.resolve import resolve
from mecdsl.compiling.data_places import check_data_places
from mecdsl.compiling.players_goal import state_goal
from mecdsl.diagnostics import Collector, Diagnostic, ModelError
from mecdsl.forms.apply import FormedDocument, apply_form
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier
from mecdsl.model.dimensions import check_dimensions
from mecdsl.model.order import definition_order, warn_unused
from mecdsl.parsing import syntax
from mecdsl.reformulations.linearize import linearize
from mecdsl.reformulations.switch_rows import switch_rows
from mecdsl.units import NO_OWN, Dimension, OwnUnits


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
    work = _Work(document, form, relax)
    try:
        for each in PASSES:
            each(work)
    except RecursionError:
        message = "definitions use each other in a chain too long to follow"
        raise ModelError([Diagnostic("E003", message, help="join some of them")]) from None
    return CheckedModel(work.model, work.order, work.shapes)


class _Work:
    """What the passes have made of a document so far; each pass reads what those before it left."""

    formed: FormedDocument
    model: sym.Model
    order: tuple[str, ...]
    dimensions: Mapping[str, Dimension | None]
    shapes: Classifier

    def __init__(self, document: syntax.Document, form: str, relax: bool) -> None:
        self.document, self.form, self.relax = document, form, relax
        self.collector = Collector()
        self.units: OwnUnits = NO_OWN


def _declare_units(work: _Work) -> None:
    work.units = own_units(work.document.statements, work.collector)


def _read_files(work: _Work) -> None:
    """Layers and members that stand in files beside the model."""
    document = read_layer_files(work.document, work.units, work.collector)
    work.document = read_member_files(document, work.collector)


def _apply_forms(work: _Work) -> None:
    work.formed = apply_form(work.document, work.form, work.relax, work.collector)


def _resolve_names(work: _Work) -> None:
    work.model = resolve(work.formed, work.units, work.collector)


def _order_definitions(work: _Work) -> None:
    """What follows goes through definitions, which a circle would never end."""
    work.order = definition_order(work.model, work.collector)
    if any(fault.code == "E107" for fault in work.collector.errors):
        work.collector.raise_errors()


def _find_dimensions(work: _Work) -> None:
    work.dimensions = check_dimensions(work.model, work.collector)


def _state_goal(work: _Work) -> None:
    """The objective of a game, which its players have stated together."""
    if work.model.players:
        named = replace(work.model, dimensions=work.dimensions)
        work.model, dimension = state_goal(named, work.formed.goal, work.collector)
        work.dimensions = {**work.dimensions, work.model.objective.name: dimension}


def _classify(work: _Work) -> None:
    work.shapes = Classifier(work.model)


def _refuse_variables_in_data(work: _Work) -> None:
    model = work.model
    unfixed = Classifier(replace(model, fixes=())) if model.fixes else work.shapes
    check_data_places(model, unfixed, work.collector)
    work.collector.raise_errors()


def _warn_of_unused(work: _Work) -> None:
    """Of the base model: a form may well leave a parameter or a definition unused."""
    if not work.form:
        forms = (s.span.text for s in work.document.statements if isinstance(s, syntax.Form))
        named = frozenset(re.findall(r"\w+", " ".join(forms)))
        warn_unused(work.model, work.collector, named)


def _reformulate(work: _Work) -> None:
    """Products as rows where the form asks for it, and switched constraints as rows."""
    asked = work.formed.linearizations
    changed = linearize(work.model, work.order, asked, work.shapes, work.collector)
    changed = switch_rows(changed, work.collector)
    work.collector.raise_errors()
    if changed is not work.model:
        work.model = changed
        _look_again(work)


def _look_again(work: _Work) -> None:
    """Order, dimensions and shapes of a model that was reformulated: a fault now is that of the
    reformulation.
    """
    collector = Collector()
    work.order = definition_order(work.model, collector)
    work.dimensions = check_dimensions(work.model, collector, own_text=False)
    if collector.errors:
        raise RuntimeError(f"the reformulated model is wrong: {collector.errors[0].message}")
    work.shapes = Classifier(work.model)


def _keep_findings(work: _Work) -> None:
    warnings = work.collector.warnings
    work.model = replace(work.model, dimensions=work.dimensions, warnings=warnings)


PASSES: Final[tuple[Callable[[_Work], None], ...]] = (
    _declare_units,
    _read_files,
    _apply_forms,
    _resolve_names,
    _order_definitions,
    _find_dimensions,
    _state_goal,
    _classify,
    _refuse_variables_in_data,
    _warn_of_unused,
    _reformulate,
    _keep_findings,
)
"""From a syntax tree to a checked model, in this order."""
