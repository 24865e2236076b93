"""Cooperative computing: `proposed`, the three stages of Algorithm 3, a heuristic.

Source: `mecdsl.backends.cooperative.system`: depths by (21), places by rounding the relaxation (27)
as in (28), shares by (30). Corrections: (28) takes the largest x, lowest server on ties, since with
three servers none need reach half of the sum; a lone task gets all shares without a special case.
The paper has no repair: where a server cannot keep C9 or C10 with the tasks it was given, no
feasible point was found, which is no proof that there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from mecdsl.backends.cooperative.allocation import failures, place, worst_factor
from mecdsl.backends.cooperative.depths import best_depth, uniform_is_optimal
from mecdsl.backends.cooperative.relaxation import Relaxation, relax
from mecdsl.backends.cooperative.system import (
    LOCAL,
    TOLERANCE,
    Flags,
    Integers,
    Limits,
    Plan,
    Reals,
    System,
    evaluate,
    excess,
)
from mecdsl.solution import Iteration, Termination


class Rounding(Enum):
    """Where the places come from."""

    RELAXATION = "relaxation"  # (27) and (28)
    # what (27) and (28) tend to for eps -> 0: the least of D_m and the unshared latencies
    LIMIT = "limit"


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """`server` [M] and `depth` [M] of the first two stages, None where the relaxation is infeasible
    or failed.
    """

    server: Integers | None
    depth: Integers | None
    relaxation: Relaxation | None
    message: str


def proposed(
    system: System,
    limits: Limits,
    rounding: Rounding = Rounding.RELAXATION,
    eps: float = 1e-3,
    pair_filter: bool = True,
) -> Plan:
    """Algorithm 3. `limits.load` must be off: the paper gives no rule for it; raises ValueError.

    `eps`: the one constant of (23). `pair_filter`: leave out pairs that break C9 or C10 alone. The
    certificate has `relaxation_value` in s; it is also the bound where no mixture of depths can be
    better than (21). Where a server fails there is no point, and `latency_factor` says what the
    places would need.
    """
    label = f"cooperative-pa: Algorithm 3, places by {rounding.value}"
    found = places(system, limits, rounding, eps, pair_filter)
    relaxation = found.relaxation
    certificate: dict[str, float] = {}
    bound = None
    if relaxation is not None and relaxation.value is not None:
        certificate["relaxation_value"] = relaxation.value
        bound = relaxation.value if uniform_is_optimal(system).all() else None
    steps = relaxation_steps(system, relaxation)
    if found.server is None or found.depth is None:
        return Plan(
            Termination.NOT_FOUND, label, bound=bound, iterations=steps, message=found.message
        )
    return allocated(
        system,
        limits,
        server=found.server,
        depth=found.depth,
        label=label,
        certificate=certificate,
        bound=bound,
        steps=steps,
    )


def relaxation_steps(system: System, relaxation: Relaxation | None) -> tuple[Iteration, ...]:
    """The rounds of the relaxation; their bounds hold only where no mixture of depths can be better
    than (21).
    """
    if relaxation is None:
        return ()
    if uniform_is_optimal(system).all():
        return relaxation.iterations
    return tuple(replace(step, bound=None) for step in relaxation.iterations)


def places(
    system: System, limits: Limits, rounding: Rounding, eps: float, pair_filter: bool = True
) -> Places:
    """The first two stages: depths by (21), places by (27) and (28) or their limit."""
    without_load(limits)
    best = best_depth(system)
    allowed = Limits(limits.rate and pair_filter, limits.latency and pair_filter)
    pairs = system.possible(allowed)[:, np.arange(len(best)), best - 1]
    if rounding is Rounding.LIMIT:
        server, message = _limit_places(system, best, pairs)
        return Places(server, _depth_of(server, best), None, message)
    relaxation = relax(system, best, pairs, limits, eps)
    if relaxation.assign is None:
        reason = (
            "infeasible, a proof for the depths of (21) only"
            if relaxation.infeasible
            else relaxation.message
        )
        return Places(None, None, relaxation, f"the relaxation (27) is {reason}")
    server = rounded(relaxation.assign, system.local_latency)
    return Places(server, _depth_of(server, best), relaxation, "")


def rounded(assign: Reals, local_latency: Reals) -> Integers:
    """(28) for x [M, N]: LOCAL where the sum is below one half, else the largest x, lowest server
    on ties.

    Solver noise is no reason to prefer a server: values within 1e-7 of the largest count as ties.
    """
    if assign.shape[1] == 0:
        return np.full(len(assign), LOCAL, dtype=np.int64)
    near = assign >= assign.max(axis=1, keepdims=True) - 1e-7
    server = np.argmax(near, axis=1)
    away = (assign.sum(axis=1) >= 0.5 - 1e-7) | ~np.isfinite(local_latency)
    return np.where(away, server, LOCAL).astype(np.int64)


def allocated(
    system: System,
    limits: Limits,
    server: Integers,
    depth: Integers,
    label: str,
    certificate: Mapping[str, float],
    bound: float | None = None,
    steps: tuple[Iteration, ...] = (),
) -> Plan:
    """The plan of given places with optimal shares, or what keeps them from having any."""
    shares, answers = place(system, server, depth, limits)
    found = dict(certificate)
    if limits.latency:
        found["latency_factor"] = worst_factor(system, server, answers)
    message = failures(answers)
    late = np.flatnonzero(~system.possible_local(limits) & (server == LOCAL))
    if late.size:
        worst = int(late[np.argmax(system.local_latency[late] / system.max_latency[late])])
        text = f"{late.size} tasks run locally and are late, task {worst + 1} the most"
        message = f"{message}; {text}" if message else text
    if shares is None or message:
        return Plan(
            Termination.NOT_FOUND,
            label,
            bound=bound,
            certificate=found,
            iterations=steps,
            message=message,
        )
    return shared(
        system,
        limits,
        server=server,
        depth=depth,
        shares=shares,
        label=label,
        certificate=found,
        bound=bound,
        steps=steps,
    )


def shared(
    system: System,
    limits: Limits,
    server: Integers,
    depth: Integers,
    shares: Reals,
    label: str,
    certificate: Mapping[str, float],
    bound: float | None = None,
    steps: tuple[Iteration, ...] = (),
) -> Plan:
    """The plan of given places and shares as it is; C9 and C10 are measured, not enforced.

    Where a latency is infinite there is no point.
    """
    latency = evaluate(system, server, depth, shares)
    found = dict(certificate) | excess(system, server, shares, latency, limits)
    if not np.all(np.isfinite(latency)):
        worst = int(np.flatnonzero(~np.isfinite(latency))[0])
        message = f"the latency of task {worst + 1} is infinite"
        return Plan(
            Termination.NOT_FOUND, label, certificate=found, iterations=steps, message=message
        )
    broken = [
        text
        for name, text in (("latency_excess", "a latency limit"), ("rate_excess", "a least rate"))
        if found.get(name, 0.0) > 1.0 + TOLERANCE
    ]
    message = f"the plan breaks {' and '.join(broken)}" if broken else ""
    return Plan(
        termination=Termination.FINISHED,
        label=label,
        server=server,
        depth=depth,
        shares=shares,
        objective=float(latency.sum()),
        bound=bound,
        certificate=found,
        iterations=steps,
        message=message,
    )


def without_load(limits: Limits) -> None:
    """Raise ValueError where the load limit is on: the paper has no rule that keeps it."""
    if limits.load:
        raise ValueError("the paper gives no rule that keeps a load limit")


def _limit_places(system: System, best: Integers, pairs: Flags) -> tuple[Integers | None, str]:
    """Each task takes the least of D_m and its unshared latencies at the depths of (21)."""
    alone = system.latency[:, np.arange(len(best)), best - 1]
    latency = np.where(pairs, alone, np.inf)
    options = np.concatenate([latency, system.local_latency[:, None]], axis=1)
    if not np.all(np.isfinite(options.min(axis=1))):
        return None, "a task can run nowhere at the depths of (21)"
    choice = np.argmin(options, axis=1)
    return np.where(choice == len(best), LOCAL, choice).astype(np.int64), ""


def _depth_of(server: Integers | None, best: Integers) -> Integers | None:
    if server is None:
        return None
    if len(best) == 0:
        return np.zeros(len(server), dtype=np.int64)
    return np.where(server == LOCAL, 0, best[server])
