"""Fog nodes: the external problem (33) of the paper's Algorithm 1, solved in its closed forms.

With the internal variables fixed (Appendix B) the energy depends on the rows through cons1 d^3,
cons1 = kappa a^3/tl^2, and through prices of a row: gamma1 a / v of processors at their limit and q
d^x theta_k of the distribution. (38) is the minimum, with -lambda d in place of the misprinted sign
of (74) and without a price of distribution at the master; lambda is the root of (4). gamma1 =
max(beta - 2 kappa v^3, 0) is the multiplier of (16) in the internal problem.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from mecdsl.backends.fog.internal import Fixed, Internal
from mecdsl.backends.fog.prices import efficiency_below, nat_price
from mecdsl.backends.fog.system import Reals, System

WIDEST = 60  # doublings of a bracket


def send_prices(system: System, limits: Fixed, phi: float) -> tuple[Reals, Reals]:
    """q d^x theta_k(phi) in J per row and the spectral efficiency x_k(phi) in nat/s/Hz, [K]; price
    0 at the master.
    """
    price = np.full(system.shape[0], system.circuit_power[system.master] + phi)
    efficiency = efficiency_below(price, system.send_scale, system.send_most, limits.sends)
    return system.send_nats * nat_price(
        price, efficiency, system.send_scale, system.bandwidth
    ), efficiency


def send_time(system: System, rows: Reals, efficiency: Reals) -> float:
    """sum tF in s from the tight (10); infinite where something is sent at no rate."""
    nats = system.send_nats * rows + system.send_extra
    with np.errstate(divide="ignore"):
        times = np.divide(
            nats, system.bandwidth * efficiency, out=np.zeros(nats.shape), where=nats > 0.0
        )
    return float(times.sum())


def rows_by_38(system: System, limits: Fixed, found: Internal, row_price: Reals) -> Reals:
    """(38) with (4): rows [K] for the prices q d^x theta_k in J per row [K]."""
    busy = found.compute_time
    speed = np.divide(
        system.work, busy, out=np.zeros(busy.shape), where=system.work > 0.0
    )  # per row
    cubes: Reals = system.capacitance[:, None] * system.work * speed**2
    cons1 = cubes.sum(axis=1)
    gamma1 = np.maximum(found.beta - limits.cycles, 0.0)
    least = (gamma1 * system.row_time).sum(axis=1) + row_price
    total = system.input_rows

    def rows(price: float) -> Reals:
        result: Reals = np.sqrt(np.maximum(price - least, 0.0) / (3.0 * cons1))
        return result

    # the cheapest node alone would take all rows at the upper end, and none has any at the lower
    low, high = float(least.min()), float((least + 3.0 * cons1 * total**2).min())
    price = root(lambda p: total - float(rows(p).sum()), low, high)
    found_rows = rows(price)
    found_rows *= total / found_rows.sum()
    return found_rows


def frozen_rows(
    system: System, limits: Fixed, found: Internal, spare: float
) -> tuple[Reals, float] | None:
    """Rows [K] and phi in W of (33) with the internal variables fixed and `spare` seconds for the
    distribution.

    phi is the root of (23) with tF from the tight (10), 0 where all fits; None if no phi makes it
    fit.
    """

    def late(phi: float) -> float:
        row_price, efficiency = send_prices(system, limits, phi)
        rows = rows_by_38(system, limits, found, row_price)
        return min(send_time(system, rows, efficiency) / spare, 1e300) - 1.0

    phi = 0.0
    if system.shape[0] > 1 and late(0.0) > 0.0:
        high = max(float(np.max(limits.sends)), 1e-12)
        for _ in range(WIDEST):
            if late(high) <= 0.0:
                break
            high *= 2.0
        else:
            return None
        phi = root(late, 0.0, high)
    return rows_by_38(system, limits, found, send_prices(system, limits, phi)[0]), phi


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a decreasing function changes its sign between `low` and `high`, to rounding."""
    if function(low) <= 0.0:
        return low
    if function(high) >= 0.0:
        return high
    return float(brentq(function, low, high, xtol=1e-300, rtol=4.5e-16 * 2, maxiter=300))
