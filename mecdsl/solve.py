"""Choose a backend, run it, verify what it says."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from mecdsl import backend as interface
from mecdsl.analysis.coefficients import require_finite_objective
from mecdsl.backend import Acceptance, Backend, Request, plays
from mecdsl.backends import table
from mecdsl.certificates.certificate import Certificate, certify
from mecdsl.convexity.problem import Problem, analyse
from mecdsl.diagnostics import Diagnostic, Label, ModelError, nearest
from mecdsl.equilibria.play import played
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.lowering.lower import Lowered, lowered
from mecdsl.model.classes import ProblemClass
from mecdsl.proofs.confirm import CONTRADICTED, confirmed, contradiction, own_proof
from mecdsl.proofs.leak_search import SECONDS as SEARCHED
from mecdsl.proofs.leak_search import SOLVES as UNSETTLED
from mecdsl.proofs.leak_search import LeakSearch, missed_alone, searched
from mecdsl.reduction.conflicts import crossed_bounds
from mecdsl.results.leaks import obstacle, unresolved
from mecdsl.results.result import PROOFS, Result
from mecdsl.results.verify import verify
from mecdsl.results.violations import broken
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination
from mecdsl.starts.best import best_of_starts

NOT_BELIEVED = (
    "proof_not_believed"  # in the certificate, where a switch is too large to be resolved
)
MOST_STARTS = 100_000
MOST_THREADS = 256  # a solver told to start a million ends the process


def preferred(problem: Problem) -> tuple[tuple[Backend, str], ...]:
    """General backends in the order `auto` tries them, each with its reason.

    Both are the backends' own word; equal ranks are in the order of the table.
    """
    kind = problem.problem_class
    backends = [table.load(name) for name in table.names()]
    wishes = [
        (wish.rank, backend, wish.words(problem.convex))
        for backend in backends
        for wish in backend.capabilities.preferences
        if kind in wish.classes
    ]
    return tuple((backend, reason) for _, backend, reason in sorted(wishes, key=lambda f: f[0]))


def require_starts(chosen: Backend, request: Request) -> None:
    """Raise `ModelError` E505 where a backend does not take the starts that were asked for."""
    options, can = request.options, chosen.capabilities
    if options.start is not None and not can.warm_start:
        able = [n for n, _ in _able(request) if table.load(n).capabilities.warm_start]
        fix = f"backends that take one: {', '.join(able)}" if able else "leave out the warm start"
        raise ModelError([Diagnostic("E505", f"`{chosen.name}` takes no warm start", help=fix)])
    if options.starts > 1 and not can.starts:
        able = [n for n, _ in _able(request) if table.load(n).capabilities.starts]
        message = f"`{chosen.name}` is no local solver: other starts would change nothing"
        fix = f"backends that take them: {', '.join(able)}" if able else "leave out `starts`"
        raise ModelError([Diagnostic("E505", message, help=fix)])


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def solve(instance: Instance, backend: str | Backend, options: SolveOptions) -> Result:
    """Solve an instance with a backend ("auto" chooses) and verify the answer.

    Where the answer of the backend that "auto" chose is refuted, the next general one is asked;
    `Result.choice` says so. Raises `ModelError` (E501, E502, E503, E505) before solving if the
    backend cannot do it.
    """
    check_options(options)
    request = Request(instance, options, ask=solve)
    chosen, choice = choose(request) if backend == "auto" else (find(backend), "")
    if not choice:
        require(chosen, request)
    require_starts(chosen, request)
    started = time.perf_counter()
    result = replace(_verified(chosen, request), choice=choice)
    return _or_next(result, request, started) if choice and refuted(result) else result


def _verified(chosen: Backend, request: Request) -> Result:
    """The answer of a backend, judged."""
    if chosen.capabilities.games:
        return played(chosen, request)
    started = time.perf_counter()
    instance, handed = request.instance, interface.request_for(chosen, request)
    twin = interface.lowered_for(chosen, instance)
    of_model = _contradiction(chosen, instance)
    of_twin = of_model or _confirmed(handed, _run(chosen, handed, twin))
    solved = time.perf_counter()
    solution = twin.solution(of_twin)
    result = verify(
        instance,
        solution,
        request.options.gap,
        request.problem,
        repair=not chosen.capabilities.models,
        certifier=_certifier(twin, of_twin),
    )
    if solution.values is not None and not result.verified:
        result = _without_leaks(chosen, handed, twin, _refuted(solution, result), started)
    elif (
        result.guarantee in (Guarantee.GLOBAL, Guarantee.TO_GAP) and not chosen.capabilities.models
    ):
        result = _believed(result)
    seconds = {
        "lower": solution.seconds.get("lower", 0.0),
        "solve": solution.seconds.get("solve", solved - started),
        "verify": time.perf_counter() - solved,
    }
    form = "" if of_model else _on_whose_word(twin, result)
    notes = (
        *result.notes,
        *_start_notes(instance, request.options),
        *_bound_notes(result, form),
    )
    return replace(result, seconds=seconds, notes=notes, if_exact=form)


def _bound_notes(result: Result, form: str) -> tuple[str, ...]:
    """Whose word a bound is, beside a point that is not called optimal."""
    if not form or result.guarantee in PROOFS:
        return ()
    return (f"the bound is what form `{form}` says, which the model states to be exact",)


def _on_whose_word(twin: Lowered, result: Result) -> str:
    """The exact form that what is proven rests on, where the solver was given one; "" else."""
    without_point = result.termination in (Termination.INFEASIBLE, Termination.UNBOUNDED)
    of_form = result.bound is not None and not result.bound_by
    return twin.restated if of_form or without_point else ""


def _without_leaks(
    chosen: Backend, handed: Request, twin: Lowered, result: Result, started: float
) -> Result:
    """The answer of a search that sets leaking switches to their values; else the refuted one, and
    what is in its way.

    `handed`: what the backend was asked, whose instance is that of `twin`.
    """
    if not missed_alone(result) or chosen.capabilities.models:
        return result
    solution = (
        _searched(chosen, handed, twin, result, started) if _searchable(chosen, handed) else None
    )
    if solution is None:
        words = obstacle(result.instance, result.point())
        return replace(result, notes=(*result.notes, words)) if words else result
    return verify(twin.original, solution, handed.options.gap)


def _believed(result: Result) -> Result:
    """The answer without its proof where a switch cannot be told from none."""
    words = unresolved(result.instance, result.point())
    if not words:
        return result
    return replace(
        result,
        guarantee=Guarantee.FEASIBLE,
        termination=Termination.FINISHED,
        bound=None,
        gap=None,
        notes=(*result.notes, words),
        solution=replace(
            result.solution, certificate={**result.solution.certificate, NOT_BELIEVED: 1.0}
        ),
    )


def _searchable(chosen: Backend, handed: Request) -> bool:
    """Whether other solves may help: a local solver would take the same way once more."""
    return handed.problem.integer_columns > 0 or chosen.capabilities.guarantee is Guarantee.GLOBAL


def _searched(
    chosen: Backend, handed: Request, twin: Lowered, result: Result, started: float
) -> Solution | None:
    limit, gap = handed.options.time_limit, handed.options.gap
    seconds = SEARCHED if limit is None else min(SEARCHED, limit - (time.perf_counter() - started))
    if seconds <= 0.0:
        return None

    def ask(part: Instance, left: float) -> Result:
        options = replace(handed.options, time_limit=left, start=None, log=False)
        request = Request(part, options)
        found = twin.solution(_confirmed(request, _run(chosen, request)))
        return verify(
            twin.original, replace(found, multipliers={}, multipliers_at=None), gap, repair=True
        )

    linear = handed.problem.problem_class in (ProblemClass.LP, ProblemClass.MILP)
    return searched(
        LeakSearch(
            instance=twin.instance, refuted=result, ask=ask, gap=gap, linear=linear, seconds=seconds
        )
    )


def refuted(result: Result) -> bool:
    """Whether a backend came to an end of its own with an answer that is wrong, or with an error.

    A point that keeps the first-order conditions is fine, though its solver did not say so.
    """
    if result.termination is Termination.INTERRUPTED:
        return False
    if result.solution.certificate.keys() & {NOT_BELIEVED, CONTRADICTED}:
        return True
    if result.termination is Termination.FINISHED and UNSETTLED in result.solution.certificate:
        return True  # its own answer was wrong, and what it was mended to is not proven
    certified = result.verified and result.kkt is not None and result.kkt.accepted
    return bool(result.faults) or (result.termination is Termination.ERROR and not certified)


def _or_next(first: Result, request: Request, started: float) -> Result:
    """The first answer of the backends after a refuted one that is not refuted; the refuted one if
    there is none.

    Options under a solver's own names are for the solver that was chosen, so with them nothing else
    is asked.
    """
    wrong = "proved nothing that is believed" if first.verified else "was not verified"
    options, because = request.options, f"{first.choice}; `{first.backend}` {wrong}"
    if options.raw:
        return first
    for candidate, reason in _takers(request):
        left = (
            None
            if options.time_limit is None
            else options.time_limit - (time.perf_counter() - started)
        )
        if left is not None and left <= 0.0:
            break
        if candidate.name == first.backend:
            continue
        remaining = replace(request, options=replace(options, time_limit=left))
        result = _verified(candidate, remaining)
        if result.verified and not refuted(result):
            return replace(result, choice=f"{because}, so `{candidate.name}`: {reason}")
        because += f", nor was `{candidate.name}`"
    return replace(first, choice=because)


def _certifier(twin: Lowered, solution: Solution) -> Callable[[FloatArray], Certificate] | None:
    """Certifies on the twin, where the multipliers belong to; None where the solver was given the
    instance itself.
    """
    if not twin.changed or solution.values is None:
        return None
    extra = solution.values[twin.original.columns :]
    convex = analyse(twin.instance).convex

    def certifier(x: FloatArray) -> Certificate:
        return certify(twin.instance, solution, np.concatenate([x, extra]), convex)

    return certifier


def _start_notes(instance: Instance, options: SolveOptions) -> tuple[str, ...]:
    """What a warm start breaks, in words: solvers drop such a start without saying so, or begin by
    mending it.
    """
    if options.start is None:
        return ()
    start = np.where(np.isnan(options.start), instance.first_point(), options.start)
    return tuple(
        f"the warm start breaks `{v.member or v.family}` by "
        f"{v.amount:.6g}{'' if v.unit == '1' else ' ' + v.unit}"
        for v in broken(instance, instance.complete(start))
    )


def _run(chosen: Backend, request: Request, twin: Lowered | None = None) -> Solution:
    """The answer of a backend; with `twin`, whose instance is the request's, the best of as many
    starts as were asked for.
    """
    if (
        chosen.capabilities.models
    ):  # algorithms derived by hand look at no flag, so Ctrl-C ends them at once
        try:
            return chosen.solve(request)
        except KeyboardInterrupt:
            message = "stopped by the user; its best point so far is lost"
            return Solution(
                backend=chosen.name,
                termination=Termination.INTERRUPTED,
                guarantee=Guarantee.NONE,
                message=message,
            )
    require_finite_objective(request.instance)
    with interface.interruptible() as should_stop:
        request = replace(request, should_stop=should_stop)
        if twin is not None and request.options.starts > 1:
            return best_of_starts(chosen, request, twin)
        return chosen.solve(request)


def _confirmed(request: Request, solution: Solution) -> Solution:
    """`confirmed`, where Ctrl-C ends what other solvers are asked for."""
    with interface.interruptible() as should_stop:
        return confirmed(replace(request, should_stop=should_stop), solution)


def _refuted(solution: Solution, result: Result) -> Result:
    """Infeasible where no point keeps the model: rows may contradict each other by less than a
    solver sees.
    """
    proof = own_proof(result.instance)
    if not proof:
        return result
    words = f"{solution.message}; its point keeps the rows to its tolerances only".removeprefix(
        "; "
    )
    empty = Solution(
        backend=solution.backend,
        termination=Termination.INFEASIBLE,
        guarantee=Guarantee.INFEASIBLE,
        message=f"{words}, and there is none: {proof}",
    )
    return verify(
        result.instance, replace(empty, versions=solution.versions, seconds=solution.seconds)
    )


def check_options(options: SolveOptions) -> None:
    """Raise `ModelError` E505 for options no backend can follow."""
    threads, limit = options.threads, options.time_limit
    faults = []
    if not 0 <= options.gap < 1:
        faults.append(
            f"the gap is {options.gap:g}, expected a number from 0 to below 1, such as 0.01 for 1 %"
        )
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        faults.append(f"the number of threads is {threads}, expected 1 to {MOST_THREADS}")
    if limit is not None and not 0 <= limit < math.inf:
        faults.append(f"the time limit is {limit:g} s, expected a finite time of 0 s or more")
    if not 1 <= options.starts <= MOST_STARTS:
        faults.append(f"the number of starts is {options.starts}, expected 1 to {MOST_STARTS}")
    if options.seed < 0:
        faults.append(f"the seed is {options.seed}, expected a whole number from 0 on")
    if options.via not in ("arrays", "pyomo"):
        faults.append(f"`via` is `{options.via}`, expected `arrays` or `pyomo`")
    if faults:
        raise ModelError([Diagnostic("E505", fault) for fault in faults])


def find(backend: str | Backend) -> Backend:
    """The backend of that name, or the one that is given, such as one not installed yet.

    Raises `ModelError` E501 with the nearest known name.
    """
    if not isinstance(backend, str):
        return backend
    if backend not in table.names():
        near = nearest(backend, table.names())
        fix = f"did you mean `{near}`?" if near else f"known are {', '.join(table.names())}"
        raise ModelError([Diagnostic("E501", f"unknown backend `{backend}`", help=fix)])
    return table.load(backend)


def require(chosen: Backend, request: Request) -> None:
    """Raise `ModelError` unless the backend is there and takes the problem."""
    there = chosen.availability()
    if not there.available:
        message = f"`{chosen.name}` is not available: {there.reason}"
        raise ModelError([Diagnostic("E503", message, help=there.fix or None)])
    original, request = request, interface.request_for(chosen, request)
    acceptance = accepts(chosen, original)
    if acceptance.accepted:
        if not _follows(chosen, request):
            message = f"`{chosen.name}` takes arrays only: no model is handed to it through Pyomo"
            raise ModelError([Diagnostic("E505", message, help="leave out `--via pyomo`")])
        return
    culprit, place = request.problem.culprit, acceptance.place
    by_class = place is None and culprit is not None and not chosen.capabilities.models
    if by_class and culprit is not None and culprit.place is not None:
        place = Label(culprit.place, culprit.reason)
    labels = () if place is None else (place,)
    stays = "" if chosen.capabilities.models else _kept(original)
    able = [name for name, _ in _able(original)]
    fix = f"backends that take it: {', '.join(able)}" if able else _takers_from_arrays(original)
    raise ModelError(
        [Diagnostic("E502", acceptance.reason, None, labels, note=stays or None, help=fix)]
    )


def _takers_from_arrays(request: Request) -> str | None:
    """Where no backend takes a problem through Pyomo: those that take it from arrays, in words."""
    if request.options.via == "arrays":
        return None
    from_arrays = replace(request, options=replace(request.options, via="arrays"))
    able = [name for name, _ in _able(from_arrays)]
    return f"backends that take it without `--via pyomo`: {', '.join(able)}" if able else None


def _kept(request: Request) -> str:
    """Why kinks are still there in what a solver would get, in words; empty if none is."""
    steps = lowered(request.instance).steps
    kept = [
        f"`{s.span.text}` in `{s.where}` has no rows that say the same: {s.reason}"
        for s in steps
        if not s.method
    ]
    return "; ".join(dict.fromkeys(kept))


def takes(backend: str | Backend, instance: Instance) -> bool:
    """Whether a backend takes an instance."""
    return accepts(find(backend), Request(instance, SolveOptions())).accepted


def accepts(candidate: Backend, request: Request) -> Acceptance:
    """Whether a backend takes a problem in the statement it would get, and if not, why."""
    role = plays(candidate, request)
    return candidate.accepts(interface.request_for(candidate, request)) if role.accepted else role


def _follows(candidate: Backend, request: Request) -> bool:
    """Whether a backend is fed the way that was asked for."""
    return request.options.via == "arrays" or candidate.capabilities.pyomo


def _heeds(candidate: Backend, request: Request) -> bool:
    """Whether a backend is fed the way that was asked for and takes the starts that were."""
    options, can = request.options, candidate.capabilities
    takes_start = options.start is None or can.warm_start
    return _follows(candidate, request) and takes_start and (options.starts == 1 or can.starts)


def _able(request: Request) -> Iterable[tuple[str, Acceptance]]:
    """Available backends that take the problem, hand-derived ones first."""
    for name in sorted(table.names(), key=lambda n: not table.load(n).capabilities.models):
        candidate = table.load(name)
        acceptance = accepts(candidate, request)
        if (
            acceptance.accepted
            and _follows(candidate, request)
            and candidate.availability().available
        ):
            yield name, acceptance


def choose(request: Request) -> tuple[Backend, str]:
    """The backend `auto` takes, and why: an exact algorithm derived for this problem, else by
    class.
    """
    if request.instance.model.players:
        return _choose_for_players(request)
    problem = solved_problem(request)
    for name in table.names():
        candidate = table.load(name)
        if (
            candidate.capabilities.exact
            and _heeds(candidate, request)
            and accepts(candidate, request).accepted
        ):
            return candidate, f"{candidate.capabilities.title}: exact for this model"
    for candidate, reason in _takers(request):
        kind = f"{problem.phrase}{_said(lowered(request.instance))}"
        return candidate, f"{kind}: {reason}{_who_proves(candidate, request)}"
    if request.options.starts > 1:
        message = f"no local solver takes this {problem.class_name}, and `starts` is for those"
        raise ModelError([Diagnostic("E505", message, help="leave out `starts`")])
    reasons = [_why_not(backend, request) for backend, _ in preferred(problem)]
    message = f"no backend solves this {problem.class_name}"
    note, fix = "; ".join(filter(None, reasons)), _takers_from_arrays(request)
    raise ModelError([Diagnostic("E502", message, note=note, help=fix)])


def _choose_for_players(request: Request) -> tuple[Backend, str]:
    """The backend that `auto` takes for a game: one derived for it, else best responses in turn."""
    games = [b for b in map(table.load, table.names()) if b.capabilities.games]
    games.sort(key=lambda backend: not (backend.capabilities.models and backend.capabilities.exact))
    for candidate in games:
        by_hand = bool(candidate.capabilities.models)
        if by_hand and not candidate.capabilities.exact:
            continue
        if _heeds(candidate, request) and accepts(candidate, request).accepted:
            title = candidate.capabilities.title
            return candidate, f"a game: {title}" + (", derived for this model" if by_hand else "")
    message = "no backend for games follows these options"
    options = request.options
    asked = {"--starts": options.starts != 1, f"--via {options.via}": options.via != "arrays"}
    given = " and ".join(f"`{word}`" for word, is_given in asked.items() if is_given)
    fix = f"leave out {given}" if given else None
    raise ModelError([Diagnostic("E505", message, help=fix)])


def _why_not(backend: Backend, request: Request) -> str:
    """Why a backend that `auto` passed over does not solve a problem."""
    accepted, there = accepts(backend, request), backend.availability()
    if accepted.accepted and not there.available:
        return f"`{backend.name}` is not available: {there.reason}"
    return accepted.reason


def _who_proves(chosen: Backend, request: Request) -> str:
    """What is said where another general backend would prove what the chosen one cannot."""
    problem = solved_problem(request)
    if problem.convex or "optimum" in chosen.capabilities.proves:
        return ""
    for other, _ in preferred(problem):
        proves = "optimum" in other.capabilities.proves and accepts(other, request).accepted
        if proves and other.availability().available:
            return f"; `{other.name}` would give a proof"
    return ""


def solved_problem(request: Request) -> Problem:
    """The class of what general solvers are handed: with max, min and abs as rows where that is
    exact.
    """
    twin = lowered(request.instance)
    return analyse(twin.instance)


def _takers(request: Request) -> Iterable[tuple[Backend, str]]:
    """The general backends that are there and take the problem, in the order of preference, with
    the reason.
    """
    for candidate, reason in preferred(solved_problem(request)):
        accepted = accepts(candidate, request).accepted and _heeds(candidate, request)
        if accepted and candidate.availability().available:
            yield candidate, reason


def _said(twin: Lowered) -> str:
    """` with max and abs as rows`, of what was lowered."""
    return f" with {' and '.join(twin.words)}" if twin.changed else ""


def _contradiction(chosen: Backend, instance: Instance) -> Solution | None:
    """Bounds that, alone or through the rows, leave a variable no value: infeasible before any
    solver.

    An algorithm derived by hand says more of rows that contradict each other, such as the least
    deadline that would do.
    """
    message = crossed_bounds(instance) if chosen.capabilities.models else contradiction(instance)
    if not message:
        return None
    return Solution(
        backend=chosen.name,
        termination=Termination.INFEASIBLE,
        guarantee=Guarantee.INFEASIBLE,
        message=message,
    )
