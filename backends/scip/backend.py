"""SCIP: global optima with proof, from linear programs to nonconvex nonlinear ones with integers.

Choices, each found by trial with SCIP 10.0.2 and PySCIPOpt 6.3:

- The arrays go in scaled by powers of two (`mecdsl.analysis.scaling`), else SCIP's absolute
  tolerances let it call values optimal that lie below the true optimum, and it drops coefficients
  below 1e-9. Tolerances: see `options`.
- One kind of row is added to what the model says (`switches`): a rate is at most its largest value
  times the binary that switches its signal off. For the products `updates * batch[k]` of mobile
  edge learning the row that follows from multiplying `sum batch = d` by `updates` (RLT) was tried:
  it saves the few nodes of the relaxed form (0.3 s to 0.1 s at 50 learners) and costs ten times the
  time of the integer form at 100. SCIP's own propagation bounds `updates`, which the model leaves
  open.
- SCIP runs in a process of its own (`mecdsl.backends.shared.guarded`), so that a crash of the
  library ends neither the caller nor the solves of other backends. There it runs in a thread
  without Python's lock, and the main thread asks whether to stop: so Ctrl-C works in every phase of
  SCIP, without a callback in its inner loops.
- The thread is used again by later solves of a process. SCIP numbers the threads that differentiate
  nonlinear functions and never gives a number back; the arrays of its CppAD have room for 64, and
  the 64th solve of a process that starts a thread for each ended with a segmentation fault in
  `SCIPexprintEval`.
- SCIP is sequential: `threads` is without effect, and the answer says so.
- "Infeasible" is believed of the rows without a pole (`mecdsl.analysis.poles`): of `maximize 1/y`
  over y from 0 on SCIP says it, too. They are solved alone where there are others.
- "Infeasible or unbounded" is resolved by a second solve without an objective: a feasible point
  means unbounded.
- Where an LP cannot be solved to its tolerance, SoPlex says so on standard error, past every
  message handler, some hundred times a solve; standard error of the process is therefore closed
  during a solve unless `log` is on.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, Request, accepts_class, prefer
from mecdsl.backends.scip.options import RawValue, parameters, searches
from mecdsl.backends.scip.unknown import accepts_parts
from mecdsl.backends.shared.doubts import UNBELIEVED, doubted, doubtful, listed
from mecdsl.backends.shared.guarded import run_guarded
from mecdsl.backends.shared.holding import holds
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.instances.instance import Instance
from mecdsl.model.classes import ProblemClass
from mecdsl.reduction.reduced import reduce_instance
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination

if TYPE_CHECKING:
    from mecdsl.backends.scip.model import ScipModel

AGREEMENT: Final = (
    1e-4  # of two bounds, relative; what the wider tolerance is worth to an objective
)
HUGE: Final = 1e15  # of the scaled objective, whose terms are about 1; SCIP's `numerics/hugeval`
POLL: Final = 0.02  # s between two looks at `should_stop`
GRACE: Final = (
    30.0  # s that SCIP gets to stop, as it may sit in one LP; a second Ctrl-C ends it at once
)
MOST_THREADS: Final = 32  # solves at once in one process; see above
STATUS: Final = {
    "optimal": Termination.OPTIMAL,
    "gaplimit": Termination.OPTIMAL,
    "infeasible": Termination.INFEASIBLE,
    "unbounded": Termination.UNBOUNDED,
    "inforunbd": Termination.INFEASIBLE_OR_UNBOUNDED,
    "timelimit": Termination.TIME_LIMIT,
    "userinterrupt": Termination.INTERRUPTED,
    "terminate": Termination.INTERRUPTED,
}
LIMITS: Final = {
    "nodelimit": "node limit",
    "totalnodelimit": "node limit",
    "stallnodelimit": "limit of nodes without progress",
    "sollimit": "limit of solutions",
    "bestsollimit": "limit of improving solutions",
    "restartlimit": "limit of restarts",
    "memlimit": "memory limit",
    "primallimit": "limit of the objective",
    "duallimit": "limit of the bound",
}
PROOFS: Final = {
    Termination.OPTIMAL: Guarantee.GLOBAL,
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
}
SETTLED: Final = (
    "columns within 1e-4 of a bound were put on it, as SCIP's point kept the "
    "model to its tolerances only"
)
ONLY_TO_TOLERANCES: Final = (
    "its point keeps the model only to SCIP's absolute tolerance of 1e-9 of the scaled rows"
)
LIKELY_UNBOUNDED: Final = (
    Termination.INFEASIBLE_OR_UNBOUNDED
)  # there is no word for "feasible, likely unbounded"
ENDS: Final = {
    "time limit": Termination.TIME_LIMIT,
    "interrupted": Termination.INTERRUPTED,
}  # of a killed process
NO_POINT: Final = (
    Termination.INFEASIBLE,
    Termination.UNBOUNDED,
    Termination.INFEASIBLE_OR_UNBOUNDED,
)
PREFERENCES: Final = (
    prefer(20, "linear", ProblemClass.LP),
    prefer(20, "linear with integers", ProblemClass.MILP),
    prefer(10, "convex quadratic objective with integers", ProblemClass.MIQP),
    prefer(
        10,
        "nonconvex: needs branch and bound for a proof",
        ProblemClass.NONCONVEX_QP,
        ProblemClass.NONCONVEX_QCP,
    ),
    prefer(
        10,
        "nonconvex with integers",
        ProblemClass.NONCONVEX_MIQP,
        ProblemClass.NONCONVEX_MIQCP,
    ),
    prefer(20, "quadratic constraints", ProblemClass.QCP),
    prefer(10, "convex quadratic constraints with integers", ProblemClass.MIQCP),
    prefer(20, "nonlinear", ProblemClass.NLP),
    # before those that need a local solver to converge in every node, convex or not
    prefer(10, "nonlinear with integers", ProblemClass.MINLP),
)


class Scip:
    """SCIP from arrays, or through Pyomo with `via="pyomo"`."""

    name = "scip"
    capabilities = Capabilities(
        title="SCIP",
        classes=frozenset(ProblemClass),
        guarantee=Guarantee.GLOBAL,
        reference="Bestuzheva et al., Global optimization of mixed-integer nonlinear "
        "programs with SCIP 8, JOGO 2023",
        bounds=True,
        warm_start=True,
        time_limit=True,
        pyomo=True,
        preferences=PREFERENCES,
    )

    def availability(self) -> Availability:
        """Whether PySCIPOpt can be imported."""
        try:
            import pyscipopt
        except ImportError as error:
            return Availability(False, reason=str(error))
        model = pyscipopt.Model()
        scip = f"{model.getMajorVersion()}.{model.getMinorVersion()}.{model.getTechVersion()}"
        return Availability(True, {"scip": scip, "pyscipopt": version("pyscipopt")})

    def accepts(self, request: Request) -> Acceptance:
        """Every class; of what is not smooth, `abs`, `min` and `max` (through Pyomo none of it)."""
        accepted = accepts_class(self, request.problem)
        if not accepted.accepted:
            return accepted
        return accepts_parts(request.instance, through_pyomo=request.options.via == "pyomo")

    def solve(self, request: Request) -> Solution:
        """Solve; the bound is proven to SCIP's tolerances, and a gap that was reached counts as
        optimal.

        Raises `ModelError` E505 for an option SCIP does not know or a value it does not take. A
        warm start may leave columns open (nan); SCIP then completes it if it can.
        """
        versions = self.availability().versions
        solution = _solve(request)
        return replace(
            solution, versions=versions, message=_with_threads(solution.message, request.options)
        )


def _with_threads(message: str, options: SolveOptions) -> str:
    if options.threads is None or options.threads <= 1:
        return message
    return "; ".join(part for part in (message, "SCIP runs on one thread") if part)


def claim(status: str, termination: Termination | None = None) -> Solution:
    """A solution without a point, from SCIP's name of its status."""
    found = termination or STATUS.get(status)
    message = f"SCIP: {LIMITS.get(status, status)}"
    if found is None:
        found = Termination.ITERATION_LIMIT if status in LIMITS else Termination.ERROR
    return Solution(
        backend="scip",
        termination=found,
        guarantee=PROOFS.get(found, Guarantee.NONE),
        message=message,
    )


