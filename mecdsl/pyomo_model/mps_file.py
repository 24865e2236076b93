"""The text of an MPS file with free fields, its sections in the order that CPLEX writes.

Conventions that readers share (HiGHS, SCIP, CPLEX, Gurobi, CBC): the constant of the objective is
minus its right-hand side; `OBJSENSE` says what is maximised; `QUADOBJ` holds one triangle of Q of
x'Qx/2, so that a square counts twice; `QCMATRIX` holds all of Q of a row x'Qx, without a half. Both
bounds of every column are written, lower first: a missing one means 0, 1 or infinity to different
readers, and an upper one below 0 may move the lower one.
"""

from collections.abc import Iterator

import numpy as np

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.model.relation import Relation
from mecdsl.pyomo_model.file_names import file_names
from mecdsl.pyomo_model.file_program import FileProgram

KINDS = {Relation.AT_MOST: "L", Relation.AT_LEAST: "G", Relation.EQUAL: "E"}


def mps_text(program: FileProgram) -> str:
    """The whole file."""
    return "\n".join(_lines(program)) + "\n"


def _lines(program: FileProgram) -> Iterator[str]:
    goal = program.names.objective.label
    yield from (f"* {line}" for line in program.names.lines())
    yield f"NAME {file_names([program.names.model])[0]}"
    if program.maximize:
        yield "OBJSENSE"
        yield "    MAX"
    yield "ROWS"
    yield f" N {goal}"
    rows = [row.label for row in program.names.rows]
    yield from (
        f" {KINDS[relation]} {row}" for relation, row in zip(program.relations, rows, strict=True)
    )
    yield "COLUMNS"
    yield from _columns(program, [goal, *rows])
    yield "RHS"
    right = [0.0 - float(program.objective.constant[0]), *program.right.tolist()]
    yield from (
        f" RHS {row} {value!r}"
        for row, value in zip([goal, *rows], right, strict=True)
        if value != 0.0
    )
    yield "BOUNDS"
    yield from _bounds(program)
    yield from _curvature(program, rows)
    yield "ENDATA"


def _columns(program: FileProgram, rows: list[str]) -> Iterator[str]:
    """Entries column by column, runs of integers between markers; 0 in the objective where there
    are none.
    """
    goal, coefficients = program.objective, program.rows
    column = np.concatenate([goal.column, coefficients.column])
    row = np.concatenate([goal.row, coefficients.row + 1])
    value = np.concatenate([goal.value, coefficients.value])
    order = np.lexsort((row, column))
    ends = np.searchsorted(
        column[order], np.arange(len(program.names.columns)), side="right"
    ).tolist()
    entries = list(zip(row[order].tolist(), value[order].tolist(), strict=True))
    first, inside, markers = 0, False, 0
    for label, end, integral in zip(
        program.names.columns, ends, program.integral.tolist(), strict=True
    ):
        if integral != inside:
            yield f" MARKER{markers} 'MARKER' '{'INTORG' if integral else 'INTEND'}'"
            inside, markers = integral, markers + 1
        for place, number in entries[first:end] or [(0, 0.0)]:
            yield f" {label.label} {rows[place]} {number!r}"
        first = end
    if inside:
        yield f" MARKER{markers} 'MARKER' 'INTEND'"


def _bounds(program: FileProgram) -> Iterator[str]:
    columns = zip(
        program.names.columns, program.lower.tolist(), program.upper.tolist(), strict=True
    )
    for column, low, high in columns:
        if low == high:
            yield f" FX BND {column.label} {low!r}"
        elif low == -np.inf and high == np.inf:
            yield f" FR BND {column.label}"
        else:
            yield f" MI BND {column.label}" if low == -np.inf else f" LO BND {column.label} {low!r}"
            yield (
                f" PL BND {column.label}" if high == np.inf else f" UP BND {column.label} {high!r}"
            )


def _curvature(program: FileProgram, rows: list[str]) -> Iterator[str]:
    labels = [column.label for column in program.names.columns]
    if len(program.objective.quadratic_value):
        yield "QUADOBJ"
        for _, first, second, value in _products(program.objective):
            yield (
                f" {labels[second]} {labels[first]} {(2.0 * value if first == second else value)!r}"
            )
    current = -1
    for row, first, second, value in _products(program.rows):
        if row != current:
            yield f"QCMATRIX {rows[row]}"
            current = row
        if first == second:
            yield f" {labels[first]} {labels[first]} {value!r}"
        else:
            yield f" {labels[first]} {labels[second]} {0.5 * value!r}"
            yield f" {labels[second]} {labels[first]} {0.5 * value!r}"


def _products(found: Quadratics) -> Iterator[tuple[int, int, int, float]]:
    places = (found.quadratic_row.tolist(), found.first.tolist(), found.second.tolist())
    return zip(*places, found.quadratic_value.tolist(), strict=True)
