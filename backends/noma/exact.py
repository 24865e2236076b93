"""Split inference over NOMA: `exact`, the optimum for few users with a proof.

Source: derived here, on the dynamic programme of the notes to the paper
(`mecdsl.backends.noma.programme`); edge units have a closed form, and
`mecdsl.backends.noma.cluster` says what a set of users costs on a subchannel. Where all users cut
at the same layer, there is one programme for each layer.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.noma.air import air, scaled
from mecdsl.backends.noma.closed_forms import best_units, computing_cost
from mecdsl.backends.noma.cost import objective
from mecdsl.backends.noma.occupancy import Occupancy
from mecdsl.backends.noma.programme import Programme
from mecdsl.backends.noma.system import NONE, Decisions, Form, Integers, Plan, Reals, System
from mecdsl.backends.shared.record import Record
from mecdsl.solution import Termination

LABEL = "noma-exact: dynamic programme over sets of users"
MOST_USERS = 16  # 3^16 pairs of sets
LEAST_GAP = 1e-9  # what is closed where less is asked for
FAINT = 1e-12  # the SINR at which is sent what may take any time


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Case:
    """Cuts that users may choose from, and the cost of leaving out a set of users; `cut` [cuts]."""

    cut: Integers
    constant: Reals
    load: Reals
    left: Reals


@dataclass(slots=True, eq=False, kw_only=True)
class _Best:
    """What is found so far: the cheapest point, and what the cases that are done are bounded by."""

    gap: float
    deadline: float
    cost: float = np.inf
    decisions: Decisions | None = None
    bound: float = np.inf
    nodes: int = 0
    record: Record = field(default_factory=Record)

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() >= self.deadline

    @property
    def goal(self) -> float:
        """What a bound must reach."""
        return self.cost * (1.0 - self.gap) if np.isfinite(self.cost) else np.inf

    @property
    def worthwhile(self) -> float:
        """Plans from this cost on are not looked for; the other half of the gap is for clusters."""
        return self.cost * (1.0 - 0.5 * self.gap) if np.isfinite(self.cost) else np.inf

    def try_(self, system: System, form: Form, decisions: Decisions) -> None:
        """Keep a point if it is the cheapest."""
        cost = objective(system, form, decisions)
        if cost < self.cost:
            self.cost, self.decisions = cost, decisions

    def note(self, bound: float, text: str) -> None:
        """Record where things stand while a case has a bound."""
        known = None if self.decisions is None else self.cost
        self.record.note(known, min(bound, self.bound, self.cost), note=text)


def exact(system: System, form: Form, gap: float = 1e-6, time_limit: float | None = None) -> Plan:
    """Solve a form of (18) to a relative gap, but no smaller one than `LEAST_GAP`.

    `time_limit` in s; then the best point and the bound so far. Certificate: `gap`, `nodes`, the
    convex problems that were solved. Raises ValueError for a negative gap and what `unfit` names.
    """
    if not gap >= 0.0:
        raise ValueError(f"expected a gap >= 0, found {gap!r}")
    reason = unfit(system)
    if reason:
        raise ValueError(reason)
    nothing = system.infeasible(form)
    if nothing:
        return Plan(termination=Termination.INFEASIBLE, label=LABEL, message=nothing)
    deadline = time.perf_counter() + (np.inf if time_limit is None else time_limit)
    best = _Best(gap=max(gap, LEAST_GAP), deadline=deadline)
    for case in _cases(system, form):
        _solve(system, form, case, best)
    return _plan(best)


def unfit(system: System) -> str:
    """Why the algorithm cannot take a system, or an empty text."""
    users = system.shape[1]
    if users > MOST_USERS:
        return f"takes {MOST_USERS} users at most, found {users}"
    cheap = (system.time_weight == 0.0) & (system.energy_weight > 0.0)
    for link in system.links:
        name = link.way.value
        if link.power_max == 0.0 and users:
            return f"takes `{name}_power_max` above 0"
        if link.power_min == 0.0 and cheap.any():
            i = int(np.argmax(cheap))
            return (
                f"finds no best power for user {i + 1}: without a time weight the cost falls "
                f"towards power 0, so it takes `{name}_power_min` above 0"
            )
    return ""


def _cases(system: System, form: Form) -> Iterator[_Case]:
    """All cuts together, or each by itself; silent users are left out, at the cost of running all
    layers.
    """
    users, last = system.shape[1], system.layers
    constant, load = computing_cost(system, best_units(system)), system.cut_size
    every = np.arange(1 << users)
    bits = ((every[:, None] >> np.arange(users)) & 1).astype(np.float64)
    local = bits @ constant[:, last]
    nobody = np.where(every == 0, 0.0, np.inf)
    cuts = np.arange(last + 1)
    sent = cuts[:-1] if form.silent else cuts
    if not form.common:
        groups = [(sent, local if form.silent else nobody)]
    else:
        groups = [(sent[s : s + 1], nobody) for s in sent]
        if form.silent:
            everybody = np.where(every == every[-1], local, np.inf)
            groups.append((sent[:1], everybody))
    for cut, left in groups:
        yield _Case(cut=cut, constant=constant[:, cut], load=load[:, cut], left=left)


def _solve(system: System, form: Form, case: _Case, best: _Best) -> None:
    """Lower the cost of the best point by what the case has, and bound the case."""
    programme = Programme(system, air(system, form, case.constant, case.load), case.left)
    late = False
    while True:
        standing = programme.standing()
        if standing.chosen is not None and standing.cost < best.cost:
            best.try_(system, form, _decisions(system, form, case, programme, standing.chosen))
        best.note(standing.bound, f"{programme.solved} sets solved")
        enough = standing.bound >= best.goal
        if enough or (best.late and (late or best.decisions is not None)):
            break
        late = best.late  # one round more, for a point
        channel, chosen, target = programme.promising(best.worthwhile)
        if not len(chosen):
            break
        programme.solve(channel, chosen, target, 0.25 * best.gap, best.deadline)
    best.bound = min(best.bound, standing.bound)
    best.nodes += programme.nodes


def _decisions(
    system: System, form: Form, case: _Case, programme: Programme, chosen: Integers
) -> Decisions:
    """The point of a set of users for each channel: powers of the clusters, then the best cuts."""
    up, down = (
        _sent(system, form, way, programme, own)
        for way, own in zip((0, 1), np.split(chosen, 2), strict=True)
    )
    cut = np.full(system.shape[1], system.layers, dtype=np.int64)
    users = up.occupancy.users
    weighted = system.time_weight[users] + system.energy_weight[users] * up.power[users]
    price = weighted / up.occupancy.rates(up.power[users])
    lines = case.constant[users] + scaled(case.load[users], price[:, None])
    cut[users] = case.cut[lines.argmin(axis=1)]
    return Decisions(
        cut=cut,
        up=up.occupancy.channel,
        down=down.occupancy.channel,
        up_power=up.power,
        down_power=down.power,
        edge_units=best_units(system),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """Who sends where on a link, and the power in W, [U]."""

    occupancy: Occupancy
    power: Reals


def _sent(system: System, form: Form, way: int, programme: Programme, chosen: Integers) -> _Sent:
    """A set of users for each subchannel of a link. Where a power may be 0 because nothing is sent
    it becomes so small that nobody hears it, since a rate of 0 is no rate.
    """
    users = system.shape[1]
    on, power = np.full(users, NONE, dtype=np.int64), np.zeros(users)
    for channel, members in enumerate(chosen):
        inside = programme.members(int(members))
        on[inside] = channel
        power[inside] = programme.power(way * len(chosen) + channel, int(members))
    occupancy = Occupancy(system.links[way], on, form.oma)
    sending = occupancy.users
    faint = FAINT * occupancy.heard(power[sending]) / occupancy.own
    power[sending] = np.maximum(power[sending], faint)
    return _Sent(occupancy, power)


def _plan(best: _Best) -> Plan:
    bound = min(best.bound, best.cost)
    proven = best.decisions is not None and bound >= best.goal
    certificate = {"nodes": float(best.nodes)}
    if best.decisions is not None:
        certificate["gap"] = (best.cost - bound) / best.cost if best.cost > 0.0 else 0.0
    ending, message = Termination.OPTIMAL, ""
    if not proven and best.late:
        ending = Termination.TIME_LIMIT
    elif not proven:
        ending, message = Termination.ERROR, "rounding keeps the bound away from the best point"
    return Plan(
        termination=ending,
        label=LABEL,
        decisions=best.decisions,
        objective=None if best.decisions is None else best.cost,
        bound=bound,
        certificate=certificate,
        iterations=best.record.steps,
        message=message,
    )
