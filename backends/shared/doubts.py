"""What of a branch and bound's word is believed where functions come to a pole."""

from dataclasses import replace
from typing import Final

from mecdsl.analysis.poles import poles
from mecdsl.backend import Request
from mecdsl.solution import Guarantee, Solution, Termination

UNBELIEVED: Final = (
    "which proves nothing where the bounds lead to a pole, such as that of 1/x or ln x at 0, as in"
)


def doubtful(request: Request) -> tuple[str, ...]:
    """Parts with a pole that the solver meets: that of `quad_over_lin` in a convex part goes in as
    a cone, which has none.
    """
    reports = (request.problem.objective, *request.problem.families)
    convex = {report.name for report in reports if report.convex is True}
    bare = poles(request.instance, cones=False)
    return tuple(name for name in poles(request.instance) if name in bare or name not in convex)


def doubted(request: Request, solution: Solution) -> Solution:
    """The solution without its proof where a part that is not convex has a pole.

    SCIP says that the least y from 0 to 1 with `x/y >= 0.5`, x up to 1, is 1. A convex part rises
    at its pole.
    """
    reports = (request.problem.objective, *request.problem.families)
    open_parts = {report.name for report in reports if report.convex is not True}
    names = [name for name in poles(request.instance) if name in open_parts]
    if not names or (solution.bound is None and solution.guarantee is not Guarantee.GLOBAL):
        return solution
    ended = (
        Termination.FINISHED
        if solution.termination is Termination.OPTIMAL
        else solution.termination
    )
    return replace(
        solution,
        bound=None,
        termination=ended,
        guarantee=Guarantee.NONE if solution.values is None else Guarantee.FEASIBLE,
        message=f"{solution.message}, {UNBELIEVED} {listed(names)}",
    )


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Names in back-ticks, with commas."""
    return ", ".join(f"`{name}`" for name in names)
