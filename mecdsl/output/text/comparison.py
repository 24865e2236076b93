"""Several backends side by side as text."""

from collections.abc import Sequence

import numpy as np

from mecdsl.analysis.display_units import objective_display
from mecdsl.output.text.layout import (
    WIDTH,
    common_unit,
    heading,
    in_common_unit,
    number,
    paragraph,
    table,
    unit_of,
)
from mecdsl.output.text.spread import spread_text
from mecdsl.results.equilibrium import Certificate
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee
from mecdsl.studies.compare import Comparison, Entry
from mecdsl.units import DIMENSIONLESS, Unit, coherent_unit


def comparison_text(comparison: Comparison) -> str:
    """One row per backend and form, best proven bound below, reasons of refusals last."""
    results = [entry.result for entry in comparison.entries if entry.result is not None]
    title = heading(comparison.model, comparison.form, comparison.title, comparison.relaxed)
    lines, unit = [title], _shown(results)
    if results:
        goal = results[0].instance.model.objective
        named = "" if unit.text == "1" else f" in {unit.text}"
        lines.append(paragraph(f"objective {goal.name}{named}, {goal.sense}d"))
    forms = list(dict.fromkeys(entry.asked_form for entry in comparison.entries))
    for form in forms:
        entries = [entry for entry in comparison.entries if entry.asked_form == form]
        at = [f"form {form or 'base'}"] if len(forms) > 1 else []
        lines += ["", *at, _comparison_table(entries, unit)]
        reports = _reports_table(entries) if any(map(_is_of_game, entries)) else ""
        lines += ["", reports] if reports else []
        if form in comparison.best_bounds:
            lines.append(f"best proven bound: {unit.from_si(comparison.best_bounds[form]):.10g}")
    remarks = [remark for entry in comparison.entries for remark in _remarks(entry)]
    remarks += [f"CONTRADICTION: {contradiction}" for contradiction in comparison.contradictions]
    if any(result.equilibrium is not None for result in results):
        remarks.append(
            "epsilon: more no player can gain by moving alone, in SI; gain: the most that was "
            "found, as a share of what the player has; violation: relative to the terms"
        )
    elif any(result.objective is not None for result in results):
        remarks.append(
            "distance: of the objective to the best proven bound; violation: relative to the terms"
        )
    return "\n".join([*lines, "", *map(paragraph, remarks)])


def _remarks(entry: Entry) -> list[str]:
    """What a row of the table does not tell: why there is no answer, and what an answer is of."""
    result = entry.result
    if result is None:
        return [f"{entry.backend} did not run: {entry.reason}"]
    if entry.bounds_only:
        proven = result.guarantee in (Guarantee.GLOBAL, Guarantee.TO_GAP)
        worth = (
            "its optimum is a bound, not a plan" if proven else "neither a plan nor a proven bound"
        )
        return [f"* {entry.backend} solves form {entry.form}: {worth}"]
    remarks = []
    if entry.form != entry.asked_form:
        same = "the same problem with its products as variables"
        remarks.append(f"{entry.backend} solves form {entry.form}: {same}")
    elif not result.instance.model.exact:
        worth = "holds a relaxation of products, its optimum is a bound for the model, not a plan"
        remarks.append(f"{entry.backend}: form {entry.form} {worth}")
    remarks += [f"{entry.backend}: {fault}" for fault in result.faults]
    if result.solution.spread is not None:
        spread = spread_text(result.solution.spread, objective_display(result.instance))
        remarks.append(f"{entry.backend}: {spread}")
    if result.objective is None and result.solution.message:
        remarks.append(f"{entry.backend}: {result.solution.message}")
    return remarks


def _shown(results: Sequence[Result]) -> Unit:
    """The unit of all objectives and bounds: as `solve` shows them, or SI where forms have
    different objectives.
    """
    units = [objective_display(result.instance) for result in results]
    if not units or any(unit.dimension != units[0].dimension for unit in units):
        return coherent_unit(units[0].dimension if units else DIMENSIONLESS)
    values = [
        value
        for result in results
        for value in (result.objective, result.bound)
        if value is not None
    ]
    return common_unit(np.array(values, dtype=np.float64), units[0])


