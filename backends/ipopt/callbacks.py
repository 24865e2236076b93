"""The callbacks that cyipopt calls while Ipopt runs, and what is noted meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mecdsl.backends.ipopt.library import Library
from mecdsl.backends.nlp.problem import FEASIBILITY_TOLERANCE, NlpProblem, Vector, violation
from mecdsl.solution import Iteration


@dataclass(slots=True)
class Point:
    x: Vector
    constraint_multipliers: Vector
    lower_multipliers: Vector
    upper_multipliers: Vector
    rank: tuple[float, float] = (np.inf, np.inf)


@dataclass(slots=True, kw_only=True)
class Callbacks:
    """The callbacks under the names that cyipopt looks for, and what is noted while they run.

    cyipopt keeps the first exception of a callback to itself until Ipopt returns and feeds Ipopt
    made-up numbers until then. Here an exception is stored, every later call returns nan, which
    Ipopt knows how to refuse, and it is raised at the end. (Reporting an evaluation error instead,
    cyipopt's own way, ends in a segmentation fault if the constraints do so at the first point.)

    Values that are not finite make Ipopt take a shorter step; derivatives that are not, `sqrt(x)`
    at 0, end it. Where that happened it runs again with `careful`, which costs a gradient for every
    value.
    """

    problem: NlpProblem
    should_stop: Callable[[], bool]
    began: float
    library: Library
    iterations: list[Iteration] = field(default_factory=list)
    best: Point | None = None
    last: Vector | None = None
    accepted: Vector | None = None  # where a gradient was asked for last
    evaluations: int = 0
    failure: BaseException | None = None
    handle: Any = None  # the cyipopt.Problem, for its current iterate
    careful: bool = False  # a point without derivatives counts as one without values

    def _guarded(self, call: Callable[[], Vector], size: int) -> Vector:
        self.evaluations += 1
        if self.failure is None:
            try:
                with np.errstate(all="ignore"):  # ipopt looks at nan and inf itself
                    return call()
            except BaseException as error:  # crosses C code; raised again by solve_ipopt
                self.failure = error
        return np.full(size, np.nan)

    def objective(self, x: Vector) -> float:
        self.last = x
        return float(self._guarded(lambda: np.array([self._objective(x)]), 1)[0])

    def gradient(self, x: Vector) -> Vector:
        self.accepted = x
        return self._guarded(lambda: self.problem.gradient(x), self.problem.variable_count)

    def constraints(self, x: Vector) -> Vector:
        self.last = x
        return self._guarded(lambda: self._constraints(x), self.problem.constraint_count)

    def _objective(self, x: Vector) -> float:
        value = self.problem.objective(x)
        return value if not self.careful or np.isfinite(self.problem.gradient(x)).all() else np.nan

    def _constraints(self, x: Vector) -> Vector:
        values = self.problem.constraints(x)
        if not self.careful:
            return values
        wrong = self.problem.jacobian_rows[~np.isfinite(self.problem.jacobian_values(x))]
        values = values.copy()
        values[wrong] = np.nan
        return values

    def jacobian(self, x: Vector) -> Vector:
        return self._guarded(
            lambda: self.problem.jacobian_values(x), len(self.problem.jacobian_rows)
        )

    def jacobianstructure(self) -> tuple[Any, Any]:
        return self.problem.jacobian_rows, self.problem.jacobian_columns

    def hessian(self, x: Vector, multipliers: Vector, factor: float) -> Vector:
        count = len(self.problem.hessian_rows)
        return self._guarded(lambda: self.problem.hessian_values(x, multipliers, factor), count)

    def hessianstructure(self) -> tuple[Any, Any]:
        return self.problem.hessian_rows, self.problem.hessian_columns

    def intermediate(
        self, mode: int, number: int, objective: float, primal: float, dual: float, *rest: float
    ) -> bool:
        if self.failure is not None:
            return False
        try:
            seconds = time.perf_counter() - self.began
            note = "restoration" if mode == 1 else ""
            self.iterations.append(
                Iteration(
                    number=number,
                    objective=objective,
                    bound=None,
                    residual=primal,
                    seconds=seconds,
                    note=note,
                )
            )
            self._remember(objective)
            return not self.should_stop()
        except BaseException as error:
            self.failure = error
            return False

    def _remember(self, objective: float) -> None:
        """Keep the feasible iterate of least objective; before there is one, that of least
        violation.
        """
        current = self.library.iterate(self.handle, self.accepted)
        if current is None:
            return
        limits = self.problem.constraint_lower, self.problem.constraint_upper
        rows = current["g"] if "g" in current else self.problem.constraints(current["x"])
        size = violation(rows, *limits) if self.problem.constraint_count else 0.0
        rank = (0.0, objective) if size <= FEASIBILITY_TOLERANCE else (size, objective)
        if self.best is None or rank < self.best.rank:
            count, rows_count = self.problem.variable_count, self.problem.constraint_count
            self.best = Point(
                current["x"],
                current.get("mult_g", np.zeros(rows_count)),
                current.get("mult_x_L", np.zeros(count)),
                current.get("mult_x_U", np.zeros(count)),
                rank,
            )
