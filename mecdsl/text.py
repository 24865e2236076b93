"""What the terminal shows: plain tables of at most 80 columns with units everywhere."""

import math
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np

from mecdsl import symbolic as sym
from mecdsl.compare import Comparison, Entry
from mecdsl.instance import Instance
from mecdsl.problem import FamilyReport, Problem
from mecdsl.result import Result, Violation
from mecdsl.solution import Guarantee, Termination
from mecdsl.syntax import FamilyKind, Kind
from mecdsl.units import Dimension, Unit, format_value, parse_unit

WIDTH = 80
MOST_VALUES = 24  # members of a family printed one by one


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = (), indent: int = 2, right: str = "") -> str:
    """Columns aligned by blanks; `right` has an `r` for every column set flush right. The last column wraps."""
    lines = [list(header), *map(list, rows)] if header else list(map(list, rows))
    if not lines:
        return ""
    count = max(map(len, lines))
    lines = [line + [""] * (count - len(line)) for line in lines]
    widths = [max(len(line[position]) for line in lines) for position in range(count)]
    used = indent + sum(widths[:-1]) + 2 * (count - 1)
    room = max(20, WIDTH - used)
    out: list[str] = []
    for line in lines:
        cells = [
            cell.rjust(width) if right[position : position + 1] == "r" else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(line[:-1], widths[:-1], strict=True))
        ]
        last = line[-1].rjust(widths[-1]) if right[count - 1 : count] == "r" else line[-1]
        wrapped = textwrap.wrap(last, room) if len(last) > room else [last]
        out.append((" " * indent + "  ".join([*cells, wrapped[0] if wrapped else ""])).rstrip())
        out += [" " * used + part for part in wrapped[1:]]
    return "\n".join(out)


def paragraph(text: str, indent: int = 0) -> str:
    """Text wrapped at 80 columns."""
    return textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)


def number(value: float | None, digits: int = 6) -> str:
    """A plain number; whole ones in full, `-` for what is not known."""
    if value is None:
        return "-"
    if math.isfinite(value) and value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.{digits}g}"


def quantity(value: float | None, unit: Unit | Dimension | str | None, digits: int = 6) -> str:
    """A number with its unit."""
    if value is None:
        return "-"
    if unit is None or unit == "1":
        return number(value, digits)
    if isinstance(unit, str):
        return f"{number(value, digits)} {unit}"
    return format_value(value, unit, digits)


def members(values: Iterable[float], unit: Unit | None, digits: int = 6) -> str:
    """The values of a family: all of a small one, the range of a large one; the unit once."""
    array = np.asarray(list(values), dtype=np.float64)
    if len(array) == 0:
        return "none"
    if (array == array[0]).all():
        value = quantity(float(array[0]), unit, digits)
        return value if len(array) == 1 else f"{len(array)} x {value}"
    name, factor = _common_unit(array, unit)
    shown = array / factor
    if len(array) <= MOST_VALUES:
        return "[" + ", ".join(number(v, 5) for v in shown.tolist()) + f"]{name}"
    low, mean, high = (number(float(f(shown)), 5) for f in (np.min, np.mean, np.max))
    return f"{len(array)} values, {low} .. {high}{name}, mean {mean}"


def _common_unit(array: np.ndarray, unit: Unit | None) -> tuple[str, float]:
    """One unit for all values, with the prefix that suits the largest: its text and size."""
    if unit is None or unit.text == "1":
        return "", 1.0
    finite = np.abs(array[np.isfinite(array)])
    text = format_value(float(finite.max(initial=0.0)), unit, 4)
    name = text.partition(" ")[2]
    return (f" {name}", parse_unit(name).factor) if name else ("", 1.0)


# Problem and model ---------------------------------------------------------------------------------------------


def headline(instance: Instance) -> str:
    """`mel: Mobile edge learning ... (form relaxed)`."""
    model = instance.model
    form = f" (form {model.form})" if model.form else ""
    return paragraph(f"{model.name or 'model'}{form}: {model.title}" if model.title else f"{model.name}{form}")


def problem_text(problem: Problem) -> str:
    """The class with the reason for every family."""
    sizes = f"{problem.columns} variables ({problem.integer_columns} integer"
    sizes += f", {problem.fixed_columns} fixed" if problem.fixed_columns else ""
    sizes += f"), {problem.rows} constraint rows"
    lines = [f"class  {problem.problem_class.value}: {sizes}"]
    rows = [_family_row("objective", problem.objective)]
    rows += [_family_row("", family) for family in problem.families]
    lines.append(table(rows, ("family", "rows", "kind", "because"), right=" r"))
    return "\n".join(lines)


def _family_row(prefix: str, report: FamilyReport) -> list[str]:
    kind = report.degree.name.lower()
    if report.degree == 2:
        kind = {True: "convex ", False: "nonconvex ", None: ""}[report.convex] + kind
    because = report.reason
    if report.place is not None:
        because += f", line {report.place.line}"
    return [f"{report.name}", str(report.size), kind, because]