def _solve(request: Request) -> Solution:
    options = request.options
    with _output(options.log):  # SCIP prints a complaint of its own about a value it refuses
        chosen = parameters(options, searches(request.problem))
    started = time.perf_counter()
    conflict = reduce_instance(request.instance).conflict
    built = None if conflict else _built(request.instance, options.via)
    conflict = built.reduced.conflict if built else conflict
    lowered = time.perf_counter()
    if built is None or conflict:
        solution = Solution(
            backend="scip",
            termination=Termination.INFEASIBLE,
            guarantee=Guarantee.INFEASIBLE,
            message=conflict,
        )
    else:
        solution = _run_apart(built, request, chosen)
    return replace(
        solution, seconds={"lower": lowered - started, "solve": time.perf_counter() - lowered}
    )


def _built(instance: Instance, via: str) -> "ScipModel":
    if via == "pyomo":
        from mecdsl.backends.scip.pyomo import scip_model_through_pyomo

        return scip_model_through_pyomo(instance)
    from mecdsl.backends.scip.model import scip_model

    return scip_model(instance)


def _run_apart(built: "ScipModel", request: Request, chosen: dict[str, RawValue]) -> Solution:
    """`_run` in a process of its own."""

    def work(should_stop: Callable[[], bool]) -> Solution:
        with _output(request.options.log):
            return _run(built, replace(request, should_stop=should_stop), chosen)

    found = run_guarded(work, request.should_stop, request.options.time_limit, GRACE)
    if found.answer is not None:
        return found.answer
    termination = ENDS.get(found.reason, Termination.ERROR)
    return Solution(
        backend="scip",
        termination=termination,
        guarantee=Guarantee.NONE,
        message=f"SCIP {found.ending}",
    )


