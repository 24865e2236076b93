"""The text of an LP file (the format of CPLEX), one term a line: no line is too long for any
reader.

Numbers are written so that they read back to the same bits. Squares and products of the objective
stand in `[ ... ] / 2` and so are doubled, those of rows are not: that is the format's rule. A
variable that stands in no row and not in the objective is named there with factor 0, since readers
know no others.
"""

from collections.abc import Iterator

import numpy as np

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.model.relation import Relation
from mecdsl.pyomo_model.file_program import FileProgram

WORDS = {Relation.AT_MOST: "<=", Relation.AT_LEAST: ">=", Relation.EQUAL: "="}


def lp_text(program: FileProgram) -> str:
    """The whole file."""
    return "\n".join(_lines(program)) + "\n"


def _lines(program: FileProgram) -> Iterator[str]:
    labels = [column.label for column in program.names.columns]
    yield from (f"\\ {line}" for line in program.names.lines())
    yield "maximize" if program.maximize else "minimize"
    yield f"{program.names.objective.label}:"
    yield from _bodies(program.objective, labels, halved=True)[0]
    yield from (f" +0.0 {labels[column]}" for column in _unused(program).tolist())
    if (constant := float(program.objective.constant[0])) != 0.0:
        yield f" {constant:+}"
    yield "subject to"
    bodies = _bodies(program.rows, labels, halved=False)
    parts = zip(program.names.rows, bodies, program.relations, program.right.tolist(), strict=True)
    for row, body, relation, right in parts:
        yield f"{row.label}:"
        yield from body
        yield f" {WORDS[relation]} {right!r}"
    yield "bounds"
    for label, low, high in zip(
        labels, program.lower.tolist(), program.upper.tolist(), strict=True
    ):
        yield _bound(label, low, high)
    if program.integral.any():
        yield "general"
        yield from (f" {labels[column]}" for column in np.flatnonzero(program.integral).tolist())
    yield "end"


def _bound(label: str, low: float, high: float) -> str:
    if low == high:
        return f" {label} = {low!r}"
    if low == -np.inf and high == np.inf:
        return f" {label} free"
    if high == np.inf:
        return f" {label} >= {low!r}"
    return f" {low!r} <= {label} <= {high!r}"


def _bodies(coefficients: Quadratics, labels: list[str], halved: bool) -> list[list[str]]:
    """The lines of every row."""
    bodies: list[list[str]] = [[] for _ in range(coefficients.size)]
    for row, column, value in zip(
        coefficients.row.tolist(),
        coefficients.column.tolist(),
        coefficients.value.tolist(),
        strict=True,
    ):
        bodies[row].append(f" {value:+} {labels[column]}")
    brackets: list[list[str]] = [[] for _ in range(coefficients.size)]
    values = (2.0 if halved else 1.0) * coefficients.quadratic_value
    places = (
        coefficients.quadratic_row.tolist(),
        coefficients.first.tolist(),
        coefficients.second.tolist(),
    )
    for row, first, second, value in zip(*places, values.tolist(), strict=True):
        other = "^2" if first == second else f"* {labels[second]}"
        brackets[row].append(f" {value:+} {labels[first]} {other}")
    for body, bracket in zip(bodies, brackets, strict=True):
        if bracket:
            body += [" + [", *bracket, " ] / 2" if halved else " ]"]
    return bodies


def _unused(program: FileProgram) -> np.ndarray:
    used = np.zeros(len(program.names.columns), dtype=bool)
    for found in (program.objective, program.rows):
        for columns in (found.column, found.first, found.second):
            used[columns] = True
    return np.flatnonzero(~used)
