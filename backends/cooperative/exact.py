"""Cooperative computing: `exact`, the global optimum of problem (19) in all its forms, by outer
approximation.

Source: `mecdsl.backends.cooperative.system`; the master is in `mecdsl.backends.cooperative.master`.
Every bound comes from weak duality of the allocation, so it holds for every assignment. The course:
places by local search as first incumbent; cuts at fractional points until the relaxation stands;
options whose reduced cost exceeds the gap are out; then assignments of the integral master are
allocated server by server and answered by the cut of their optimal prices, which is tight there, or
by a certificate, until bound and incumbent meet.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.cooperative.allocation import Allocation, Verdict, allocate
from mecdsl.backends.cooperative.factor import least_factor
from mecdsl.backends.cooperative.master import Choices, Master, Outcome, choices, places_of
from mecdsl.backends.cooperative.pa import allocated
from mecdsl.backends.cooperative.prices import Standing, coefficients, stationary
from mecdsl.backends.cooperative.search import search, square_form
from mecdsl.backends.cooperative.system import Integers, Layers, Limits, Plan, Reals, System
from mecdsl.backends.shared.record import Record
from mecdsl.solution import Termination

LABEL = "cooperative-exact: outer approximation"
GOAL = 1000.0  # scaled objective that suits the absolute tolerances of the solver
ROOT_ROUNDS = 80
MOST_RETURNS = 3  # combinatorial cuts end a return; more means that the solver is wrong
ROOT_TOLERANCE = 1e-6  # relative to the bound


@dataclass(slots=True, eq=False, kw_only=True)
class _State:
    """What the search has found so far; times are scaled."""

    gap: float
    deadline: float
    bound: float = 0.0
    best: float = np.inf
    chosen: Integers | None = None
    undecided: bool = False
    known: dict[tuple[int, ...], Allocation] = field(default_factory=dict)
    seen: dict[tuple[int, ...], int] = field(default_factory=dict)
    record: Record = field(default_factory=Record)

    def left(self) -> float:
        return self.deadline - time.perf_counter()

    def closed(self) -> bool:
        return bool(np.isfinite(self.best)) and self.best - self.bound <= self.gap * self.best

    def note(self, text: str, factor: float) -> None:
        best = self.best / factor if np.isfinite(self.best) else None
        self.record.note(best, self.bound / factor if self.bound > 0.0 else None, note=text)


def exact(
    system: System,
    limits: Limits,
    layers: Layers = Layers.FREE,
    gap: float = 1e-6,
    time_limit: float | None = None,
    threads: int | None = None,
    seed: int = 0,
    starts: int = 20,
    factor_seconds: float = 10.0,
) -> Plan:
    """Solve (19) to a relative gap, with the constraints that `limits` switches on.

    `time_limit` in s; `seed` and `starts` of the local search that finds the first incumbent.
    Certificate: `gap`, `relaxation` (the bound before branching, in s), `nodes`; where C10 is on
    and no assignment keeps it also `latency_factor`, see `least_factor`, sought for at most
    `factor_seconds`. Raises ValueError for a negative gap.
    """
    if not gap >= 0.0:
        raise ValueError(f"expected a gap >= 0, found {gap!r}")
    deadline = time.perf_counter() + (np.inf if time_limit is None else time_limit)
    state = _State(gap=gap, deadline=deadline)
    problem = _Problem(system, limits, layers, factor_seconds)
    homeless = problem.choices(1.0).homeless()
    if homeless.size:
        message = f"task {int(homeless[0]) + 1} can run nowhere, not even alone"
        return _infeasible(problem, state, message, {})
    wanted = _with_incumbent(problem, state, seed, starts)
    master = Master(wanted, threads)
    message, certificate, outcome = _root(wanted, master, state)
    if outcome is Outcome.OPTIMAL and not state.closed():
        outcome, message, nodes = _branch(wanted, master, state)
        certificate["nodes"] = float(nodes)
    if outcome is not Outcome.INFEASIBLE or state.chosen is not None:
        return _plan(problem, wanted, state, outcome, message, certificate)
    if state.undecided:
        message = "a server's allocation stayed undecided, so infeasibility is not proven"
        return Plan(Termination.ERROR, LABEL, iterations=state.record.steps, message=message)
    message = "no assignment keeps the limits, by the bounds of the master problem"
    return _infeasible(problem, state, message, certificate)


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is solved; `factor_seconds`: how long the factor on latency limits may be sought."""

    system: System
    limits: Limits
    layers: Layers
    factor_seconds: float

    def choices(self, factor: float) -> Choices:
        """What may be chosen, times multiplied by a factor."""
        return choices(self.system, self.limits, self.layers, factor)


