"""Cooperative computing: a HiGHS object that prints nothing."""

from typing import Any

from mecdsl.backends.shared.solver_output import solver_output


def silent_solver() -> Any:
    """A new `highspy.Highs` without output."""
    from highspy import Highs

    with solver_output():  # HiGHS greets with its name when it is told to be silent
        solver: Any = Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
    return solver