def show_text(instance: Instance, problem: Problem) -> str:
    """The model as tables: sets, parameters, definitions, variables, constraints, class."""
    world, model = instance.world, instance.model
    parts = [headline(instance)]
    if model.cites:
        parts.append("\n".join(paragraph(f"source: {cite}") for cite in model.cites))
    sets = [
        [f.kind.value, f.name, str(world.families[f.name].size), f.doc]
        for f in model.families.values()
        if f.kind is not FamilyKind.NODE
    ]
    sets += [["node", f.name, "1", f.doc] for f in model.families.values() if f.kind is FamilyKind.NODE]
    if sets:
        parts.append("sets\n" + table(sets, right="  r"))
    for kind, title in ((Kind.PARAM, "parameters"), (Kind.LET, "definitions over data")):
        rows = [
            [f"{s.name}{_index(s.space)}", members(world.values[s.name], _unit(instance, s)), s.doc]
            for s in model.of_kind(kind)
            if s.name in world.values
        ]
        if rows:
            parts.append(f"{title}\n" + _three(rows))
    variables = [[f"{s.name}{_index(s.space)}", _domain(instance, s), s.doc] for s in model.of_kind(Kind.VAR)]
    if variables:
        parts.append("variables\n" + _three(variables))
    sense, goal = model.objective.sense, model.objective
    parts.append(f"{sense}\n" + paragraph(f"{goal.name} = {goal.value.span.text}", 2))
    rows = [[f"{c.name}{_index(c.constraint.space)}", f"{c.size} rows", c.constraint.doc] for c in instance.constraints]
    if rows:
        parts.append("constraints\n" + table(rows))
    if model.forms:
        parts.append("forms\n" + table([[form.name, form.doc] for form in model.forms]))
    parts.append(problem_text(problem))
    return "\n\n".join(parts)


def _three(rows: Sequence[Sequence[str]]) -> str:
    """Name, values, meaning; long values push the meaning to a line of its own."""
    lines: list[str] = []
    width = min(max(len(row[0]) for row in rows), 34)
    for name, values, doc in rows:
        first = f"  {name.ljust(width)}  {values}"
        if len(first) <= WIDTH - 2 - len(doc):
            lines.append(f"{first}  {doc}".rstrip())
            continue
        blanks = " " * (width + 4)
        lines += textwrap.wrap(first, WIDTH, subsequent_indent=blanks, break_long_words=False)
        lines += textwrap.wrap(doc, WIDTH, initial_indent=blanks, subsequent_indent=blanks)
    return "\n".join(lines)


def _index(space: sym.Space) -> str:
    return f"[{', '.join(space.names)}]" if space.names else ""


def _unit(instance: Instance, symbol: sym.Symbol) -> Unit | None:
    if symbol.unit is not None:
        return symbol.unit
    dimension = instance.model.dimensions.get(symbol.name)
    if dimension is None or dimension.is_dimensionless:
        return None
    return Unit(str(dimension), dimension, 1.0)


def _domain(instance: Instance, symbol: sym.Symbol) -> str:
    family = instance.variable(symbol.name)
    unit = symbol.unit.text if symbol.unit and symbol.unit.text != "1" else ""
    count = f"{family.size} x " if symbol.space.names else ""
    words = [count + symbol.domain.value, unit]
    if symbol.domain is not sym.NumberDomain.BINARY:
        words += [f"{limit.operator} {limit.value.span.text}" for limit in symbol.limits]
    return " ".join(word for word in words if word)


# Results -------------------------------------------------------------------------------------------------------


def result_text(result: Result, every_value: bool = False) -> str:
    """One solve: what was found, what it is worth, the residuals, the values."""
    instance = result.instance
    goal = instance.model.objective
    lines = [headline(instance), ""]
    backend = result.backend + (f"  (auto: {result.choice})" if result.choice else "")
    rows = [["backend", backend], ["status", status_text(result)]]
    if result.solution.label and result.solution.label not in (result.choice, ""):
        rows.append(["method", result.solution.label])
    if result.solution.message:
        rows.append(["message", result.solution.message])
    if result.objective is not None:
        unit = instance.model.dimensions.get(goal.name)
        rows.append(["objective", f"{goal.name} = {quantity(result.objective, _plain(unit))} ({goal.sense}d)"])
        rows.append(["bound", bound_text(result, _plain(unit))])
    rows += [["fault", fault] for fault in result.faults]
    lines.append(table(rows, indent=0))
    if result.violations:
        lines += ["", "residuals", table([_violation_row(v) for v in result.violations])]
    if result.values:
        lines += ["", "values", _values(result, every_value)]
    if result.original is not None:
        lines += ["", _original_text(result)]
    if result.solution.certificate:
        rows = [[name, number(value)] for name, value in result.solution.certificate.items()]
        lines += ["", "certificate", table(rows)]
    lines += ["", seconds_text(result)]
    return "\n".join(lines)


def _plain(unit: Dimension | None) -> Dimension | None:
    return None if unit is None or unit.is_dimensionless else unit


