"""A solver's "infeasible" and "unbounded" become proofs where a check of our own, or a second
solver, confirms them.

The words of the result say who proved it:

- bounds propagated through the rows (`mecdsl.analysis.propagation`), bounds that cross, a false row
  of data;
- a combination of the rows that no point within the bounds keeps (Farkas), recomputed from the
  model's own numbers;
- of a convex problem, the same of multipliers that a solver gives (`mecdsl.proofs.convex_rows`);
- else a second global solver, for a short time; where there is none, the first one's branch and
  bound alone.

A local solver, which Bonmin is at every node, proves nothing by itself. Where another solver finds
a point that keeps the model, "infeasible" is withdrawn.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from mecdsl.analysis.propagation.box import implied_box
from mecdsl.backend import Request
from mecdsl.backends import table
from mecdsl.backends.highs.farkas import farkas_proof
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import IntArray
from mecdsl.model.classes import Degree, ProblemClass
from mecdsl.proofs.convex_rows import convex_proof
from mecdsl.proofs.rays import ray_proof
from mecdsl.reduction.conflicts import crossed_bounds, false_row
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, Termination

CONTRADICTED: Final = "contradicted"  # in the certificate of a claim that another solver refuted
SECONDS: Final = 10.0  # s that a second solver gets
GLOBAL_SOLVERS: Final = ("highs", "scip")
LOCAL_SOLVERS: Final = ("ipopt", "bonmin")
NOT_ALONE: Final = (*LOCAL_SOLVERS, "pounce", "clarabel")  # their word proves nothing
LINEAR: Final = (ProblemClass.LP, ProblemClass.MILP)


def contradiction(instance: Instance) -> str:
    """Why no point keeps the model up to its tolerances, found before any solver; empty if nothing
    says so.
    """
    crossed = crossed_bounds(instance)
    if crossed:
        return crossed
    found = implied_box(instance).contradiction
    return found.text if found is not None and found.beyond_tolerance else ""


def own_proof(instance: Instance) -> str:
    """Why no point keeps the model exactly, by checks of our own; empty if they do not say so."""
    crossed = crossed_bounds(instance) or false_row(instance, _rows_of_data(instance))
    if crossed:
        return crossed
    found = implied_box(instance).contradiction
    return found.text if found is not None else ""


def _rows_of_data(instance: Instance) -> IntArray:
    parts = [
        np.arange(family.first, family.first + family.size, dtype=np.int64)
        for family in instance.constraints
        if family.shape.degree is Degree.CONSTANT
    ]
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def confirmed(request: Request, solution: Solution) -> Solution:
    """The solution with a claim of no point, or of no end, as far as it is confirmed."""
    match solution.termination:
        case Termination.INFEASIBLE | Termination.LOCALLY_INFEASIBLE:
            return _infeasible(request, solution)
        case Termination.UNBOUNDED | Termination.INFEASIBLE_OR_UNBOUNDED:
            return _unbounded(request, solution)
        case _:
            return solution


def _infeasible(request: Request, solution: Solution) -> Solution:
    proof = own_proof(request.instance)
    if not proof and request.problem.problem_class in LINEAR:
        proof = farkas_proof(request.instance)
    proof = proof or convex_proof(request, solution)
    solution = replace(solution, multipliers={}, multipliers_at=None)
    if proof:
        return _proven(solution, f"proven: {proof}" if proof not in solution.message else "")
    backend = solution.backend
    if backend not in (*GLOBAL_SOLVERS, *NOT_ALONE):
        return solution  # an algorithm derived by hand, whose certificate is its own
    if backend in ("ipopt", "pounce"):
        return (
            solution
            if solution.termination is Termination.LOCALLY_INFEASIBLE
            else _local(solution, "")
        )
    return _second_opinion(request, solution)


def _second_opinion(request: Request, solution: Solution) -> Solution:
    """What another solver says; a point that keeps the model withdraws the claim."""
    local = solution.backend in NOT_ALONE
    others = [name for name in GLOBAL_SOLVERS if name != solution.backend]
    others += [name for name in LOCAL_SOLVERS if not local]
    for name in others:
        opinion = _run(name, request)
        if opinion is None:
            continue
        if opinion.termination is Termination.INFEASIBLE and name in GLOBAL_SOLVERS:
            return _proven(
                solution, f"proven by branch and bound of `{name}`" + ("" if local else " as well")
            )
        if (
            opinion.values is not None
            and verify(request.instance, opinion, request.options.gap).verified
        ):
            wrong = _local(solution, f"but `{name}` finds a point that keeps the model")
            return replace(wrong, certificate={**wrong.certificate, CONTRADICTED: 1.0})
    if local:
        kind = "rounded multipliers" if solution.backend == "clarabel" else "a local solver"
        return _local(solution, f"which proves nothing of {kind}")
    return _proven(solution, f"by branch and bound of `{solution.backend}` alone")


def _run(name: str, request: Request) -> Solution | None:
    """A short solve by another backend; None where it does not take the problem."""
    other = table.load(name)
    limit = request.options.time_limit
    options = replace(
        request.options,
        time_limit=SECONDS if limit is None else min(SECONDS, limit),
        raw={},
        start=None,
        log=False,
    )
    asked = replace(request, options=options)
    if not other.availability().available or not other.accepts(asked).accepted:
        return None
    return other.solve(asked)


def _proven(solution: Solution, words: str) -> Solution:
    return replace(
        solution,
        termination=Termination.INFEASIBLE,
        guarantee=Guarantee.INFEASIBLE,
        message=_joined(solution.message, words),
        label="",
    )


def _local(solution: Solution, words: str) -> Solution:
    return replace(
        solution,
        termination=Termination.LOCALLY_INFEASIBLE,
        guarantee=Guarantee.LOCALLY_INFEASIBLE,
        message=_joined(solution.message, words),
    )


def _unbounded(request: Request, solution: Solution) -> Solution:
    empty = own_proof(request.instance)
    if empty:
        return _proven(solution, f"proven to be infeasible: {empty}")
    ray = ray_proof(request)
    if ray:
        return replace(
            solution,
            termination=Termination.UNBOUNDED,
            guarantee=Guarantee.UNBOUNDED,
            message=_joined(solution.message, f"proven: {ray}"),
        )
    if solution.termination is Termination.INFEASIBLE_OR_UNBOUNDED:
        return solution
    return replace(
        solution,
        termination=Termination.INFEASIBLE_OR_UNBOUNDED,
        guarantee=Guarantee.NONE,
        message=_joined(
            solution.message,
            "unbounded as stated: no ray from a feasible point was found that proves it",
        ),
    )


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
