"""What is known after verification: claims and facts side by side, and their way out as JSON or a data frame."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mecdsl.instance import Instance, nested
from mecdsl.solution import Guarantee, Iteration, Solution, Termination
from mecdsl.syntax import Kind
from mecdsl.tables import FloatArray
from mecdsl.units import Dimension

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Violation:
    """The worst residual of one family: `amount` in `unit` at `member`, and relative to the terms of its row."""

    family: str
    amount: float
    unit: str
    member: str
    relative: float
    accepted: bool


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

    `objective`: recomputed from the text of the model, SI. `violations`: one per constraint family, then
    "bounds" and "integrality". `gap`: relative distance between objective and bound. A value that is not
    known is None.
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
    violations: tuple[Violation, ...]
    values: Mapping[str, FloatArray] = field(repr=False)
    reports: Mapping[str, FloatArray] = field(repr=False)
    original: Original | None = None
    choice: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        """The name of the backend that gave the answer."""
        return self.solution.backend

    @property
    def iterations(self) -> tuple[Iteration, ...]:
        """The steps an iterative method recorded."""
        return self.solution.iterations

    @property
    def max_violation(self) -> float | None:
        """The largest residual relative to the terms of its row, over all families; None without a point."""
        if self.objective is None:
            return None
        return max((violation.relative for violation in self.violations), default=0.0)

    def __getitem__(self, name: str) -> Any:
        """Values of a variable, computed definition or report by qualified name: a float or an array in SI.

        The array has the shape of the family: one axis per index for a full product, else one entry per member.
        """
        flat = self.values.get(name)
        if flat is None:
            flat = self.reports[name]
        table = self.instance.world.symbols[name]
        if not table.names:
            return float(flat[0])
        if table.full and all(len(set(counts.tolist())) <= 1 for counts in table.levels):
            shape = tuple(int(counts[0]) if len(counts) else 0 for counts in table.levels)
            if math.prod(shape) == len(flat):
                return flat.reshape(shape)
        return flat

    def unit(self, name: str) -> str:
        """The SI unit the values of a name are in."""
        return unit_text(self.instance.model.dimensions.get(name))

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this result."""
        match self.termination:
            case Termination.INTERRUPTED:
                return 130
            case Termination.INFEASIBLE | Termination.UNBOUNDED | Termination.INFEASIBLE_OR_UNBOUNDED:
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
            "backend": self.backend,
            "label": self.solution.label,
            "choice": self.choice,
            "termination": self.termination.value,
            "guarantee": self.guarantee.value,
            "verified": self.verified,
            "faults": list(self.faults),
            "message": self.solution.message,
            "objective": {
                "name": model.objective.name,
                "value": plain(self.objective),
                "unit": self.unit(model.objective.name),
                "sense": model.objective.sense,
                "claimed": plain(self.solution.objective),
            },
            "bound": plain(self.bound),
            "gap": plain(self.gap),
            "max_violation": plain(self.max_violation),
            "violations": {v.family: plain(v.amount) for v in self.violations},
            "violation_details": {
                v.family: {"unit": v.unit, "member": v.member, "relative": plain(v.relative), "accepted": v.accepted}
                for v in self.violations
            },
            "values": self._nested(self.values),
            "units": {name: self.unit(name) for name in (*self.values, *self.reports)},
            "reports": self._nested(self.reports),
            "certificate": {name: plain(value) for name, value in self.solution.certificate.items()},
            "multipliers": {name: [plain(v) for v in values.tolist()]
                            for name, values in self.solution.multipliers.items()},
            "original": self._original(),
            "iterations": len(self.solution.iterations),
            "seconds": dict(self.seconds),
            "seed": self.instance.seed,
            "versions": dict(self.solution.versions),
        }  # fmt: skip

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON object; numbers that are not finite become null."""
        return json.dumps(self.as_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_pandas(self, name: str) -> "pandas.Series[float]":
        """Values of one name as a series over its index, with the unit in its name. Needs pandas."""
        import pandas

        flat = self.values.get(name)
        flat = self.reports[name] if flat is None else flat
        table = self.instance.world.symbols[name]
        title = f"{name} [{self.unit(name)}]"
        if not table.names:
            return pandas.Series(flat, name=title)
        columns = [table.table.columns[index] for index in table.names]
        index = pandas.MultiIndex.from_arrays(columns, names=list(table.names))
        return pandas.Series(flat, index=index if len(columns) > 1 else index.get_level_values(0), name=title)

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


def plain(value: float | None) -> float | None:
    """A float for JSON; None for what is unknown or not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def _whole(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def unit_text(dimension: Dimension | None) -> str:
    """The SI unit of a dimension; `1` for a plain number."""
    return "1" if dimension is None else str(dimension)