def _with_incumbent(problem: _Problem, state: _State, seed: int, starts: int) -> Choices:
    """The scaled choices, with what the local search finds of them as first incumbent."""
    square = square_form(problem.system, problem.limits, problem.layers)
    start = search(square, np.random.default_rng(seed), starts)
    if start is None:
        system = problem.system
        finite = np.isfinite(system.local_latency)
        cost = float(np.where(finite, system.local_latency, system.max_latency).sum())
        return problem.choices(_factor(cost))
    server, depth, _ = start
    wanted = problem.choices(_factor(square.cost(server, depth)))
    _try(wanted, state, _options_of(wanted, server, depth))
    state.note("local search", wanted.factor)
    return wanted


def _factor(cost: float) -> float:
    """What brings an objective near `GOAL`."""
    return GOAL / cost if cost > 0.0 else 1.0


def _root(wanted: Choices, master: Master, state: _State) -> tuple[str, dict[str, float], Outcome]:
    """Cuts at fractional points, then options out by reduced cost."""
    answer = master.solve(state.left(), 0.0, integral=False)
    for _ in range(ROOT_ROUNDS):
        if answer.assign is None or answer.cost is None:
            break
        state.bound = max(state.bound, answer.bound)
        state.note("cuts at a fractional point", wanted.factor)
        if (
            state.closed()
            or _separate(wanted, master, answer.assign, answer.cost) <= ROOT_TOLERANCE * GOAL
        ):
            break
        answer = master.solve(state.left(), 0.0, integral=False)
    certificate = {"relaxation": state.bound / wanted.factor}
    if answer.reduced is None:
        return answer.message, certificate, answer.outcome
    state.bound = max(state.bound, answer.bound)
    fixed = 0
    if np.isfinite(state.best):
        fixed = master.fix(answer.reduced, (state.best - answer.bound) * (1 + 1e-6) + 1e-6)
    state.note(
        f"relaxation, {fixed} of {len(answer.reduced)} options out by reduced cost", wanted.factor
    )
    return answer.message, certificate, answer.outcome


def _branch(wanted: Choices, master: Master, state: _State) -> tuple[Outcome, str, int]:
    """Integral masters until bound and incumbent meet."""
    master.make_integral()
    nodes = 0
    while True:
        answer = master.solve(state.left(), 0.25 * state.gap, integral=True)
        nodes += answer.nodes
        if answer.outcome is Outcome.INFEASIBLE:
            # what was fixed or forbidden costs more than the incumbent, so nothing better is left
            state.bound = max(state.bound, state.best)
            state.note("nothing better is left", wanted.factor)
            return answer.outcome, "", nodes
        state.bound = min(max(state.bound, answer.bound), state.best)
        if answer.assign is None:
            return answer.outcome, answer.message, nodes
        chosen = np.flatnonzero(answer.assign > 0.5)
        key = tuple(chosen.tolist())
        state.seen[key] = state.seen.get(key, 0) + 1
        _try(wanted, state, chosen)
        state.note(f"integral master, {answer.nodes} nodes", wanted.factor)
        if state.closed() or answer.outcome is not Outcome.OPTIMAL or state.left() <= 0.0:
            return Outcome.OPTIMAL if state.closed() else Outcome.TIME_LIMIT, answer.message, nodes
        if state.seen[key] > MOST_RETURNS:
            return Outcome.FAILED, "the master returns to a point that its cuts exclude", nodes
        _answer_to(wanted, master, state, chosen, state.seen[key] > 1)


def _separate(wanted: Choices, master: Master, assign: Reals, cost: Reals) -> float:
    """Add the deepest cuts at a fractional point; by how much they are violated together."""
    violated = 0.0
    for n in range(master.servers):
        inside = wanted.at(n)
        mass, part = assign[inside], wanted.demand.part(inside)
        totals = mass @ part.roots
        plain = float(totals @ totals) - float(cost[n])
        master.tangent(n, totals)
        if not np.isfinite(part.limit).any() and not np.any(part.floor > 0.0):
            violated += max(plain, 0.0)
            continue
        used = mass > 1e-9
        found = stationary(part.part(used), mass[used])
        if found.standing is Standing.INFEASIBLE:
            master.feasibility_cut(n, found.prices)
            violated += GOAL
            continue
        price = found.prices
        missing = float(coefficients(part, price) @ mass - price @ price) - float(cost[n])
        if missing > 0.0:
            master.cost_cut(n, price)
        violated += max(missing, plain, 0.0)
    return violated