def _run(built: "ScipModel", request: Request, chosen: dict[str, RawValue]) -> Solution:
    model, options = built.model, request.options
    model.hideOutput(not options.log)
    model.setParams({**chosen, "misc/catchctrlc": False})
    if options.start is not None:
        _warm_start(built, options)
    failure = _optimize(model, request.should_stop)
    if failure:
        return Solution(
            backend="scip", termination=Termination.ERROR, guarantee=Guarantee.NONE, message=failure
        )
    solution = claim(model.getStatus())
    if solution.termination is Termination.INFEASIBLE_OR_UNBOUNDED:
        solution = claim("inforunbd", _infeasible_or_unbounded(model, request))
    if solution.termination in (Termination.INFEASIBLE, Termination.UNBOUNDED):
        return _believed(built, request, solution)
    if solution.termination in NO_POINT:
        return solution
    return doubted(request, _with_point(built, request, solution))


def _endless_objective(built: "ScipModel", scaled: float) -> str:
    """The objective, by name, where it is as large as SCIP's numbers go: `x - x^2` ends at
    -5e19.
    """
    return f"`{built.instance.model.objective.name}`" if abs(scaled) >= HUGE else ""


def _with_point(built: "ScipModel", request: Request, solution: Solution) -> Solution:
    model = built.model
    bound = model.getDualbound()
    solution = replace(
        solution,
        bound=built.reduced.bound(bound) if abs(bound) < HUGE else None,
        message=f"{solution.message}, {model.getNTotalNodes()} nodes",
    )
    if not model.getNSols():
        return solution
    best = model.getBestSol()
    if endless := built.endless(best) or _endless_objective(built, model.getSolObjVal(best)):
        return claim(
            f"{endless} grows beyond SCIP's numbers, so the model is likely unbounded",
            LIKELY_UNBOUNDED,
        )
    guarantee = PROOFS.get(solution.termination, Guarantee.FEASIBLE)
    solution = replace(
        solution, guarantee=guarantee, values=built.point(best), objective=built.objective(best)
    )
    return _checked(built, request, _sharpened(built, request, solution))