def _comparison_table(entries: Sequence[Entry], unit: Unit) -> str:
    """One row per entry, with fewer digits where the table would be too wide for a terminal."""
    game = any(map(_is_of_game, entries))
    worth = ("epsilon", "gain") if game else ("bound", "distance")
    header = ("backend", "objective", *worth, "violation", "seconds", "guarantee")
    text = ""
    for digits in (8, 6, 5):
        text = table(
            [_entry_row(entry, unit, digits) for entry in entries], header, indent=0, right=" rrrrr"
        )
        if max(map(len, text.splitlines())) <= WIDTH:
            break
    return text


def _equilibrium_cells(certificate: Certificate, digits: int) -> list[str]:
    """The largest gain that is not ruled out, in SI, and the largest share that was found."""
    share = certificate.gains / certificate.scale
    unknown = bool(np.isnan(share).any())
    most = 0.0 if unknown else 100.0 * float(share.max(initial=0.0))
    epsilon = "not proven" if certificate.epsilon is None else number(certificate.epsilon, digits)
    if np.isinf(most):
        return ["-", "unbounded"]
    return [epsilon, "-" if unknown else "0" if most == 0.0 else f"{most:.3g} %"]


def _is_of_game(entry: Entry) -> bool:
    return entry.result is not None and entry.result.equilibrium is not None


def _reports_table(entries: Sequence[Entry]) -> str:
    """The single numbers that a game reports, which its many objectives leave open."""
    results = [
        (entry.backend, entry.result)
        for entry in entries
        if entry.result is not None and entry.result.objective is not None
    ]
    names = [n for n, v in results[0][1].reports.items() if len(v) == 1][:MOST_REPORTS]
    columns: list[list[str]] = []
    for name in names:
        symbol = results[0][1].instance.model.symbols[name]
        values = np.array([result.flat(name)[0] for _, result in results])
        text, shown = in_common_unit(values, unit_of(results[0][1].instance, symbol))
        columns.append([f"{name}{f' [{text.strip()}]' if text.strip() else ''}"])
        columns[-1] += [number(value, 6) for value in shown.tolist()]
    text = ""
    for shown_columns in range(len(columns), 0, -1):  # as many as a terminal holds
        kept = columns[:shown_columns]
        rows = [
            [backend, *(column[row + 1] for column in kept)]
            for row, (backend, _) in enumerate(results)
        ]
        header = ("reports", *(column[0] for column in kept))
        text = table(rows, header, indent=0, right=" " + "r" * len(kept))
        if max(map(len, text.splitlines())) <= WIDTH:
            break
    return text


MOST_REPORTS = 5  # columns of a table

SHORT = {
    Guarantee.GLOBAL: "global",
    Guarantee.TO_GAP: "to a gap",
    Guarantee.LOCAL: "local",
    Guarantee.EQUILIBRIUM: "equilibrium",
    Guarantee.SETTLED: "equilibrium?",
    Guarantee.FEASIBLE: "feasible",
    Guarantee.INFEASIBLE: "infeasible",
    Guarantee.LOCALLY_INFEASIBLE: "infeasible?",
    Guarantee.UNBOUNDED: "unbounded",
}


def _entry_row(entry: Entry, unit: Unit, digits: int) -> list[str]:
    def shown(value: float | None) -> str:
        return number(None if value is None else unit.from_si(value), digits)

    result = entry.result
    if result is None:
        return [entry.backend, "-", "-", "-", "-", "-", "did not run"]
    distance = (
        "relaxed"
        if entry.bounds_only
        else "-"
        if entry.distance is None
        else f"{entry.distance:.1e}"
    )
    if entry.distance == 0.0:
        distance = "0"
    violation = "-" if result.max_violation is None else f"{result.max_violation:.0e}"
    seconds = f"{result.seconds.get('solve', 0.0):.3f}"
    worth = [shown(result.bound), distance]
    if result.equilibrium is not None:
        worth = _equilibrium_cells(result.equilibrium, digits)
    return [
        entry.backend + ("*" if entry.bounds_only else ""),
        shown(result.objective),
        *worth,
        "0" if result.max_violation == 0 else violation,
        seconds,
        SHORT.get(
            result.guarantee,
            "NOT VERIFIED" if result.objective is not None else result.termination.value,
        ),
    ]
