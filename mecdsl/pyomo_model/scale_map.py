"""The way back from an exported file: its names and factors, as lines of comment and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Mapped:
    """`value in SI = factor * value in the file` of one objective, column or row, with its two
    names and SI unit. `note`: what it is where the model has none of that name, or states it in
    another way.
    """

    label: str
    factor: float
    name: str
    unit: str
    note: str = ""

    @property
    def text(self) -> str:
        """`grid(3) 256.0 grid[3] [W]`."""
        unit = f" [{self.unit}]" if self.unit != "1" else ""
        return f"{self.label} {self.factor!r} {self.name}{unit}" + (
            f", {self.note}" if self.note else ""
        )


@dataclass(frozen=True, slots=True)
class ScaleMap:
    """What leads from a solver's answer about a file back to the model; columns and rows in the
    order of the file.
    """

    model: str
    objective: Mapped
    columns: tuple[Mapped, ...]
    rows: tuple[Mapped, ...]

    @property
    def scaled(self) -> bool:
        """Whether any factor differs from 1."""
        return any(part.factor != 1.0 for part in (self.objective, *self.columns, *self.rows))

    def lines(self) -> Iterator[str]:
        """What a file says about itself in its comments."""
        yield f"{self.model}: " + (
            "scaled by powers of two" if self.scaled else "all numbers in SI units"
        )
        yield "value in SI = factor * value here"
        yield (
            "multiplier of a row in SI = factor of the objective / factor of the row * "
            "multiplier here"
        )
        yield "kind, name here, factor, name in the model, SI unit:"
        yield f"objective {self.objective.text}"
        yield from (f"column {column.text}" for column in self.columns)
        yield from (f"row {row.text}" for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "model": self.model,
            "objective": {"label": self.objective.label} | _entry(self.objective),
            "columns": {column.label: _entry(column) for column in self.columns},
            "rows": {row.label: _entry(row) for row in self.rows},
        }

    @property
    def extra(self) -> int:
        """How many columns stand in place of kinks and are not in the model."""
        return sum(bool(column.note) for column in self.columns)

    def note(self) -> str:
        """One sentence about what was scaled; empty if nothing was."""
        if not self.scaled:
            return ""
        parts = [
            f"{changed} of {len(mapped)} {what}"
            for mapped, what in ((self.columns, "variables"), (self.rows, "rows"))
            if (changed := int(np.count_nonzero(_factors(mapped) != 1.0)))
        ]
        goal = self.objective
        if goal.factor == 1.0:
            aim = f"the objective is in {'its own unit' if goal.unit == '1' else goal.unit}"
        else:
            unit = "" if goal.unit == "1" else f" {goal.unit}"
            aim = f"1 of the objective is {goal.factor:.6g}{unit}"
        return f"scaled by powers of two: {', '.join([*parts, aim])}"


def _entry(mapped: Mapped) -> dict[str, Any]:
    entry = {"name": mapped.name, "factor": mapped.factor, "unit": mapped.unit}
    return entry | ({"note": mapped.note} if mapped.note else {})


def _factors(found: Sequence[Mapped]) -> Any:
    return np.array([mapped.factor for mapped in found], dtype=np.float64)
