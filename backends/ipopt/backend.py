"""Ipopt: continuous problems with smooth functions, convex or not, from the families' own
derivatives.

Choices:

- The problem is scaled (`mecdsl.backends.nlp.local_program`).
- A local optimum of a problem proven convex (`mecdsl.convexity.problem.Problem.convex`, of
  nonlinear functions too) is a global one. No bound is given for it, as nothing but the first-order
  conditions says so.
- The final point lies inside the bounds, and up to 1e-9 outside the rows (see
  `mecdsl.backends.ipopt.core`). In `x <= 9 y` with both at 0 that is all there is; so variables
  that all but reach a bound are put onto it.
- Where neither the user nor the model gives every start value, the others are chosen
  (`LocalProgram.typical_point`); if that leads nowhere, the point of the bounds nearest to 0 is
  tried.
- A start without derivatives is moved (`mecdsl.backends.ipopt.starts`), and a run that came to a
  point without them is done again so that it turns back from such points.
- A variable is taken to diverge at 1e12 times its typical size, and an optimum far out is looked at
  again (`_escaping`): the slope of `ln x` falls below every tolerance while the objective grows
  without end.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from mecdsl.analysis.derivatives import smooth_program
from mecdsl.backend import Acceptance, Availability, Capabilities, Request, accepts_class, prefer
from mecdsl.backends.ipopt.library import Cyipopt, Library
from mecdsl.backends.ipopt.starts import smooth_start
from mecdsl.backends.nlp.local_program import LocalProgram, from_arrays, from_pyomo
from mecdsl.backends.nlp.problem import NlpProblem
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.backends.shared.words import accepts_functions
from mecdsl.convexity.problem import Problem
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.model.classes import Degree, ProblemClass
from mecdsl.pyomo_model.functions import WORDS as PYOMO_WORDS
from mecdsl.reduction.reduced import Reduced, reduce_instance
from mecdsl.results.violations import broken
from mecdsl.solution import Guarantee, Iteration, Solution, Termination

if TYPE_CHECKING:
    from mecdsl.backends.ipopt.core import IpoptOutcome
    from mecdsl.backends.nlp.problem import NlpProblem

IPOPT: Final = Cyipopt()
CONTINUOUS: Final = frozenset(kind for kind in ProblemClass if not kind.integral)
NO_NUMBER: Final = -13  # Ipopt's `Invalid_Number_Detected`: a derivative was not finite
SUCCEEDED: Final = (
    0  # Ipopt's `Solve_Succeeded`: the conditions hold to the tolerance that was asked for
)
WITHOUT_POINT: Final = (Termination.INFEASIBLE_OR_UNBOUNDED, Termination.LOCALLY_INFEASIBLE)
SHORTEST: Final = 1e-3  # s; Ipopt takes no limit of 0
OWN: Final = {"diverging_iterates_tol": 1e12}
FAR_OUT: Final = 1e6  # typical sizes of a variable
REFINEMENTS: Final = 3
SMALL_OBJECTIVE: Final = 1e-3  # of the size it was scaled to
LARGEST_REFINEMENT: Final = 40  # power of two
AT_BOUND: Final = 1e-6  # of a scaled variable
SAME_OBJECTIVE: Final = 1e-7  # relative, or in the scaled objective, whose terms are near one
WORTH_A_SECOND_START: Final = (
    Termination.ERROR,
    Termination.LOCALLY_INFEASIBLE,
    Termination.ITERATION_LIMIT,
)


class Ipopt:
    """Ipopt from arrays, or through Pyomo with `via="pyomo"`."""

    name = "ipopt"
    library: Library = IPOPT
    missing = ""  # what to do where the library is not there, in words
    capabilities = Capabilities(
        title="Ipopt",
        classes=CONTINUOUS,
        guarantee=Guarantee.LOCAL,
        reference="Wächter and Biegler, On the implementation of an interior-point filter "
        "line-search algorithm for "
        "large-scale nonlinear programming, Math. Program. 106, 2006",
        multipliers=True,
        warm_start=True,
        starts=True,
        smooth=True,
        time_limit=True,
        pyomo=True,
        preferences=(
            prefer(30, "linear, so a local optimum is global", ProblemClass.LP),
            prefer(20, "convex, so a local optimum is global", ProblemClass.QP),
            prefer(10, "convex, so a local optimum is global", ProblemClass.QCP),
            prefer(20, "continuous", ProblemClass.NONCONVEX_QP, ProblemClass.NONCONVEX_QCP),
            prefer(
                10,
                "nonlinear and continuous",
                ProblemClass.NLP,
                where_convex="a local optimum is global",
            ),
        ),
    )

    def availability(self) -> Availability:
        """Whether the library can be imported."""
        try:
            return Availability(True, dict(self.library.versions()))
        except ImportError as error:
            return Availability(False, reason=f"{error}{self.missing}")

    def accepts(self, request: Request) -> Acceptance:
        """Every continuous class of smooth functions."""
        accepted = accepts_class(self, request.problem)
        if accepted.accepted:
            accepted = _smooth(self.name, request.problem)
        if accepted.accepted and request.options.via == "pyomo":
            return accepts_functions(self.name, request.instance, PYOMO_WORDS, " through Pyomo")
        return accepted

    def solve(self, request: Request) -> Solution:
        """A local optimum, a global one where the problem is proven convex, with multipliers.

        Raises `ModelError` E505 for an option Ipopt does not know or a value it does not take, E311
        for a coefficient that is not finite.
        """
        _require_known(request.options.raw, self.library)
        return replace(_solve(request, self.library), versions=self.availability().versions)


def _smooth(name: str, problem: Problem) -> Acceptance:
    for report in (problem.objective, *problem.families):
        if report.degree is Degree.NONSMOOTH and report.size:
            line = f", line {report.place.line}" if report.place else ""
            return Acceptance(
                False,
                f"`{name}` needs smooth functions: `{report.name}` holds {report.reason}{line}",
            )
    return Acceptance(True)


def _solve(request: Request, library: Library) -> Solution:
    started = time.perf_counter()
    instance = request.instance
    conflict = reduce_instance(instance).conflict
    if conflict:
        return Solution(
            backend=library.name,
            termination=Termination.INFEASIBLE,
            guarantee=Guarantee.INFEASIBLE,
            message=conflict,
        )
    if not instance.free.any():
        return replace(_single_point(instance), backend=library.name)
    through_pyomo = request.options.via == "pyomo"
    local = from_pyomo(instance) if through_pyomo else from_arrays(smooth_program(instance))
    lowered = time.perf_counter()
    outcome, told = _run(local, request, library)
    local, outcome = _refined(local, request, outcome, lowered, library)
    solution = _solution(local, outcome, request.problem, library)
    if told:
        solution = replace(solution, message=f"{solution.message}; {told}")
    seconds = {"lower": lowered - started, "solve": time.perf_counter() - lowered}
    return replace(solution, seconds=seconds)


def _single_point(instance: Instance) -> Solution:
    """Every column is fixed and no row is false: the one point is the optimum."""
    x = instance.first_point()
    value = instance.objective(x)
    none = {family.name: np.zeros(family.size) for family in instance.constraints}
    return Solution(
        backend="ipopt",
        termination=Termination.OPTIMAL,
        guarantee=Guarantee.GLOBAL,
        values=x,
        objective=value,
        bound=value,
        multipliers=none,
    )


def _run(local: LocalProgram, request: Request, library: Library) -> tuple["IpoptOutcome", str]:
    """Ipopt from the first start that leads somewhere, and what was done to that start, in
    words.
    """
    options, began = request.options, time.perf_counter()
    outcome: IpoptOutcome | None = None
    told = ""
    with solver_output(echo=options.log):
        for start in _starts(local, request):
            limit = _remaining(options.time_limit, began)
            start, moved = smooth_start(local, start, options.seed)
            found = _tried(local, start, request, limit, library)
            if outcome is None or found.termination is Termination.LOCALLY_OPTIMAL:
                outcome, told = found, moved
            if found.termination not in WORTH_A_SECOND_START or limit == SHORTEST:
                break
    assert outcome is not None
    return outcome, told


def _tried(
    local: LocalProgram,
    start: FloatArray,
    request: Request,
    limit: float | None,
    library: Library,
) -> "IpoptOutcome":
    """Ipopt from one start; once more, turning back from points without derivatives, where it came
    to one.
    """
    from mecdsl.backends.ipopt.core import solve_ipopt

    options, began = request.options, time.perf_counter()
    for careful in (False, True):
        found = solve_ipopt(
            local.started_at(start),
            limit if not careful else _remaining(limit, began),
            log=options.log,
            raw=OWN | dict(options.raw),
            should_stop=request.should_stop,
            careful=careful,
            library=library,
        )
        if found.status != NO_NUMBER:
            break
    return found


def _refined(
    local: LocalProgram,
    request: Request,
    outcome: "IpoptOutcome",
    began: float,
    library: Library,
) -> tuple[LocalProgram, "IpoptOutcome"]:
    """The program and its outcome, solved again where the objective ended far smaller than it was
    scaled for.

    Ipopt's tolerance is an absolute number: the product of 60 factors near 1.5 was scaled down by
    1e10, and any point where it is about 1 passed for stationary. The slope of a penalty that is 0
    at its bound is no size.
    """
    from mecdsl.backends.ipopt.core import solve_ipopt

    options = request.options
    for _ in range(REFINEMENTS):
        if outcome.termination is not Termination.LOCALLY_OPTIMAL or outcome.x is None:
            break
        size = max(_free_slope(local.problem, outcome.x), abs(local.problem.objective(outcome.x)))
        if not 0.0 < size < SMALL_OBJECTIVE:
            break
        finer = local.with_objective_times(2.0 ** min(-round(np.log2(size)), LARGEST_REFINEMENT))
        limit = _remaining(options.time_limit, began)
        with solver_output(echo=options.log):
            found = solve_ipopt(
                finer.started_at(local.reduced.point(outcome.x)),
                limit,
                log=options.log,
                raw=OWN | dict(options.raw),
                should_stop=request.should_stop,
                library=library,
            )
        if found.termination is not Termination.LOCALLY_OPTIMAL:
            break
        factor = finer.reduced.scaling.objective / local.reduced.scaling.objective
        local, outcome = finer, replace(found, iterations=_joined(outcome, found, factor))
    return local, outcome


def _free_slope(problem: "NlpProblem", x: FloatArray) -> float:
    """The largest slope of the objective in a variable that no bound holds where it is."""
    slope = problem.gradient(x)
    near = AT_BOUND * np.maximum(1.0, np.abs(x))
    held = ((x - problem.lower <= near) & (slope > 0.0)) | (
        (problem.upper - x <= near) & (slope < 0.0)
    )
    return float(np.abs(np.where(held, 0.0, slope)).max(initial=0.0))


def _joined(first: "IpoptOutcome", then: "IpoptOutcome", factor: float) -> tuple[Iteration, ...]:
    """The steps of both runs in a row; the objectives of the first, times `factor`, are in the
    scale of the second.
    """
    before = tuple(
        replace(step, objective=None if step.objective is None else factor * step.objective)
        for step in first.iterations
    )
    after = tuple(
        replace(
            step,
            number=step.number + len(before),
            seconds=None if step.seconds is None else step.seconds + first.seconds,
        )
        for step in then.iterations
    )
    return before + after


def _remaining(limit: float | None, began: float) -> float | None:
    return None if limit is None else max(SHORTEST, limit - (time.perf_counter() - began))


def _starts(local: LocalProgram, request: Request) -> list[FloatArray]:
    """Points to start from, in order; a start that is given for every variable is the only one."""
    instance, given = request.instance, request.options.start
    first = instance.first_point()
    if given is not None:
        return [instance.complete(np.where(np.isfinite(given), given, first))]
    if not np.isnan(instance.start[instance.free]).any():
        return [first]
    return [local.typical_point(request.options.seed), first]


def _solution(
    local: LocalProgram, outcome: "IpoptOutcome", problem: Problem, library: Library
) -> Solution:
    termination, guarantee, message = outcome.termination, Guarantee.NONE, outcome.message
    if termination is Termination.LOCALLY_OPTIMAL:
        guarantee = Guarantee.LOCAL
        escaping = _escaping(local, outcome)
        if escaping:
            termination, guarantee, message = (
                Termination.INFEASIBLE_OR_UNBOUNDED,
                Guarantee.NONE,
                escaping,
            )
        elif outcome.status == SUCCEEDED and problem.convex:
            termination, guarantee = Termination.OPTIMAL, Guarantee.GLOBAL
            message = "the problem is convex, so the local optimum is global"
    elif termination is Termination.LOCALLY_INFEASIBLE:
        guarantee = Guarantee.LOCALLY_INFEASIBLE
    elif termination is Termination.INFEASIBLE:
        guarantee = Guarantee.INFEASIBLE
    useful = outcome.feasible and termination not in WITHOUT_POINT
    point = None if outcome.x is None else local.reduced.point(outcome.x)
    x = _tidied(local, point) if point is not None and useful else None
    if x is not None and guarantee is Guarantee.NONE:
        guarantee = Guarantee.FEASIBLE
    found = outcome.constraint_multipliers
    solved = guarantee in (Guarantee.LOCAL, Guarantee.GLOBAL)
    multipliers = local.reduced.multipliers(-found) if solved and found is not None else {}
    return Solution(
        backend=library.name,
        termination=termination,
        guarantee=guarantee,
        values=x,
        objective=None if x is None else local.instance.objective(x),
        bound=None,
        multipliers=multipliers,
        iterations=_iterations(outcome.iterations, local.reduced),
        certificate={}
        if outcome.violation is None
        else {"violation": outcome.violation, "iterations": float(len(outcome.iterations))},
        message=f"{library.title}: {outcome.status_text}" + (f", {message}" if message else ""),
        multipliers_at=local.reduced.point(outcome.x)
        if outcome.x is not None and multipliers
        else None,
    )


def _escaping(local: LocalProgram, outcome: "IpoptOutcome") -> str:
    """A variable far out along which the Lagrangian still changes by a share of the objective, in
    words; or empty.
    """
    z, found = outcome.x, outcome.constraint_multipliers
    if (
        z is None
        or found is None
        or outcome.lower_multipliers is None
        or outcome.upper_multipliers is None
    ):
        return ""
    problem = local.problem
    far = np.flatnonzero(np.abs(z) > FAR_OUT)
    if not len(far):
        return ""
    slope = problem.gradient(z) - outcome.lower_multipliers + outcome.upper_multipliers
    np.add.at(
        slope, problem.jacobian_columns, problem.jacobian_values(z) * found[problem.jacobian_rows]
    )
    change = np.abs(slope * z)[far]
    worst = int(np.argmax(change))
    if change[worst] <= SAME_OBJECTIVE * max(1.0, abs(problem.objective(z))):
        return ""
    name = problem.variable_name(int(far[worst]))
    return (
        f"`{name}` grows and the objective still improves: unbounded as far as a local "
        "solver can tell"
    )


def _tidied(local: LocalProgram, x: FloatArray) -> FloatArray:
    """The point with variables on the bounds they all but reach, if that costs neither feasibility
    nor objective.
    """
    instance, moved = local.instance, local.at_bounds(x)
    before, after = instance.objective(x), instance.objective(moved)
    if not abs(after - before) <= SAME_OBJECTIVE * max(
        abs(before), 1.0 / local.reduced.scaling.objective
    ):
        return x
    worse = {violation.family for violation in broken(instance, moved)}
    return x if worse and worse - {violation.family for violation in broken(instance, x)} else moved


def _iterations(found: tuple[Iteration, ...], reduced: Reduced) -> tuple[Iteration, ...]:
    """Objectives back in the units and sense of the model."""
    return tuple(
        replace(
            step, objective=None if step.objective is None else reduced.objective(step.objective)
        )
        for step in found
    )


def _require_known(raw: Mapping[str, str | float | int | bool], library: Library) -> None:
    """Try the options on a problem of one variable; raises `ModelError` E505 for one that is
    refused.
    """
    if not raw:
        return
    from mecdsl.backends.ipopt.core import solve_ipopt

    none, one, first = np.zeros(0), np.ones(1), np.zeros(1, dtype=np.int64)
    parabola = NlpProblem(
        lower=-one,
        upper=one,
        constraint_lower=none,
        constraint_upper=none,
        start=0.5 * one,
        objective=lambda x: float(x[0] ** 2),
        gradient=lambda x: 2.0 * x,
        constraints=lambda x: none,
        jacobian_values=lambda x: none,
        jacobian_rows=first[:0],
        jacobian_columns=first[:0],
        hessian_values=lambda x, multipliers, weight: 2.0 * weight * one,
        hessian_rows=first,
        hessian_columns=first,
    )
    with solver_output():
        for name, value in raw.items():
            try:
                solve_ipopt(parabola, raw={name: value, "print_level": 0}, library=library)
            except ValueError as error:
                message = f"{library.title} has no option `{name}` that takes `{value}`"
                raise ModelError([Diagnostic("E505", message)]) from error
