"""POUNCE with the interface of cyipopt, and where it differs from it.

Found by trial with POUNCE 0.13:

- It checks no derivatives (`check_derivatives_for_naninf` is refused), so points without
  derivatives are refused by our callbacks.
- An option of a wrong name or type is an error of `solve`, not of `add_option`.
- It has no `get_current_iterate`: the point where a gradient was asked for last stands for it, and
  multipliers are not known before the end.
"""

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from mecdsl.backends.ipopt.library import Options, candidates
from mecdsl.backends.nlp.problem import NlpProblem, Vector
from mecdsl.backends.shared.solver_output import solver_output

LOG = "RUST_LOG"
NOT_ITS_OWN = frozenset({"check_derivatives_for_naninf"})
REFUSED = -12  # `Invalid_Option`


def _pounce() -> Any:
    """The module, which writes a log to standard error unless it is told otherwise when it is
    imported. Raises ImportError.
    """
    given = os.environ.get(LOG)
    os.environ.setdefault(LOG, "off")
    try:
        return import_module("pounce")
    finally:
        if given is None:
            del os.environ[LOG]


class PounceLibrary:
    """`pounce.Problem`."""

    name, title, looks = "pounce", "POUNCE", False

    def versions(self) -> Mapping[str, str]:
        """Of POUNCE. Raises ImportError."""
        _pounce()
        return {"pounce": version("pounce-solver")}

    def opened(
        self, callbacks: Any, problem: NlpProblem, rows: tuple[Vector, Vector], own: Options
    ) -> Any:
        """A `pounce.Problem`."""
        handle = _pounce().Problem(
            n=problem.variable_count,
            m=problem.constraint_count,
            problem_obj=callbacks,
            lb=problem.lower,
            ub=problem.upper,
            cl=rows[0],
            cu=rows[1],
        )
        for name, value in own.items():
            if name not in NOT_ITS_OWN:
                handle.add_option(name, candidates(value)[0])
        return handle

    def with_raw(self, handle: Any, raw: Options) -> None:
        """Set options in the type that it takes, which a small problem tells."""
        for name, value in raw.items():
            taken = next((one for one in candidates(value) if _takes(name, one)), None)
            if taken is None:
                raise ValueError(f"pounce has no option `{name}` that takes `{value}`")
            handle.add_option(name, taken)

    def iterate(self, handle: Any, last: Vector | None) -> Mapping[str, Vector] | None:
        """The point where a gradient was asked for last."""
        return None if last is None else {"x": np.array(last)}


class _Parabola:
    """The least of x^2 from -1 to 1."""

    def objective(self, x: Vector) -> float:
        return float(x[0] ** 2)

    def gradient(self, x: Vector) -> Vector:
        return 2.0 * x

    def constraints(self, x: Vector) -> Vector:
        return np.zeros(0)

    def jacobian(self, x: Vector) -> Vector:
        return np.zeros(0)

    def jacobianstructure(self) -> tuple[Any, Any]:
        nowhere = np.zeros(0, dtype=np.int64)
        return nowhere, nowhere

    def hessian(self, x: Vector, multipliers: Vector, factor: float) -> Vector:
        return np.full(1, 2.0 * factor)

    def hessianstructure(self) -> tuple[Any, Any]:
        first = np.zeros(1, dtype=np.int64)
        return first, first


def _takes(name: str, value: object) -> bool:
    """Whether an option of that name takes the value."""
    one, none = np.ones(1), np.zeros(0)
    trial = _pounce().Problem(n=1, m=0, problem_obj=_Parabola(), lb=-one, ub=one, cl=none, cu=none)
    trial.add_option("print_level", 0)
    trial.add_option("sb", "yes")
    try:
        trial.add_option(name, value)
        with solver_output():
            _, info = trial.solve(0.5 * one)
    except (RuntimeError, TypeError, ValueError):  # its words for a name and a type it has not
        return False
    return int(info["status"]) != REFUSED