def _sharpened(built: "ScipModel", request: Request, solution: Solution) -> Solution:
    """The solution with its point to the tolerance of problems without integers, if sought with a
    wider one.

    Where that leaves a gap, or its integers have no such point, all is solved once more to the
    tight tolerance; what that proves is believed where it is `AGREEMENT` away from the first bound
    at most.
    """
    from mecdsl.backends.scip.settle import sharpened

    model, options = built.model, request.options
    if not searches(request.problem) or "numerics/feastol" in options.raw or request.should_stop():
        return solution
    limit, started = options.time_limit, time.perf_counter() - model.getTotalTime()
    left = None if limit is None else limit - (time.perf_counter() - started)
    found = sharpened(built, left, lambda: _optimize(model, request.should_stop))
    if found is not None:
        solution = replace(solution, values=found[0], objective=found[1])
    proven = solution.termination is Termination.OPTIMAL
    if not proven or (found is not None and _closed(solution, options.gap)):
        return solution
    left = None if limit is None else max(0.0, limit - (time.perf_counter() - started))
    return _once_more(built, request, solution, left)


def _closed(solution: Solution, gap: float) -> bool:
    if solution.bound is None or solution.objective is None:
        return False
    return abs(solution.objective - solution.bound) <= gap * max(
        abs(solution.objective), abs(solution.bound)
    )


def _once_more(
    built: "ScipModel", request: Request, solution: Solution, left: float | None
) -> Solution:
    """The solution with the point and the bound of a second solve, if they agree with those of the
    first.
    """
    if solution.bound is None:  # not believed, so that there is nothing to agree with
        return solution
    model = built.model
    if left is not None:
        model.setParam("limits/time", left)
    if (
        _optimize(model, request.should_stop)
        or claim(model.getStatus()).termination is not Termination.OPTIMAL
    ):
        return solution
    best, bound = model.getBestSol(), built.reduced.objective(model.getDualbound())
    if abs(bound - solution.bound) > AGREEMENT * max(abs(bound), abs(solution.bound)):
        return solution
    return replace(solution, values=built.point(best), objective=built.objective(best), bound=bound)


def _checked(built: "ScipModel", request: Request, solution: Solution) -> Solution:
    """The solution, or a point beside it that holds in the model where its own does so to SCIP's
    tolerances only.
    """
    from mecdsl.backends.scip.settle import settled

    assert solution.values is not None
    assert solution.objective is not None
    if request.should_stop() or holds(built.instance, solution.values, solution.objective):
        return solution
    left = _time_left(built.model, request)
    found = settled(
        built, solution.values, left, lambda: _optimize(built.model, request.should_stop)
    )
    if found is None:
        return replace(solution, message=f"{solution.message}; {ONLY_TO_TOLERANCES}")
    return replace(
        solution, values=found[0], objective=found[1], message=f"{solution.message}; {SETTLED}"
    )