def status_text(result: Result) -> str:
    """Guarantee and verification in words."""
    if result.objective is None:
        guarantee = result.guarantee.value
        return result.termination.value if guarantee == "none" else guarantee
    verdict = "verified" if result.verified else "NOT VERIFIED"
    limits = (Termination.TIME_LIMIT, Termination.ITERATION_LIMIT, Termination.INTERRUPTED)
    stopped = f", stopped: {result.termination.value}" if result.termination in limits else ""
    guarantee = "" if result.guarantee.value == "none" else f"{result.guarantee.value}, "
    return f"{guarantee}{verdict}{stopped}"


def bound_text(result: Result, unit: Dimension | None) -> str:
    """The proven bound and the gap."""
    if result.bound is None:
        return "none"
    gap = result.gap or 0.0
    return f"{quantity(result.bound, unit)}, gap {gap:.2g}" if gap else f"{quantity(result.bound, unit)}, gap 0"


def _violation_row(violation: Violation) -> list[str]:
    unit = "" if violation.unit == "1" else f" {violation.unit}"
    amount = f"{violation.amount:.3g}{unit}"
    if violation.amount == 0:
        return [violation.family, "0" + unit, ""]
    state = f"at {violation.member}, {violation.relative:.1e} of its terms"
    return [violation.family, amount, state if violation.accepted else f"VIOLATED {state}"]


def _values(result: Result, every_value: bool) -> str:
    rows: list[list[str]] = []
    for name, flat in (*result.values.items(), *result.reports.items()):
        symbol = result.instance.model.symbols[name]
        unit = _unit(result.instance, symbol)
        if every_value and len(flat) > 1:
            for row, value in enumerate(flat.tolist()):
                rows.append([result.instance.world.row_text(name, row), quantity(value, unit), ""])
            continue
        rows.append([f"{name}{_index(symbol.space)}", members(flat, unit), symbol.doc])
    return _three(rows)


def _original_text(result: Result) -> str:
    original = result.original
    assert original is not None
    if original.kept:
        return "on the model without its form: every constraint is kept"
    broken = [v for v in original.violations if not v.accepted]
    parts = [f"{v.family} by {v.amount:.3g}{'' if v.unit == '1' else ' ' + v.unit} at {v.member}" for v in broken]
    return paragraph("on the model without its form: violates " + "; ".join(parts))


def seconds_text(result: Result) -> str:
    """`seconds: parse 0.01, ...`."""
    parts = [f"{name} {value:.3f}" for name, value in result.seconds.items()]
    return paragraph("seconds  " + ", ".join(parts))


def comparison_text(comparison: Comparison, headline_text: str) -> str:
    """One row per backend and form, best proven bound below, reasons of refusals last."""
    lines = [headline_text]
    header = ("backend", "objective", "bound", "distance", "violation", "seconds", "guarantee")
    forms = list(dict.fromkeys(entry.asked_form for entry in comparison.entries))
    for form in forms:
        rows = [_entry_row(entry) for entry in comparison.entries if entry.asked_form == form]
        title = [f"form {form or 'base'}"] if len(forms) > 1 else []
        lines += ["", *title, table(rows, header, indent=0, right=" rrrrr")]
        if form in comparison.best_bounds:
            lines.append(f"best proven bound: {comparison.best_bounds[form]:.10g}")
    lines.append("")
    for entry in comparison.entries:
        if entry.bounds_only:
            assert entry.result is not None
            proven = entry.result.guarantee is Guarantee.GLOBAL
            worth = "its optimum is a bound, not a plan" if proven else "neither a plan nor a proven bound"
            lines.append(paragraph(f"* {entry.backend} solves form {entry.form}: {worth}"))
        elif entry.result is None:
            lines.append(paragraph(f"{entry.backend} did not run: {entry.reason}"))
        else:
            lines += [paragraph(f"{entry.backend}: {fault}") for fault in entry.result.faults]
            if entry.result.objective is None and entry.result.solution.message:
                lines.append(paragraph(f"{entry.backend}: {entry.result.solution.message}"))
    lines.append(paragraph("distance: of the objective to the best proven bound; violation: relative to the terms"))
    return "\n".join(lines)


SHORT = {
    Guarantee.GLOBAL: "global",
    Guarantee.LOCAL: "local",
    Guarantee.FEASIBLE: "feasible",
    Guarantee.INFEASIBLE: "infeasible",
    Guarantee.LOCALLY_INFEASIBLE: "infeasible?",
    Guarantee.UNBOUNDED: "unbounded",
}


def _entry_row(entry: Entry) -> list[str]:
    result = entry.result
    if result is None:
        return [entry.backend, "-", "-", "-", "-", "-", "did not run"]
    distance = "relaxed" if entry.bounds_only else "-" if entry.distance is None else f"{entry.distance:.1e}"
    if entry.distance == 0.0:
        distance = "0"
    violation = "-" if result.max_violation is None else f"{result.max_violation:.0e}"
    seconds = f"{result.seconds.get('solve', 0.0):.3f}"
    return [
        entry.backend + ("*" if entry.bounds_only else ""),
        number(result.objective, 8),
        number(result.bound, 8),
        distance,
        "0" if result.max_violation == 0 else violation,
        seconds,
        SHORT.get(result.guarantee, "NOT VERIFIED" if result.objective is not None else result.termination.value),
    ]
