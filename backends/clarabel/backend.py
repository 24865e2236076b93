"""Clarabel: problems proven convex whose parts have a cone, linear, of second order, exponential or
power.

Choices:

- What becomes of a model is derived from its templates, once for each family
  (`mecdsl.backends.clarabel.program`); a part that has no cone is refused before solving, by name.
- Norms are given as cones (`smooth`), `max` and `abs` as rows, as every general solver gets them.
- The point lies a little inside of its cones. Variables that all but reach a bound are put onto it.
- Clarabel says "infeasible" and "unbounded" relative to the sizes of its numbers: with a bound of
  -5e10 it called `min x, x >= 1.6e-4` unbounded. What it says so is asked for again with tolerances
  of 1e-12, and an optimum then counts.
- A certificate of infeasibility is a claim. Its multipliers are those of rows of the model, so the
  core proves it as it proves a bound, or asks another solver (`mecdsl.proofs.confirm`).
- Bounds are the dual objective where the objective of the point meets it. Else neither an optimum
  nor a bound is claimed; the multipliers may still prove them.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, Request, accepts_class
from mecdsl.backends.clarabel.program import ConicProgram, Refusal, conic_program
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.certificates.lagrangian import flat_multipliers, lagrangian
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.model.classes import ProblemClass
from mecdsl.reduction.reduced import Reduced, reduce_instance
from mecdsl.results.gap import objective_size
from mecdsl.results.violations import broken
from mecdsl.solution import Guarantee, Iteration, Solution, Termination

if TYPE_CHECKING:
    from mecdsl.backends.clarabel.run import Outcome

NEAR_BOUND: Final = 1e-7  # of a scaled variable
SAME_BOUND: Final = 1e-6  # relative
SAME_OBJECTIVE: Final = 1e-7  # relative, or in the scaled objective
FAR_OUT: Final = 1e6  # typical sizes of a variable
SHORTEST: Final = 1e-3  # s
CLAIMS: Final = (Termination.INFEASIBLE, Termination.INFEASIBLE_OR_UNBOUNDED)
STRICT: Final = {"tol_infeas_rel": 1e-12, "tol_infeas_abs": 1e-12}
REFINEMENTS: Final = 3
SMALL_OBJECTIVE: Final = 1e-2  # of the size it was scaled to
LARGEST_REFINEMENT: Final = 40  # power of two
GUARANTEE: Final = {
    Termination.OPTIMAL: Guarantee.GLOBAL,
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
}


Run = Callable[[ConicProgram, Mapping[str, float]], "Outcome"]


class Clarabel:
    """Clarabel from arrays."""

    name = "clarabel"
    capabilities = Capabilities(
        title="Clarabel",
        classes=frozenset({ProblemClass.LP, ProblemClass.QP, ProblemClass.QCP, ProblemClass.NLP}),
        guarantee=Guarantee.GLOBAL,
        reference="Goulart and Chen, Clarabel: An interior-point solver for conic programs with "
        "quadratic objectives, 2024",
        bounds=True,
        multipliers=True,
        time_limit=True,
        smooth=True,
    )

    def availability(self) -> Availability:
        """Whether clarabel can be imported."""
        try:
            import clarabel  # noqa: F401
        except ImportError as error:
            return Availability(False, reason=str(error))
        return Availability(True, {"clarabel": version("clarabel")})

    def accepts(self, request: Request) -> Acceptance:
        """What is proven convex and has a cone for every part that bends."""
        problem = request.problem
        accepted = accepts_class(self, problem)
        if not accepted.accepted:
            return accepted
        culprit = problem.not_convex
        if culprit is not None:
            because = culprit.cause or culprit.reason
            line = f", {culprit.place.line_text}" if culprit.place else ""
            text = f"`clarabel` needs a problem that is proven convex: `{culprit.name}`"
            return Acceptance(False, f"{text}: {because}{line}")
        if problem.problem_class is ProblemClass.NLP:
            return _with_cones(request.instance)
        return accepted

    def solve(self, request: Request) -> Solution:
        """A global optimum with multipliers and a bound.

        Raises `ModelError` E505 for an option Clarabel does not know or a value it does not take.
        """
        began = time.perf_counter()
        instance = request.instance
        solution = _shortcut(instance)
        if solution is None:
            program = conic_program(instance)
            if isinstance(program, Refusal):
                raise ModelError(
                    [Diagnostic("E502", f"`clarabel` has no cone for {program.reason}")]
                )
            solution = _solve(program, request, began)
        return replace(solution, versions=self.availability().versions)


def _with_cones(instance: Instance) -> Acceptance:
    """Whether every part has a cone."""
    try:
        if reduce_instance(instance).conflict:
            return Acceptance(True)
        program = conic_program(instance)
    except ModelError:  # a number that is not finite, which is said where the problem is solved
        return Acceptance(True)
    if isinstance(program, Refusal):
        return Acceptance(False, f"`clarabel` has no cone for {program.reason}")
    return Acceptance(True)


def _shortcut(instance: Instance) -> Solution | None:
    """The answer where there is nothing to decide."""
    reduced = reduce_instance(instance)
    if reduced.conflict:
        return Solution(
            backend="clarabel",
            termination=Termination.INFEASIBLE,
            guarantee=Guarantee.INFEASIBLE,
            message=reduced.conflict,
        )
    if len(reduced.columns):
        return None
    x = instance.first_point()
    value = instance.objective(x)
    return Solution(
        backend="clarabel",
        termination=Termination.OPTIMAL,
        guarantee=Guarantee.GLOBAL,
        values=x,
        objective=value,
        bound=value,
        multipliers=reduced.multipliers(np.zeros(len(reduced.rows))),
    )


def _solve(program: ConicProgram, request: Request, began: float) -> Solution:
    from mecdsl.backends.clarabel.run import run_clarabel

    options = request.options
    lowered = time.perf_counter()

    def run(program: ConicProgram, own: Mapping[str, float]) -> "Outcome":
        limit = options.time_limit
        if limit is not None:
            limit = max(SHORTEST, limit - (time.perf_counter() - began))
        raw = {**own, **options.raw}
        return run_clarabel(program, limit, options.log, raw, request.should_stop)

    with solver_output(echo=options.log):
        try:
            outcome = run(program, {})
            if outcome.termination in CLAIMS:
                again = run(program, STRICT)
                outcome = again if again.termination is Termination.OPTIMAL else outcome
            program, outcome = _refined(program, outcome, run)
            solution = _solution(program, outcome)
            if outcome.termination is Termination.INFEASIBLE:
                elastic = program.elastic()
                solution = _with_proof(solution, elastic, run(elastic, {}))
        except ValueError as error:
            raise ModelError([Diagnostic("E505", str(error))]) from error
    seconds = {"lower": lowered - began, "solve": time.perf_counter() - lowered}
    return replace(solution, seconds=seconds)


def _refined(program: ConicProgram, outcome: "Outcome", run: Run) -> tuple[ConicProgram, "Outcome"]:
    """The program and its outcome, solved again where the objective ended far smaller than it was
    scaled for: below 1 the tolerance of the gap is an absolute number, and a penalty that is not
    paid is no size.
    """
    gap = _gap(program, outcome)
    for _ in range(REFINEMENTS):
        size = abs(outcome.objective + program.constant)
        if not (gap > SAME_BOUND and 0.0 < size < SMALL_OBJECTIVE):
            break
        finer = program.with_objective_times(2.0 ** min(-round(np.log2(size)), LARGEST_REFINEMENT))
        again = run(finer, {})
        closer = _gap(finer, again)
        if not closer < gap:
            break
        program, outcome, gap = finer, again, closer
    return program, outcome


def _gap(program: ConicProgram, outcome: "Outcome") -> float:
    """The relative gap between the objective of the point and the dual one; infinite where it is
    not known, nan where there is no optimum.
    """
    point = _point(program, outcome)
    if outcome.termination is not Termination.OPTIMAL or point is None:
        return float("nan")
    instance = program.reduced.instance
    size = objective_size(instance, point)
    gap = size.relative(instance.objective(point), _in_model(program, outcome.bound))
    return float("inf") if gap is None else gap


def _with_proof(solution: Solution, elastic: ConicProgram, outcome: "Outcome") -> Solution:
    """The claim that there is no point, with the multipliers that add the rows up to more than 0
    where they are missed least.
    """
    if outcome.termination is not Termination.OPTIMAL:
        return solution
    point = elastic.reduced.point(outcome.point[: len(elastic.reduced.columns)])
    return replace(solution, multipliers=_multipliers(elastic, outcome), multipliers_at=point)


def _solution(program: ConicProgram, outcome: "Outcome") -> Solution:
    termination, guarantee, message = _claim(program, outcome)
    reduced, x, objective = program.reduced, None, None
    multipliers: Mapping[str, FloatArray] = {}
    point = _point(program, outcome)
    optimal = termination is Termination.OPTIMAL
    if point is not None and termination not in CLAIMS:
        moved = _tidied(reduced, point)
        if optimal or not broken(reduced.instance, moved):
            x, multipliers = moved, _multipliers(program, outcome)
            objective = reduced.instance.objective(moved)
            guarantee = guarantee if optimal else Guarantee.FEASIBLE
    return Solution(
        backend="clarabel",
        termination=termination,
        guarantee=guarantee,
        values=x,
        objective=objective,
        bound=_in_model(program, outcome.bound) if optimal else None,
        multipliers=multipliers,
        multipliers_at=None if x is None else point,
        iterations=_iterations(program, outcome.iterations),
        certificate={
            "iterations": float(len(outcome.iterations)),
            "primal_residual": outcome.primal_residual,
            "dual_residual": outcome.dual_residual,
        },
        message=message,
        label=f"clarabel: cones {', '.join(cone.value for cone in program.cones)}",
    )


def _claim(program: ConicProgram, outcome: "Outcome") -> tuple[Termination, Guarantee, str]:
    """How it ended, what that is worth, and in which words."""
    termination, message = outcome.termination, f"Clarabel: {outcome.status}"
    point = _point(program, outcome)
    if termination is Termination.OPTIMAL and point is not None:
        escaping = _escaping(program, outcome, point)
        if escaping:
            termination = Termination.INFEASIBLE_OR_UNBOUNDED
            message = f"{message}, {escaping}"
        elif not _gap(program, outcome) <= SAME_BOUND:
            termination = Termination.FINISHED
            message = f"{message}, and its point and its bound are apart"
    return termination, GUARANTEE.get(termination, Guarantee.NONE), message


def _point(program: ConicProgram, outcome: "Outcome") -> FloatArray | None:
    """The point in SI, if it has one."""
    scaled = outcome.point[: len(program.reduced.columns)]
    return program.reduced.point(scaled) if np.isfinite(scaled).all() else None


def _multipliers(program: ConicProgram, outcome: "Outcome") -> dict[str, FloatArray]:
    """Those of the rows of the problem, as HiGHS gives them: what a larger right-hand side costs.

    With y the multiplier of a row s in a cone the Lagrangian is objective - y s. An equality is
    `s = row - side`, an upper side `s = side - row`, a lower one `s = row - side`.
    """
    flat = np.zeros(len(program.reduced.rows))
    flat[program.number_equal] = outcome.equal
    np.add.at(flat, program.number_sided, -program.sided * outcome.at_least)
    return dict(program.reduced.multipliers(flat))


def _escaping(program: ConicProgram, outcome: "Outcome", x: FloatArray) -> str:
    """A variable far out along which the Lagrangian still changes by a share of the objective, in
    words; or empty. The slope of `ln x` falls below every tolerance while it grows without end.
    """
    reduced, instance = program.reduced, program.reduced.instance
    scaled = outcome.point[: len(reduced.columns)]
    far = reduced.columns[np.abs(scaled) > FAR_OUT]
    flat = flat_multipliers(instance, _multipliers(program, outcome)) if len(far) else None
    if flat is None:
        return ""
    at = lagrangian(instance, x, flat)
    change = np.abs(at.slope * x)[far]
    worst = int(np.argmax(change))
    if change[worst] <= SAME_OBJECTIVE * max(abs(at.objective), 1.0 / reduced.scaling.objective):
        return ""
    return f"`{instance.column_name(int(far[worst]))}` grows and the objective still improves"


def _in_model(program: ConicProgram, objective: float) -> float | None:
    """A value of the objective of the conic program in the units and sense of the model."""
    return program.reduced.bound(objective + program.constant)


def _iterations(program: ConicProgram, found: tuple[Iteration, ...]) -> tuple[Iteration, ...]:
    """Steps in the units and sense of the model."""

    def back(value: float | None) -> float | None:
        return None if value is None else _in_model(program, value)

    return tuple(
        replace(step, objective=back(step.objective), bound=back(step.bound)) for step in found
    )


def _tidied(reduced: Reduced, x: FloatArray) -> FloatArray:
    """The point with variables on the bounds they all but reach, if that costs neither feasibility
    nor objective.
    """
    instance, moved = reduced.instance, x.copy()
    free, near = reduced.columns, NEAR_BOUND * reduced.column_factor
    for bound in (instance.lower[free], instance.upper[free]):
        moved[free] = np.where(np.abs(x[free] - bound) <= near, bound, moved[free])
    before, after = instance.objective(x), instance.objective(moved)
    room = SAME_OBJECTIVE * max(abs(before), 1.0 / reduced.scaling.objective)
    if not abs(after - before) <= room:
        return x
    worse = {violation.family for violation in broken(instance, moved)}
    return x if worse - {violation.family for violation in broken(instance, x)} else moved
