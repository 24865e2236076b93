"""A result as text: what was found, what it is worth, the residuals, the values."""

from typing import Final

from mecdsl.analysis.display_units import objective_display, residual_text
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.model.symbolic import NumberDomain
from mecdsl.output.text.certificate import certificate_text, multipliers_text
from mecdsl.output.text.game import epsilon_text, players_text
from mecdsl.output.text.layout import (
    MOST_VALUES,
    headline,
    in_common_unit,
    index_text,
    members,
    named_values,
    number,
    paragraph,
    quantity,
    table,
    unit_of,
)
from mecdsl.output.text.spread import spread_text
from mecdsl.results.result import Result
from mecdsl.results.violations import Violation
from mecdsl.solution import Guarantee, Termination
from mecdsl.units import Unit

FEWEST_DIGITS: Final = 6
MOST_DIGITS: Final = 17  # a double has no more


def result_text(result: Result, every_value: bool = False) -> str:
    """One solve: what was found, what it is worth, the residuals, the values."""
    instance = result.instance
    goal = instance.model.objective
    lines = [headline(instance, result.relaxed), ""]
    if goal.player:
        lines.insert(1, f"the problem of `{goal.player}`, with what all others do held fixed")
    backend = result.backend + (f"  (auto: {result.choice})" if result.choice else "")
    rows = [["backend", backend], ["status", _status_text(result)]]
    method = result.solution.label.removeprefix(f"{result.backend}: ")
    if method and not result.choice.startswith(method):
        rows.append(["method", method])
    if result.solution.message:
        rows.append(["message", result.solution.message])
    rows += _objective_rows(result)
    rows += [["fault", fault] for fault in result.faults]
    rows += [["note", note] for note in result.notes]
    if result.solution.spread is not None:
        rows.append(["note", spread_text(result.solution.spread, objective_display(instance))])
    lines.append(table(rows, indent=0))
    if result.equilibrium is not None:
        lines += ["", players_text(result)]
    if result.violations:
        lines += ["", "residuals", table([_violation_row(instance, v) for v in result.violations])]
    if result.values:
        shortened = not every_value and any(
            map(_is_shortened, (*result.values.values(), *result.reports.values()))
        )
        lines += [
            "",
            "values  (--values prints every one)" if shortened else "values",
            _values(result, every_value),
        ]
    if result.original is not None:
        lines += ["", _original_text(result)]
    multipliers = multipliers_text(instance, result.solution.multipliers, result.kkt)
    if multipliers and result.objective is not None:
        lines += ["", "multipliers", multipliers]
    certificate = certificate_text(result.kkt, result.bound_by, result.solution.certificate)
    if certificate:
        lines += ["", "certificate", certificate]
    lines += ["", _seconds_text(result)]
    return "\n".join(lines)


def _objective_rows(result: Result) -> list[list[str]]:
    """The objective, and what is proven of it or, of a game, what a player could still gain."""
    if result.objective is None:
        return []
    goal = result.instance.model.objective
    unit, digits = objective_display(result.instance), _digits(result)
    value = quantity(result.objective, unit, digits)
    rows = [["objective", f"{goal.name} = {value} ({goal.sense}d)"]]
    if not result.instance.model.players:
        rows.append(["bound", _bound_text(result, unit, digits)])
    if result.equilibrium is not None:
        rows.append(["epsilon", epsilon_text(result)])
    return rows


def _status_text(result: Result) -> str:
    """Guarantee and verification in words."""
    if result.objective is None:
        none = result.guarantee is Guarantee.NONE
        return result.termination.value if none else result.worth
    verdict = "verified" if result.verified else "NOT VERIFIED"
    limits = (Termination.TIME_LIMIT, Termination.ITERATION_LIMIT, Termination.INTERRUPTED)
    stopped = f", stopped: {result.termination.value}" if result.termination in limits else ""
    guarantee = "" if result.guarantee is Guarantee.NONE else f"{result.worth}, "
    return f"{guarantee}{verdict}{stopped}"


def _digits(result: Result) -> int:
    """As many significant digits as tell objective and bound apart, 6 at least."""
    digits = FEWEST_DIGITS
    while digits < MOST_DIGITS and _look_alike(result.objective, result.bound, digits):
        digits += 1
    return digits


def _look_alike(first: float | None, second: float | None, digits: int) -> bool:
    return (
        first is not None
        and second is not None
        and first != second
        and number(first, digits) == number(second, digits)
    )


def _bound_text(result: Result, unit: Unit, digits: int) -> str:
    """The proven bound and the gap; both gaps where the offset of the objective makes a
    difference.
    """
    if result.bound is None:
        return "none"
    gap, plain_gap = result.gap or 0.0, result.size.plain(result.objective, result.bound) or 0.0
    text = f"{quantity(result.bound, unit, digits)}, gap {gap:.2g}"
    if gap > 0.0 and plain_gap < 0.5 * gap and result.size.offset:
        text += (
            f" ({plain_gap:.2g} with the constant {quantity(result.size.offset, unit)} of "
            "the objective)"
        )
    return text


def _violation_row(instance: Instance, violation: Violation) -> list[str]:
    amount = residual_text(instance, violation.family, violation.member, violation.amount)
    if violation.amount == 0:
        return [violation.family, amount, ""]
    allowed = residual_text(instance, violation.family, violation.member, violation.allowed)
    state = f"at {violation.member}, allowed {allowed}"
    return [violation.family, amount, state if violation.accepted else f"VIOLATED {state}"]


def _is_shortened(flat: FloatArray) -> bool:
    """Whether a family is shown by its range."""
    return len(flat) > MOST_VALUES and not (flat == flat[0]).all()


def _values(result: Result, every_value: bool) -> str:
    rows: list[list[str]] = []
    for name, flat in (*result.values.items(), *result.reports.items()):
        symbol = result.instance.model.symbols[name]
        unit = unit_of(result.instance, symbol)
        if every_value and len(flat) > 1:
            shown, numbers = in_common_unit(flat, unit)
            for row, value in enumerate(numbers.tolist()):
                rows.append(
                    [result.instance.world.row_text(name, row), f"{number(value)}{shown}", ""]
                )
            continue
        shown = members(flat, unit, levels=result.instance.world.symbols[name].levels)
        if (
            symbol.domain is NumberDomain.BINARY
            and _is_shortened(flat)
            and set(flat.tolist()) == {0.0, 1.0}
        ):
            shown = f"{int(flat.sum())} of {len(flat)} are 1"
        rows.append([f"{name}{index_text(symbol.space)}", shown, symbol.doc])
    return named_values(rows)


def _original_text(result: Result) -> str:
    original = result.original
    assert original is not None
    instance = result.instance
    goal, exact = instance.model.objective, instance.model.exact
    unit = objective_display(instance)
    worth = "" if exact else f", {goal.name} = {quantity(original.objective, unit)}"
    bound = (
        ""
        if exact
        else "; the form holds a relaxation of products, "
        "its optimum is a bound and not a plan's value"
    )
    if original.kept:
        return paragraph(f"on the model without its form: every constraint is kept{worth}{bound}")
    broken = [v for v in original.violations if not v.accepted]
    parts = [
        f"{v.family} by {residual_text(instance, v.family, v.member, v.amount)} at {v.member}"
        for v in broken
    ]
    return paragraph("on the model without its form: violates " + "; ".join(parts) + bound)


def _seconds_text(result: Result) -> str:
    """`seconds: parse 0.01, ...`."""
    parts = [f"{name} {value:.3f}" for name, value in result.seconds.items()]
    return paragraph("seconds  " + ", ".join(parts))
