"""What a solver claims: the types between a backend and the verifier.

A `Solution` is a claim and nothing else. `verify` recomputes objective and residuals from the text
of the model and turns it into a `Result`; only a `Result` says `verified`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray


class Termination(Enum):
    """Why the solver stopped."""

    OPTIMAL = "optimal"  # global optimality proven to the stated gap
    LOCALLY_OPTIMAL = "locally optimal"  # first-order conditions hold
    FINISHED = "finished"  # a heuristic came to its end
    INFEASIBLE = "infeasible"  # proven
    LOCALLY_INFEASIBLE = "locally infeasible"  # a local solver found no feasible point
    UNBOUNDED = "unbounded"  # proven
    INFEASIBLE_OR_UNBOUNDED = "infeasible or unbounded"
    NOT_FOUND = "no feasible point found"  # a heuristic ended without one; proves nothing
    NO_EQUILIBRIUM = "no equilibrium found"  # a point of a game from which somebody gains
    TIME_LIMIT = "time limit"
    ITERATION_LIMIT = "iteration limit"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class Guarantee(Enum):
    """What is known about the point, in words."""

    GLOBAL = "globally optimal"
    TO_GAP = "optimal to a proven gap"
    LOCAL = "locally optimal"
    EQUILIBRIUM = "equilibrium to a proven epsilon"
    SETTLED = "equilibrium as far as the best responses tell"
    FEASIBLE = "feasible only"
    INFEASIBLE = "infeasible, proven"
    LOCALLY_INFEASIBLE = "infeasible as far as a local solver can tell"
    UNBOUNDED = "unbounded, proven"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """One step of an iterative method; a value that is not known is None."""

    number: int
    objective: float | None = None
    bound: float | None = None
    residual: float | None = None
    seconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What many starts of a local solver came to; objectives in SI, None where there is no optimum.

    `starts`: how many were asked for. `optima`: of them, those that ended in a local optimum that
    keeps the model; `distinct`: how many values these have, to 1e-6 relative; `best`, `worst` in
    the sense of the model. `failed`: the others, counted by why they ended, such as
    `iteration limit`; those that a limit kept from beginning are among them.
    """

    starts: int
    optima: int
    distinct: int
    best: float | None
    worst: float | None
    failed: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What a backend claims, in SI units and in the sense of the model (not negated).

    `values`: float64, one entry per column of the instance, or None where there is no point.
    `bound`: proven bound on the optimum, or None. `multipliers`: array per constraint family, in
    the order of its rows; sign: derivative of the optimal objective with respect to the right-hand
    side. `multipliers_at`: the point the multipliers belong to where it is not `values`, such as
    that of an interior point method before variables were put onto the bounds they all but reach;
    slopes such as that of `x^2/y` near 0 depend on it. `spread`: what the other starts came to,
    where there were any.
    """

    backend: str
    termination: Termination
    guarantee: Guarantee
    values: NDArray[np.float64] | None = None
    objective: float | None = None
    bound: float | None = None
    multipliers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    iterations: tuple[Iteration, ...] = ()
    certificate: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    label: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    multipliers_at: NDArray[np.float64] | None = None
    spread: Spread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """What a user may ask of any backend; `raw` goes to the solver under its own option names."""

    time_limit: float | None = None  # s
    gap: float = 1e-6  # relative
    threads: int | None = None
    seed: int = 0
    log: bool = False
    via: str = "arrays"  # or "pyomo"
    start: NDArray[np.float64] | None = None  # warm start, one entry per column
    starts: int = 1  # of a local solver; the best answer is kept
    raw: Mapping[str, str | float | int | bool] = field(default_factory=dict)
