"""Instance to a file that other tools read: LP, MPS, NL, or a Python script of plain Pyomo
statements.

A stock solver finds in the file what `solve` finds: numbers are scaled as
`mecdsl.pyomo_model.file_scaling` says, unless they are near one anyway, and the file says how to
get back: LP and MPS in comments, the script in a suffix and a function, an NL file, which has no
comments that every reader skips, in a `.scale` file beside it with its names in `.row` and `.col`.
LP and MPS are written from the arrays, NL and script from the Pyomo model. What has a kink in the
model (`max`, `min`, `abs`, norms) is written as the rows that backends get; what the model has not
is marked in the way back. Start values stand in NL
and script; LP and MPS have no place for them. Pyomo's presolve is off: every constraint of the
model is in the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mecdsl.analysis.member_units import column_unit, objective_unit, row_unit
from mecdsl.analysis.scaling import Scaling, scale
from mecdsl.convexity.problem import FamilyReport, analyse
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.instance import Instance
from mecdsl.lowering.lower import TIP, Lowered, lowered
from mecdsl.model.classes import Degree
from mecdsl.pyomo_model.file_scaling import file_scaling, is_scaled, objective_factor
from mecdsl.pyomo_model.numbers import writing
from mecdsl.pyomo_model.one_objective import refuse_players
from mecdsl.pyomo_model.scale_map import Mapped, ScaleMap
from mecdsl.reduction.held_rows import held_rows
from mecdsl.reduction.reduced import reduce_by

if TYPE_CHECKING:
    from mecdsl.pyomo_model.lower import PyomoModel

KINDS: Final[Mapping[str, str]] = {"pyomo": ".py", "lp": ".lp", "mps": ".mps", "nl": ".nl"}

LARGEST_SCRIPT: Final = 20_000  # variables and rows; Python needs minutes to compile longer files


def export(instance: Instance, kind: str, path: str | Path, raw: bool = False) -> ScaleMap:
    """Write an instance as `kind`, a key of `KINDS`, to `path`, and say how its numbers lead back
    to the model.

    `raw`: all numbers in SI. The same instance gives the same bytes. Raises `ModelError` E502 where
    the format cannot hold the problem, E504 where it is not smooth; ValueError for an unknown kind;
    OSError.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind}")
    refuse_players(instance)
    path, arrays = Path(path), kind in ("lp", "mps")
    continuous = not (
        instance.integral & instance.free
    ).any()  # a cone is for local solvers, and coarser for SCIP
    twin = lowered(instance, cones=continuous and not arrays)
    scaling = file_scaling(twin.instance, raw)
    if arrays:
        _refuse_nonlinear(twin.instance, kind)
        return _write_program(twin, kind, path, scaling)
    if kind == "pyomo":
        _refuse_long(twin.instance)
    stated, scaling = _stated(_away_from_tips(twin.instance), scaling)
    write = _write_script if kind == "pyomo" else _write_nl
    return write(twin, stated, scaling, path)


def _away_from_tips(instance: Instance) -> Instance:
    """The instance with norms of cones at least `TIP` of their scale, as local solvers need it."""
    norms = instance.norms
    if not len(norms):
        return instance
    lower = instance.lower.copy()
    lower[norms] = np.maximum(lower[norms], TIP * scale(instance).column[norms])
    return replace(instance, lower=lower)


def _marked(names: ScaleMap, twin: Lowered) -> ScaleMap:
    """The way back with notes at what the model has not, and at rows that are stated squared."""
    if not twin.changed:
        return names
    notes = {
        twin.instance.column_name(c): _meaning(twin, c)
        for c in range(twin.original.columns, twin.instance.columns)
    }
    stated = {family.name for family in twin.original.constraints}
    squares = {}
    for family in twin.instance.constraints:
        members = [twin.instance.row_name(family, row) for row in range(family.size)]
        if family.name not in stated:
            notes |= dict.fromkeys(members, "not in the model")
        for member, factor in zip(
            members, twin.factors.get(family.name, np.zeros(0)).tolist(), strict=False
        ):
            squares[member] = f"squared: its multiplier is to be multiplied by {factor!r}, too"
    return replace(
        names,
        columns=tuple(replace(mapped, note=notes.get(mapped.name, "")) for mapped in names.columns),
        rows=tuple(
            replace(mapped, note=notes.get(mapped.name, squares.get(mapped.name, "")))
            for mapped in names.rows
        ),
    )


def _meaning(twin: Lowered, column: int) -> str:
    """`not in the model: stands for max(x, y)`; a binary has no text of its own."""
    family = next(
        family for family in twin.instance.variables if column < family.first + family.size
    )
    doc = " ".join(twin.instance.model.symbols[family.name].doc.split())
    return f"not in the model: {doc}" if doc else "not in the model"


def _write_program(twin: Lowered, kind: str, path: Path, scaling: Scaling) -> ScaleMap:
    from mecdsl.pyomo_model.file_program import file_program
    from mecdsl.pyomo_model.lp_file import lp_text
    from mecdsl.pyomo_model.mps_file import mps_text

    program = file_program(twin.instance, scaling)
    program = replace(program, names=_marked(program.names, twin))
    text = lp_text(program) if kind == "lp" else mps_text(program)
    path.write_text(text, encoding="utf-8", newline="\n")
    return program.names


