"""Fog nodes: from rows and layer times to a whole plan, and layers without columns.

Rows and layer times are all that an algorithm has to find: the rest is the optimum of (32) and
(75).
"""

from dataclasses import replace

import numpy as np

from mecdsl.backends.fog.bound import Bound
from mecdsl.backends.fog.internal import Distribution, Internal, distribution, fixed, internal
from mecdsl.backends.fog.latency import Fastest, shortest_times
from mecdsl.backends.fog.prices import power
from mecdsl.backends.fog.system import Plan, Reals, System
from mecdsl.solution import Termination

_TINY = (
    1e-30  # of the deadline: the time of a layer that has none, so that no evaluator meets 0 / 0
)


def with_point(
    plan: Plan, system: System, rows: Reals, times: Reals, inner: Internal, outer: Distribution
) -> Plan:
    """`plan` with the point of these rows and layer times; its objective is the energy of that
    point.
    """
    away = np.arange(system.shape[0]) != system.master
    exists = system.link_exists[:, :, None] & np.ones(system.shape, dtype=np.bool_)
    link_time = np.where(exists, inner.link_time, np.nan)
    radio = inner.link_time * power(inner.efficiency, system.link_scale)
    link_energy = np.where(exists, radio, np.nan)
    efficiency = np.where(exists, inner.efficiency, np.nan)
    sending = outer.time * power(outer.efficiency, system.send_scale)
    return replace(
        plan,
        rows=rows,
        layer_time=times,
        compute_time=inner.compute_time,
        distribution_time=np.where(away, outer.time, np.nan),
        distribution_energy=np.where(away, sending, np.nan),
        up_time=link_time[0],
        up_energy=link_energy[0],
        down_time=link_time[1],
        down_energy=link_energy[1],
        objective=inner.value + outer.value,
        x_frd=np.where(away, outer.efficiency, np.nan),
        x_up=efficiency[0],
        x_down=efficiency[1],
    )


def with_fastest(plan: Plan, system: System, best: Fastest) -> Plan:
    """`plan` with the point of the smallest deadline, with the least energy at which its times are
    kept.
    """
    limits, times = fixed(system), shortest_times(system, best.rows)
    inner = internal(system, limits, best.rows, times)
    outer = distribution(system, limits, best.rows, best.deadline - float(times.sum()))
    return with_point(plan, system, best.rows, times, inner, outer)


def with_bound(plan: Plan, found: Bound | None, rows_given: bool) -> Plan:
    """`plan` with a bound and the prices it was taken at."""
    if found is None:
        return plan
    lam = None if rows_given else found.least
    return replace(plan, bound=max(found.value, 0.0), beta=found.beta, phi=found.phi, lam=lam)


def without_empty_layers(system: System) -> System:
    """The same system without the layers that have no columns; they need no time and no energy."""
    if not system.empty_layers.any():
        return system
    kept = ~system.empty_layers
    matrices = {name: getattr(system, name)[:, kept] for name in ("work", "gain_up", "gain_down")}
    return replace(
        system, **matrices, exchange_nats=system.exchange_nats[kept], macs=system.macs[kept]
    )


def with_empty_layers(plan: Plan, system: System) -> Plan:
    """The plan of `without_empty_layers(system)` as one of `system`: the layers come back with next
    to no time.
    """
    kept = ~system.empty_layers
    if kept.all():
        return plan
    tiny = _TINY * system.latency / kept.size
    changed: dict[str, Reals] = {}
    fills = {"layer_time": 4.0 * tiny, "compute_time": tiny, "up_time": tiny, "down_time": tiny}
    fills |= dict.fromkeys(("up_energy", "down_energy", "x_up", "x_down"), 0.0)
    for name, fill in fills.items():
        part = getattr(plan, name)
        if part is None:
            continue
        whole = np.full((*part.shape[:-1], kept.size), fill)
        whole[..., kept] = part
        if name.startswith(("up", "x_up")):
            whole[0] = np.nan
        elif name.startswith(("down", "x_down")):
            whole[-1] = np.nan
        changed[name] = whole
    if plan.beta is not None and plan.phi is not None:
        beta = np.full(system.shape, plan.phi / system.shape[0])
        beta[:, kept] = plan.beta
        changed["beta"] = beta
    return replace(plan, **changed)  # type: ignore[arg-type]


def infeasible(label: str, latency: float, deadline: float, bound: float) -> Plan:
    """Proven: every plan needs `bound` seconds or more, and `deadline` would do."""
    message = (
        f"no plan meets {latency:.6g} s; the smallest deadline that would do is {deadline:.6g} s"
    )
    numbers = {"smallest_deadline": deadline, "smallest_deadline_bound": bound}
    return Plan(Termination.INFEASIBLE, label, certificate=numbers, message=message)
