"""What is known after verification: claims and facts side by side, and their way out: text, JSON, a
data frame.
"""

import html
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from mecdsl.analysis.display_units import objective_display, residual_text
from mecdsl.analysis.member_units import multiplier_unit, unit_text
from mecdsl.diagnostics import nearest
from mecdsl.instances.instance import Instance, nested
from mecdsl.instances.reformulations import reformulations
from mecdsl.instances.tables import FloatArray
from mecdsl.model.symbolic import NumberDomain
from mecdsl.parsing.syntax import Kind
from mecdsl.results.certificate_text import certificate_rows, kkt_data, multipliers_text
from mecdsl.results.gap import ObjectiveSize
from mecdsl.results.layout import (
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
from mecdsl.results.violations import Violation
from mecdsl.solution import Guarantee, Iteration, Solution, Termination
from mecdsl.units import Unit

if TYPE_CHECKING:
    import pandas

    from mecdsl.certificates.kkt import Kkt

Named = TypeVar("Named")
FEWEST_DIGITS: Final = 6
MOST_DIGITS: Final = 17  # a double has no more


@dataclass(frozen=True, slots=True)
class Original:
    """The same point on the model without its form, where the variables of both are the same."""

    objective: float
    violations: tuple[Violation, ...]

    @property
    def kept(self) -> bool:
        """Whether the point keeps every constraint, bound and integrality of the original."""
        return all(violation.accepted for violation in self.violations)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A verified (or refuted) answer.

    `objective`: recomputed from the text of the model, SI. `violations`: one per constraint family,
    then "bounds" and "integrality". `gap`: relative distance between objective and bound, as `size`
    judges it. `relaxed`: every variable was made continuous. `seconds`: of each stage. `kkt`: the
    first-order conditions with the claimed multipliers; None where none are claimed or integers are
    present. `bound_by`: what proves the bound where it is not the solver. `notes`: why the
    guarantee is not what was claimed, or how far it reaches. A value that is not known is None.
    `print(result)` shows what the command line shows.
    """

    instance: Instance = field(repr=False)
    solution: Solution = field(repr=False)
    termination: Termination
    guarantee: Guarantee
    verified: bool
    faults: tuple[str, ...]
    objective: float | None
    bound: float | None
    gap: float | None
    violations: tuple[Violation, ...] = field(repr=False)
    values: Mapping[str, FloatArray] = field(repr=False)
    reports: Mapping[str, FloatArray] = field(repr=False)
    original: Original | None = field(default=None, repr=False)
    choice: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict, repr=False)
    relaxed: bool = False
    kkt: "Kkt | None" = field(default=None, repr=False)
    bound_by: str = ""
    notes: tuple[str, ...] = ()
    size: ObjectiveSize = field(default=ObjectiveSize(), repr=False)

    def __str__(self) -> str:
        return result_text(self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<pre>{html.escape(str(self))}</pre>"

    @property
    def backend(self) -> str:
        """The name of the backend that gave the answer."""
        return self.solution.backend

    @property
    def iterations(self) -> tuple[Iteration, ...]:
        """The steps an iterative method recorded."""
        return self.solution.iterations

    def point(self) -> FloatArray:
        """float64[columns], SI: the point that was judged.

        Raises ValueError where there is none.
        """
        if self.objective is None:
            raise ValueError("there is no point")
        x = self.instance.fixed.copy()
        for family in self.instance.variables:
            if family.name in self.values:
                x[family.columns] = self.values[family.name]
        return x

    def trace(self) -> list[dict[str, Any]]:
        """A row for each step: backend, form, iteration, objective, bound, unit, residual, seconds,
        note; SI.

        `pandas.DataFrame(result.trace())` is a table. What a method does not know is None.
        """
        model = self.instance.model
        run = {"backend": self.backend, "form": model.form or "base"}
        return [
            {
                **run,
                "iteration": step.number,
                "objective": plain(step.objective),
                "bound": plain(step.bound),
                "unit": self.unit(model.objective.name),
                "residual": plain(step.residual),
                "seconds": plain(step.seconds),
                "note": step.note,
            }
            for step in self.iterations
        ]

    @property
    def max_violation(self) -> float | None:
        """The largest residual relative to the terms of its row, over all families; None without a
        point.
        """
        if self.objective is None:
            return None
        return max((violation.relative for violation in self.violations), default=0.0)

    def __getitem__(self, name: str) -> Any:
        """Values of a variable, computed definition or report by qualified name: a float or an
        array in SI.

        The array has the shape of the family: one axis per index for a full product, else one entry
        per member. Raises KeyError.
        """
        flat = self._found(name)
        table = self.instance.world.symbols[name]
        if not table.names:
            return float(flat[0])
        if table.full and all(len(set(counts.tolist())) <= 1 for counts in table.levels):
            shape = tuple(int(counts[0]) if len(counts) else 0 for counts in table.levels)
            if math.prod(shape) == len(flat):
                return flat.reshape(shape)
        return flat

    def multiplier(self, name: str) -> Any:
        """Multipliers of a constraint: the derivative of the optimal objective by its right-hand
        side, in SI.

        A float, or an array: one axis per index for a full product, else one entry per row. The
        unit is that of `multiplier_unit`. Raises KeyError where none are known.
        """
        flat = np.asarray(_named(self.solution.multipliers, name, "multipliers"), dtype=np.float64)
        family = next(family for family in self.instance.constraints if family.name == name)
        columns = [family.table.columns[index] for index in family.constraint.space.names]
        if not columns:
            return float(flat[0])
        places = [np.unique(column, return_inverse=True) for column in columns]
        shape = tuple(len(labels) for labels, _ in places)
        if math.prod(shape) == len(flat):
            order = np.ravel_multi_index([place for _, place in places], shape)
            if (order == np.arange(len(flat))).all():
                return flat.reshape(shape)
        return flat

    def multiplier_unit(self, name: str) -> str:
        """The SI unit of the multipliers of a constraint: objective over row. Raises KeyError."""
        families = {family.name: family.constraint for family in self.instance.constraints}
        return multiplier_unit(self.instance, _named(families, name, "constraints"))

    def unit(self, name: str) -> str:
        """The SI unit the values of a name are in."""
        return unit_text(self.instance.model.dimensions.get(name))

    @property
    def worth(self) -> str:
        """The guarantee in words, with the gap where it is one that matters: `optimal to 4.6 %`."""
        if self.guarantee is Guarantee.TO_GAP and self.gap is not None:
            return f"optimal to {100.0 * self.gap:.2g} %"
        return self.guarantee.value

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this result."""
        match self.termination:
            case Termination.INTERRUPTED:
                return 130
            case (
                Termination.INFEASIBLE | Termination.UNBOUNDED | Termination.INFEASIBLE_OR_UNBOUNDED
            ):
                return 3
            case Termination.LOCALLY_INFEASIBLE:
                return 3
            case Termination.ERROR | Termination.NOT_FOUND:
                return 4
            case _ if self.objective is None:
                return 4
            case _:
                return 0 if self.verified else 5

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data: SI numbers, full precision, units named."""
        model = self.instance.model
        return {
            "model": model.name,
            "form": model.form or "base",
            "relaxed": self.relaxed,
            "backend": self.backend,
            "label": self.solution.label,
            "choice": self.choice,
            "termination": self.termination.value,
            "guarantee": self.worth,
            "verified": self.verified,
            "faults": list(self.faults),
            "message": self.solution.message,
            "notes": list(self.notes),
            "objective": {
                "name": model.objective.name,
                "value": plain(self.objective),
                "unit": self.unit(model.objective.name),
                "sense": model.objective.sense,
                "claimed": plain(self.solution.objective),
            },
            "proven": self._proven(),
            "bound": plain(self.bound),
            "bound_by": self.bound_by,
            "gap": plain(self.gap),
            "gap_with_offset": plain(self.size.plain(self.objective, self.bound)),
            "objective_offset": plain(self.size.offset),
            "max_violation": plain(self.max_violation),
            "violations": {v.family: plain(v.amount) for v in self.violations},
            "violation_details": {
                v.family: {
                    "unit": v.unit,
                    "member": v.member,
                    "allowed": plain(v.allowed),
                    "relative": plain(v.relative),
                    "accepted": v.accepted,
                }
                for v in self.violations
            },
            "values": self._nested(self.values),
            "units": {name: self.unit(name) for name in (*self.values, *self.reports)},
            "reports": self._nested(self.reports),
            "certificate": {
                name: plain(value) for name, value in self.solution.certificate.items()
            },
            "multipliers": {
                name: [plain(v) for v in (values + 0.0).tolist()]
                for name, values in self.solution.multipliers.items()
            },
            "multiplier_units": {
                family.name: multiplier_unit(self.instance, family.constraint)
                for family in self.instance.constraints
                if family.name in self.solution.multipliers
            },
            "kkt": kkt_data(self.kkt),
            "original": self._original(),
            "linearized": [found.as_dict() for found in reformulations(self.instance)],
            "iterations": len(self.solution.iterations),
            "seconds": dict(self.seconds),
            "seed": self.instance.seed,
            "versions": dict(self.solution.versions),
        }

    def _proven(self) -> dict[str, Any]:
        """What is proven, and by whom: None where nothing is."""
        known = {
            "optimum": self.guarantee is Guarantee.GLOBAL,
            "bound": self.bound is not None,
            "infeasible": self.guarantee is Guarantee.INFEASIBLE,
            "unbounded": self.guarantee is Guarantee.UNBOUNDED,
        }
        return {**known, "by": (self.bound_by or self.backend) if any(known.values()) else None}

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON object; numbers that are not finite become null."""
        return json.dumps(self.as_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_pandas(self, name: str) -> "pandas.Series[float]":
        """Values of one name as a series over its index, with the unit in its name.

        Needs pandas.
        """
        import pandas

        flat = self._found(name)
        table = self.instance.world.symbols[name]
        title = f"{name} [{self.unit(name)}]"
        if not table.names:
            return pandas.Series(flat, name=title)
        columns = [table.table.columns[index] for index in table.names]
        index = pandas.MultiIndex.from_arrays(columns, names=list(table.names))
        return pandas.Series(
            flat, index=index if len(columns) > 1 else index.get_level_values(0), name=title
        )

    def _found(self, name: str) -> FloatArray:
        """The values of a name in family order. Raises KeyError."""
        return _named({**self.values, **self.reports}, name, "values")

    def _nested(self, values: Mapping[str, FloatArray]) -> dict[str, Any]:
        symbols = self.instance.world.symbols
        result: dict[str, Any] = {}
        for name, flat in values.items():
            symbol = self.instance.model.symbols[name]
            integral = symbol.kind is Kind.VAR and symbol.domain.value != "real"
            convert = _whole if integral else plain
            result[name] = nested(flat, symbols[name].levels, convert)
        return result

    def _original(self) -> dict[str, Any] | None:
        if self.original is None:
            return None
        return {
            "objective": plain(self.original.objective),
            "kept": self.original.kept,
            "violations": {v.family: plain(v.amount) for v in self.original.violations},
        }


def _named(table: Mapping[str, Named], name: str, what: str) -> Named:
    """The entry of a name. Raises KeyError with what there is."""
    if name not in table:
        near = nearest(name, table)
        known = f"known are {', '.join(table)}" if table else f"there are no {what}"
        raise KeyError(f"no {what} of `{name}`; " + (f"did you mean `{near}`?" if near else known))
    return table[name]


def plain(value: float | None) -> float | None:
    """A float for JSON; None for what is unknown or not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def _whole(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value


# As text ------------------------------------------------------------------------------------------


def result_text(result: Result, every_value: bool = False) -> str:
    """One solve: what was found, what it is worth, the residuals, the values."""
    instance = result.instance
    goal = instance.model.objective
    lines = [headline(instance, result.relaxed), ""]
    backend = result.backend + (f"  (auto: {result.choice})" if result.choice else "")
    rows = [["backend", backend], ["status", _status_text(result)]]
    method = result.solution.label.removeprefix(f"{result.backend}: ")
    if method and not result.choice.startswith(method):
        rows.append(["method", method])
    if result.solution.message:
        rows.append(["message", result.solution.message])
    if result.objective is not None:
        unit, digits = objective_display(instance), _digits(result)
        rows.append(
            [
                "objective",
                f"{goal.name} = {quantity(result.objective, unit, digits)} ({goal.sense}d)",
            ]
        )
        rows.append(["bound", _bound_text(result, unit, digits)])
    rows += [["fault", fault] for fault in result.faults]
    rows += [["note", note] for note in result.notes]
    lines.append(table(rows, indent=0))
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
    rows = certificate_rows(result.kkt, result.bound_by, result.solution.certificate)
    if rows:
        lines += ["", "certificate", table(rows)]
    lines += ["", _seconds_text(result)]
    return "\n".join(lines)


def _status_text(result: Result) -> str:
    """Guarantee and verification in words."""
    if result.objective is None:
        guarantee = result.guarantee.value
        return result.termination.value if guarantee == "none" else guarantee
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
