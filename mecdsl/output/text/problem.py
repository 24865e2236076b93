"""What the terminal shows: plain tables of at most 80 columns with units everywhere."""

from collections.abc import Mapping

from mecdsl.convexity.curvature import Curvature
from mecdsl.convexity.problem import FamilyReport, Problem
from mecdsl.convexity.sampling import Counterexample
from mecdsl.diagnostics import count
from mecdsl.model.classes import Degree, ProblemClass
from mecdsl.output.text.layout import (
    number,
    paragraph,
    table,
)

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


def _apart(example: Counterexample, digits: int) -> bool:
    return number(example.middle, digits) != number(example.chord, digits)


def _counterexample_text(example: Counterexample) -> str:
    """The two points in SI, at most `SHOWN` variables of them."""
    names = list(example.first)
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""

    def point(values: Mapping[str, float]) -> str:
        return ", ".join(f"{name} = {number(values[name], 6)}" for name in names[:SHOWN]) + rest

    # as many digits as tell the two apart
    digits = next(d for d in range(6, 18) if d == 17 or _apart(example, d))
    middle, chord = number(example.middle, digits), number(example.chord, digits)
    text = f"`{example.member}`, in SI, between {point(example.first)} and {point(example.second)}:"
    return paragraph(f"{text} {middle} half-way, {chord} on the chord", 2)