def _believed(built: "ScipModel", request: Request, solution: Solution) -> Solution:
    """A claim of infeasibility where the rows without a pole prove it alone, and of no end where
    there is no pole.

    A quotient `x^2/y` may be anything where both are 0: of integers it has a largest value all the
    same.
    """
    names, model = doubtful(request), built.model
    if solution.termination is Termination.UNBOUNDED and built.widened():
        return claim("unbounded but for bounds beyond SCIP's numbers", LIKELY_UNBOUNDED)
    if not names:
        return solution
    if solution.termination is Termination.UNBOUNDED:
        return claim(f"unbounded, {UNBELIEVED} {listed(names)}", LIKELY_UNBOUNDED)
    if built.with_poles is not None:
        left = _time_left(model, request)
        model.freeTransform()
        model.setObjective(0.0, "minimize")
        for constraint in built.with_poles:
            model.delCons(constraint)
        if left is not None:
            model.setParam("limits/time", max(0.0, left))
        if not _optimize(model, request.should_stop) and model.getStatus() == "infeasible":
            return solution
    return claim(f"infeasible, {UNBELIEVED} {listed(names)}", Termination.NOT_FOUND)


def _time_left(model: Any, request: Request) -> float | None:
    limit = request.options.time_limit
    return None if limit is None else limit - model.getTotalTime()


def _infeasible_or_unbounded(model: Any, request: Request) -> Termination:
    """Which of the two it is: without an objective, SCIP says infeasible or finds a point."""
    left = _time_left(model, request)
    model.freeTransform()
    model.setObjective(0.0, "minimize")
    if left is not None:
        model.setParam("limits/time", max(0.0, left))
    if _optimize(model, request.should_stop):
        return Termination.INFEASIBLE_OR_UNBOUNDED
    if model.getNSols():
        return Termination.UNBOUNDED
    known = {"infeasible": Termination.INFEASIBLE, "userinterrupt": Termination.INTERRUPTED}
    return known.get(model.getStatus(), Termination.INFEASIBLE_OR_UNBOUNDED)


def _warm_start(built: "ScipModel", options: SolveOptions) -> None:
    """Offer the start as a solution; a point of integers alone is offered beside it for SCIP to
    complete.
    """
    assert options.start is not None
    model, reduced, start = built.model, built.reduced, built.reduced.started_at(options.start)
    known, values = np.isfinite(start), start.tolist()
    if known.all():
        whole = model.createSol()
        for variable, value in zip(built.variables, values, strict=True):
            model.setSolVal(whole, variable, value)
        if built.bounding is not None:
            objective = built.instance.objective(built.instance.complete(options.start))
            paid = sum(weight * model.getSolVal(whole, dear) for weight, dear in built.penalties)
            told = objective * reduced.objective_factor
            model.setSolVal(whole, built.bounding, told - built.beside - paid)
        for extra in built.auxiliary:
            model.setSolVal(whole, extra.variable, float(extra.weights @ start[extra.places]))
        model.addSol(whole)
    places = np.flatnonzero(known & (reduced.integral | (not known.all()))).tolist()
    if not places:
        return
    part = model.createPartialSol()
    for place in places:
        model.setSolVal(part, built.variables[place], values[place])
    model.addSol(part)


def _optimize(model: Any, should_stop: Callable[[], bool]) -> str:
    """Run SCIP in another thread until it ends or is told to stop; what went wrong inside it, or
    nothing.
    """
    running = _threads(os.getpid()).submit(model.optimizeNogil)
    try:
        while not wait([running], POLL).done:
            if should_stop():
                model.interruptSolve()
    except BaseException:  # a second Ctrl-C, or a fault in `should_stop`: no thread is left behind
        model.interruptSolve()
        wait([running])
        raise
    failure = running.exception()
    if failure is not None and not str(failure).startswith("SCIP:"):
        raise failure
    return "" if failure is None else str(failure)


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """The threads of a process that SCIP may use: an idle one is used again before a new one
    starts.
    """
    return ThreadPoolExecutor(MOST_THREADS, f"scip-{process}")


@contextlib.contextmanager
def _output(log: bool) -> Iterator[None]:
    """SCIP's log on standard error if wanted; else nothing of what its libraries print there
    either.
    """
    with solver_output(echo=log):
        if log:
            yield
            return
        sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # descriptor 2 is closed: nothing can be printed on it
            yield
            return
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
