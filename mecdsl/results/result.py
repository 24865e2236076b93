"""What is known after verification: claims and facts side by side."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mecdsl.analysis.member_units import multiplier_unit, unit_text
from mecdsl.diagnostics import nearest
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.results.equilibrium import Certificate
from mecdsl.results.gap import ObjectiveSize
from mecdsl.results.violations import Violation
from mecdsl.solution import Guarantee, Iteration, Solution, Termination

if TYPE_CHECKING:
    from mecdsl.certificates.kkt import Kkt

Named = TypeVar("Named")


PROOFS = (Guarantee.GLOBAL, Guarantee.TO_GAP, Guarantee.INFEASIBLE, Guarantee.UNBOUNDED)


@dataclass(frozen=True, slots=True)
class Original:
    """The same point on the model without its form, where the variables of both are the same."""

    objective: float
    violations: tuple[Violation, ...]

    @property
    def kept(self) -> bool:
        """Whether the point keeps every constraint, bound and integrality of the original."""
        return all(violation.accepted for violation in self.violations)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Result:
    """A verified (or refuted) answer.

    `objective`: recomputed from the text of the model, SI. `violations`: one per constraint family,
    then "bounds" and "integrality". `gap`: relative distance between objective and bound, as `size`
    judges it. `relaxed`: every variable was made continuous. `seconds`: of each stage. `kkt`: the
    first-order conditions with the claimed multipliers; None where none are claimed or integers are
    present. `bound_by`: what proves the bound where it is not the solver. `notes`: why the
    guarantee is not what was claimed, or how far it reaches. `equilibrium`: of a game, what every
    player could still gain. `if_exact`: the form on whose word a proof holds, which the model says
    to be exact. A value that is not known is None.
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
    equilibrium: Certificate | None = field(default=None, repr=False)
    if_exact: str = ""

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
        flat = self.flat(name)
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
        """The guarantee in words, with the gap where it is one that matters, and the form on whose
        word it holds: `optimal to 4.6 %`, `globally optimal if form cones is exact`.
        """
        words = self.guarantee.value
        if self.guarantee is Guarantee.TO_GAP and self.gap is not None:
            words = f"optimal to {100.0 * self.gap:.2g} %"
        if self.if_exact and self.guarantee in PROOFS:
            words += f" if form {self.if_exact} is exact"
        return words

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
            case Termination.ERROR | Termination.NOT_FOUND | Termination.NO_EQUILIBRIUM:
                return 4
            case _ if self.objective is None:
                return 4
            case _:
                return 0 if self.verified else 5

    def flat(self, name: str) -> FloatArray:
        """float64, SI: the values of a name in family order. Raises KeyError."""
        return _named({**self.values, **self.reports}, name, "values")


def _named(table: Mapping[str, Named], name: str, what: str) -> Named:
    """The entry of a name. Raises KeyError with what there is."""
    if name not in table:
        near = nearest(name, table)
        known = f"known are {', '.join(table)}" if table else f"there are no {what}"
        raise KeyError(f"no {what} of `{name}`; " + (f"did you mean `{near}`?" if near else known))
    return table[name]