def _answer_to(
    wanted: Choices, master: Master, state: _State, chosen: Integers, repeated: bool
) -> None:
    """Cuts that are tight at an integral assignment, or that forbid it.

    A point that comes back has passed its own cuts within the solver's tolerance: then
    combinatorial cuts end it.
    """
    for n in range(master.servers):
        inside = chosen[wanted.server[chosen] == n]
        answer = _allocation(wanted, state, inside)
        part = wanted.demand.part(inside)
        master.tangent(n, part.roots.sum(axis=0))
        if answer.verdict is Verdict.OPTIMAL:
            if np.isfinite(part.limit).any() or np.any(part.floor > 0.0):
                master.cost_cut(n, answer.prices)
            if repeated and answer.bound is not None and len(inside):
                master.set_cut(n, inside, answer.bound)
        elif answer.verdict is Verdict.INFEASIBLE and not repeated:
            master.feasibility_cut(n, answer.prices)
        else:
            master.forbid(inside)
            state.undecided |= answer.verdict is Verdict.UNDECIDED


def _allocation(wanted: Choices, state: _State, inside: Integers) -> Allocation:
    """The allocation of options at one server, remembered."""
    key = tuple(inside.tolist())
    if key not in state.known:
        state.known[key] = allocate(wanted.demand.part(inside))
    return state.known[key]


def _server_costs(wanted: Choices, state: _State, chosen: Integers) -> Reals:
    costs = np.zeros(len(wanted.room))
    for n in range(len(costs)):
        cost = _allocation(wanted, state, chosen[wanted.server[chosen] == n]).cost
        costs[n] = np.inf if cost is None else cost
    return costs


def _try(wanted: Choices, state: _State, chosen: Integers) -> None:
    """Make the chosen options the incumbent if they are feasible and better."""
    local = np.ones(len(wanted.local), dtype=np.bool_)
    local[wanted.task[chosen]] = False
    cost = float(wanted.local[local].sum() + _server_costs(wanted, state, chosen).sum())
    if cost < state.best:
        state.best, state.chosen = cost, chosen


def _options_of(wanted: Choices, server: Integers, depth: Integers) -> Integers:
    same = (server[wanted.task] == wanted.server) & (depth[wanted.task] == wanted.depth)
    return np.flatnonzero(same)


def _plan(
    problem: _Problem,
    wanted: Choices,
    state: _State,
    outcome: Outcome,
    message: str,
    certificate: Mapping[str, float],
) -> Plan:
    """The incumbent with its shares in seconds, or what is known without one."""
    proven = state.closed() and not state.undecided
    termination = Termination.OPTIMAL if proven else Termination.TIME_LIMIT
    if not proven and outcome is not Outcome.TIME_LIMIT:
        termination = Termination.ERROR
    bound = None if state.undecided else min(state.bound, state.best) / wanted.factor
    steps = state.record.steps
    if state.chosen is None:
        return Plan(
            termination,
            LABEL,
            bound=bound,
            certificate=certificate,
            iterations=steps,
            message=message,
        )
    server, depth = places_of(wanted, state.chosen)
    found = allocated(problem.system, problem.limits, server, depth, LABEL, certificate)
    if found.objective is None:
        message = f"the incumbent lost its shares: {found.message}"
        return Plan(Termination.ERROR, LABEL, bound=bound, iterations=steps, message=message)
    numbers = dict(found.certificate)
    if bound is not None:
        bound = min(bound, found.objective)
        numbers["gap"] = (
            (found.objective - bound) / found.objective if found.objective > 0.0 else 0.0
        )
    text = "" if proven else message
    return Plan(
        termination=termination,
        label=LABEL,
        server=server,
        depth=depth,
        shares=found.shares,
        objective=found.objective,
        bound=bound,
        certificate=numbers,
        iterations=steps,
        message=text,
    )


def _infeasible(
    problem: _Problem, state: _State, message: str, certificate: Mapping[str, float]
) -> Plan:
    """Infeasible, proven; with the least factor on the latency limits where these are on."""
    numbers = dict(certificate)
    if problem.limits.latency:
        factor = least_factor(
            problem.system, problem.limits, problem.layers, problem.factor_seconds
        )
        if factor is not None:
            numbers["latency_factor"] = factor.bound
            if factor.reached is not None:
                numbers["latency_factor_reached"] = factor.reached
    return Plan(
        Termination.INFEASIBLE,
        LABEL,
        certificate=numbers,
        iterations=state.record.steps,
        message=message,
    )