def _stated(instance: Instance, scaling: Scaling) -> "tuple[PyomoModel, Scaling]":
    """The Pyomo model with the factors multiplied in, and the factors that it then has."""
    if not is_scaled(scaling):
        from mecdsl.pyomo_model.lower import to_pyomo

        return to_pyomo(instance), scaling
    from mecdsl.backends.shared.scaled_pyomo import scaled_pyomo

    scaled = scaled_pyomo(reduce_by(instance, scaling, held_rows(instance)))
    stated, factors = scaled.lowered, scaled.reduced.scaling
    stated.model.del_component("scaling_factor")  # Pyomo's NL writer would multiply it in once more
    factor = objective_factor(factors.objective)
    if factor != factors.objective:  # an objective above degree two was stated again
        stated.objective.set_value((factor / factors.objective) * stated.objective.expr)
        factors = replace(factors, objective=factor)
    return stated, factors


def _scale_map(
    instance: Instance,
    scaling: Scaling,
    stated: "PyomoModel",
    columns: Sequence[Any],
    rows: Sequence[Any],
) -> ScaleMap:
    """The map of a file of the Pyomo model that holds some of its variables and constraints, in
    this order.
    """
    factors = (1.0 / scaling.row).tolist()
    mapped = {
        id(variable): Mapped(
            variable.name, factor, instance.column_name(column), column_unit(instance, column)
        )
        for column, (variable, factor) in enumerate(
            zip(stated.variables, scaling.column.tolist(), strict=True)
        )
    }
    for family in instance.constraints:
        unit = row_unit(instance, family.constraint)
        for row, component in enumerate(stated.constraints[family.name]):
            if component is not None:
                name = instance.row_name(family, row)
                mapped[id(component)] = Mapped(
                    component.name, factors[family.first + row], name, unit
                )
    goal = stated.objective
    return ScaleMap(
        model=instance.model.name,
        objective=Mapped(
            goal.name,
            1.0 / scaling.objective,
            instance.model.objective.name,
            objective_unit(instance),
        ),
        columns=tuple(
            mapped.get(id(part)) or Mapped(part.name, 1.0, part.name, "1") for part in columns
        ),
        rows=tuple(mapped[id(part)] for part in rows),
    )


def _write_script(twin: Lowered, stated: "PyomoModel", scaling: Scaling, path: Path) -> ScaleMap:
    from mecdsl.pyomo_model.script import script

    rows = [row for found in stated.constraints.values() for row in found if row is not None]
    names = _marked(_scale_map(twin.instance, scaling, stated, stated.variables, rows), twin)
    with writing("pyomo"):
        text = script(stated, names)
    path.write_text(text, encoding="utf-8", newline="\n")
    return names


def _write_nl(twin: Lowered, stated: "PyomoModel", scaling: Scaling, path: Path) -> ScaleMap:
    """Without comments, which some readers do not know; so names and factors are written beside
    it.
    """
    from pyomo.core.expr.visitor import identify_variables
    from pyomo.repn.plugins.nl_writer import NLWriter

    expressions = [stated.objective.expr]
    expressions += [
        row.body for rows in stated.constraints.values() for row in rows if row is not None
    ]
    if not any(True for e in expressions for _ in identify_variables(e, include_fixed=False)):
        message = "no variable is left in objective and constraints, and an NL file needs one"
        raise ModelError([Diagnostic("E502", message, help="export to `lp`, `mps` or `pyomo`")])
    with path.open("w", encoding="utf-8", newline="\n") as file, writing("nl"):
        written = NLWriter().write(stated.model, file, linear_presolve=False)
    names = _scale_map(twin.instance, scaling, stated, written.variables, written.constraints)
    names = _marked(names, twin)
    texts = {
        ".row": [_one_line(row.label) for row in names.rows] + [names.objective.label],
        ".col": [_one_line(column.label) for column in names.columns],
        ".scale": names.lines(),
    }
    for suffix, lines in texts.items():
        text = "".join(f"{line}\n" for line in lines)
        path.with_suffix(suffix).write_text(text, encoding="utf-8", newline="\n")
    return names


def _one_line(name: str) -> str:
    """A name without blanks, which some readers of name files take for an end."""
    return name.replace(" ", "_")


def _refuse_nonlinear(instance: Instance, kind: str) -> None:
    """Quadratic rows have a place in both formats."""
    culprit = analyse(instance).culprit
    if culprit is not None and culprit.degree > Degree.QUADRATIC:
        raise ModelError([_no_place(culprit, kind)])


def _no_place(culprit: FamilyReport, kind: str) -> Diagnostic:
    message = (
        f"an {kind.upper()} file holds no degree above two: `{culprit.name}` is {culprit.reason}"
    )
    return Diagnostic("E502", message, culprit.place, help="export to `nl` or `pyomo`")


def _refuse_long(instance: Instance) -> None:
    size = instance.columns + instance.rows
    if size > LARGEST_SCRIPT:
        message = (
            f"a script of {size} variables and rows is too long for Python, the limit "
            f"is {LARGEST_SCRIPT}"
        )
        fix = 'export to `lp`, `mps` or `nl`, or use `mecdsl.load("model.mec").pyomo()`'
        raise ModelError([Diagnostic("E502", message, help=fix)])
