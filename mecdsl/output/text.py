"""What the terminal shows: plain tables of at most 80 columns with units everywhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mecdsl.analysis.display_units import objective_display
from mecdsl.convexity.curvature import Curvature
from mecdsl.convexity.problem import FamilyReport, Problem
from mecdsl.convexity.sampling import Counterexample
from mecdsl.diagnostics import count
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Degree, ProblemClass
from mecdsl.parsing.syntax import FamilyKind, Kind
from mecdsl.results.layout import (
    WIDTH,
    common_unit,
    headline,
    index_text,
    members,
    named_values,
    number,
    paragraph,
    table,
    unit_of,
)
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee
from mecdsl.studies.compare import Comparison, Entry
from mecdsl.units import DIMENSIONLESS, Unit, coherent_unit

SHOWN = 4  # variables of a counterexample

# Problem and model --------------------------------------------------------------------------------


def problem_text(problem: Problem) -> str:
    """The class with the reason for every family."""
    sizes = f"{count(problem.columns, 'variable')} ({problem.integer_columns} integer"
    sizes += f", {problem.fixed_columns} fixed" if problem.fixed_columns else ""
    sizes += f"), {count(problem.rows, 'constraint row')}"
    lines = [f"class  {problem.class_name}: {sizes}"]
    rows = [_family_row(report) for report in (problem.objective, *problem.families)]
    lines.append(table(rows, ("family", "rows", "kind", "because"), right=" r"))
    return "\n".join([*lines, *_convexity_lines(problem)])


def _family_row(report: FamilyReport) -> list[str]:
    kind = report.degree.name.lower()
    bent = report.curvature in (Curvature.CONVEX, Curvature.CONCAVE)
    if report.degree >= Degree.QUADRATIC and report.size:
        # what bends as it should is convex as part of the problem, whichever way it is written
        kind = {True: "convex ", False: "nonconvex ", None: ""}[report.convex] + kind
    because = report.reason
    if report.place is not None:
        because += f", {report.place.line_text}"
    if report.convex is not True and report.degree > Degree.QUADRATIC and report.size:
        because = (
            f"not convex: {_cause(report)}"
            if report.convex is False
            else f"not proven convex: {_cause(report)}"
        )
    elif bent and report.curvature is Curvature.CONCAVE and report.degree > Degree.QUADRATIC:
        because += "; concave"
    return [report.name, str(report.size), kind, because]


def _cause(report: FamilyReport) -> str:
    """The part that does not bend as it should, with its place and the member it is seen in."""
    where = f", {report.cause_place.line_text}" if report.cause_place else ""
    return report.cause + where + (f", in `{report.member}`" if report.member else "")


def convexity_dict(report: FamilyReport) -> dict[str, Any]:
    """What `check --json` says of the curvature of a family: numbers in SI."""
    points = report.counterexample
    return {
        "convex": report.convex,
        "curvature": report.curvature.value,
        "cause": report.cause,
        "cause_file": report.cause_place.source.name if report.cause_place else None,
        "cause_line": report.cause_place.line if report.cause_place else None,
        "member": report.member or None,
        "counterexample": None
        if points is None
        else {
            "member": points.member,
            "first": dict(points.first),
            "second": dict(points.second),
            "middle": points.middle,
            "chord": points.chord,
        },
    }


def _convexity_lines(problem: Problem) -> list[str]:
    """What is known of a nonlinear problem as a whole; the names of the other classes say it
    already.
    """
    if problem.problem_class not in (ProblemClass.NLP, ProblemClass.MINLP):
        return []
    worst = problem.not_convex
    if worst is None:
        return [
            "convex without integrality: a local solver proves its bounds"
            if problem.problem_class.integral
            else "convex: a local optimum is the global one"
        ]
    word = "not convex" if worst.convex is False else "not proven convex"
    lines = [paragraph(f"{word}: `{worst.name}`, {_cause(worst)}")]
    return lines + (
        [] if worst.counterexample is None else [_counterexample_text(worst.counterexample)]
    )


def _counterexample_text(found: Counterexample) -> str:
    """The two points in SI, at most `SHOWN` variables of them."""
    names = list(found.first)
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""

    def point(values: Mapping[str, float]) -> str:
        return ", ".join(f"{name} = {number(values[name], 6)}" for name in names[:SHOWN]) + rest

    middle, chord = number(found.middle, 6), number(found.chord, 6)
    text = f"`{found.member}`, in SI, between {point(found.first)} and {point(found.second)}:"
    return paragraph(f"{text} {middle} half-way, {chord} on the chord", 2)


def show_text(instance: Instance, problem: Problem, relaxed: bool = False) -> str:
    """The model as tables: sets, parameters, definitions, variables, constraints, class."""
    world, model = instance.world, instance.model
    parts = [headline(instance, relaxed)]
    if model.cites:
        parts.append("\n".join(paragraph(f"source: {cite}") for cite in model.cites))
    sets = [
        [f.kind.value, f.name, str(world.families[f.name].size), f.doc]
        for f in model.families.values()
        if f.kind is not FamilyKind.NODE
    ]
    sets += [
        ["node", f.name, "1", f.doc] for f in model.families.values() if f.kind is FamilyKind.NODE
    ]
    if sets:
        parts.append("sets\n" + table(sets, right="  r"))
    for kind, title in ((Kind.PARAM, "parameters"), (Kind.LET, "definitions over data")):
        rows = [
            [
                f"{s.name}{index_text(s.space)}",
                members(
                    world.values[s.name], unit_of(instance, s), levels=world.symbols[s.name].levels
                ),
                s.doc,
            ]
            for s in model.of_kind(kind)
            if s.name in world.values
        ]
        if rows:
            parts.append(f"{title}\n" + named_values(rows))
    variables = [
        [f"{s.name}{index_text(s.space)}", _domain(instance, s), s.doc]
        for s in model.of_kind(Kind.VAR)
    ]
    if variables:
        parts.append("variables\n" + named_values(variables))
    sense, goal = model.objective.sense, model.objective
    parts.append(f"{sense}\n" + paragraph(f"{goal.name} = {goal.value.span.text}", 2))
    rows = [
        [f"{c.name}{index_text(c.constraint.space)}", count(c.size, "row"), c.constraint.doc]
        for c in instance.constraints
    ]
    if rows:
        parts.append("constraints\n" + table(rows))
    if model.forms:
        parts.append("forms\n" + table([[form.name, form.doc] for form in model.forms]))
    parts.append(problem_text(problem))
    return "\n\n".join(parts)


def _domain(instance: Instance, symbol: sym.Symbol) -> str:
    family = instance.variable(symbol.name)
    unit = symbol.unit.text if symbol.unit and symbol.unit.text != "1" else ""
    copies = f"{family.size} x " if symbol.space.names else ""
    words = [copies + symbol.domain.value, unit]
    if symbol.domain is not sym.NumberDomain.BINARY:
        written = [limit for limit in symbol.limits if _is_written(limit)]
        words += [f"{limit.operator} {limit.value.span.text}" for limit in written]
    return " ".join(word for word in words if word)


def _is_written(limit: sym.Limit) -> bool:
    """Whether a bound stands in the text; that a level stands for nothing below 0 does not."""
    return limit.span != limit.value.span


def comparison_text(comparison: Comparison, headline_text: str) -> str:
    """One row per backend and form, best proven bound below, reasons of refusals last."""
    results = [entry.result for entry in comparison.entries if entry.result is not None]
    lines, unit = [headline_text], _shown(results)
    if results:
        goal = results[0].instance.model.objective
        named = "" if unit.text == "1" else f" in {unit.text}"
        lines.append(paragraph(f"objective {goal.name}{named}, {goal.sense}d"))
    forms = list(dict.fromkeys(entry.asked_form for entry in comparison.entries))
    for form in forms:
        entries = [entry for entry in comparison.entries if entry.asked_form == form]
        title = [f"form {form or 'base'}"] if len(forms) > 1 else []
        lines += ["", *title, _comparison_table(entries, unit)]
        if form in comparison.best_bounds:
            lines.append(f"best proven bound: {unit.from_si(comparison.best_bounds[form]):.10g}")
    lines.append("")
    for entry in comparison.entries:
        if entry.bounds_only:
            assert entry.result is not None
            proven = entry.result.guarantee in (Guarantee.GLOBAL, Guarantee.TO_GAP)
            worth = (
                "its optimum is a bound, not a plan"
                if proven
                else "neither a plan nor a proven bound"
            )
            lines.append(paragraph(f"* {entry.backend} solves form {entry.form}: {worth}"))
        elif entry.result is None:
            lines.append(paragraph(f"{entry.backend} did not run: {entry.reason}"))
        else:
            if entry.form != entry.asked_form:
                same = "the same problem with its products as variables"
                lines.append(paragraph(f"{entry.backend} solves form {entry.form}: {same}"))
            elif not entry.result.instance.model.exact:
                worth = (
                    "holds a relaxation of products, its optimum is a bound for the "
                    "model, not a plan"
                )
                lines.append(paragraph(f"{entry.backend}: form {entry.form} {worth}"))
            lines += [paragraph(f"{entry.backend}: {fault}") for fault in entry.result.faults]
            if entry.result.objective is None and entry.result.solution.message:
                lines.append(paragraph(f"{entry.backend}: {entry.result.solution.message}"))
    lines += [paragraph(f"CONTRADICTION: {found}") for found in comparison.contradictions]
    if any(result.objective is not None for result in results):
        lines.append(
            paragraph(
                "distance: of the objective to the best proven bound; violation: relative to "
                "the terms"
            )
        )
    return "\n".join(lines)


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
    header = ("backend", "objective", "bound", "distance", "violation", "seconds", "guarantee")
    text = ""
    for digits in (8, 6, 5):
        text = table(
            [_entry_row(entry, unit, digits) for entry in entries], header, indent=0, right=" rrrrr"
        )
        if max(map(len, text.splitlines())) <= WIDTH:
            break
    return text


SHORT = {
    Guarantee.GLOBAL: "global",
    Guarantee.TO_GAP: "to a gap",
    Guarantee.LOCAL: "local",
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
    return [
        entry.backend + ("*" if entry.bounds_only else ""),
        shown(result.objective),
        shown(result.bound),
        distance,
        "0" if result.max_violation == 0 else violation,
        seconds,
        SHORT.get(
            result.guarantee,
            "NOT VERIFIED" if result.objective is not None else result.termination.value,
        ),
    ]
