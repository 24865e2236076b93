"""Fog nodes: a rigorous lower bound on the least energy of (31), from any prices, without a solver.

For beta_kn >= 0 and phi >= 0 with sum_k beta_kn = phi for every n, relaxing (22), (23) and (4)
leaves separate minima. The energy of computing is homogeneous of degree 1 in (d, tl), that of a
transmission in (nats, t, E), so each minimum is a price times an amount:

    g = d^y min_k [sum_n a_kn rho(beta_kn) + q d^x theta_k(phi)] - phi tau
        + sum_{k != m} q d^x (boundary rows) theta_k(phi) + sum_{links, n} q d_n^x
        theta_kn(beta_kn),

no theta_k at the master. Where rows are given, `sum_k d_k [..]` takes the place of
`d^y min_k [..]`. The same g bounds (24), which has the same optimum. A bound of the deadline itself
follows in the same way from weights of (22).
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.fog.internal import Fixed, fixed, row_prices
from mecdsl.backends.fog.prices import efficiency_below, nat_price
from mecdsl.backends.fog.system import Reals, System

_ROUNDING = 1e-14  # of the largest term, which the sums may lose


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """`value` g in J; `beta` [K, N] and `phi` in W, the prices it was taken at; `row_price` in J
    per row [K], the bracket, and `least` of them, lambda."""

    value: float
    beta: Reals
    phi: float
    row_price: Reals
    least: float


def bound(
    system: System, beta: Reals, phi: float, rows: Reals | None = None, limits: Fixed | None = None
) -> Bound:
    """The bound at beta >= 0 [K, N], rescaled in every layer to add up to phi >= 0; `rows` [K]
    where they are given.

    Raises ValueError for negative prices.
    """
    if phi < 0.0 or np.any(beta < 0.0):
        raise ValueError("expected prices >= 0")
    limits = fixed(system) if limits is None else limits
    prices = balanced(system, beta, phi)
    circuits = system.circuit_power[:, None]
    efficiency = efficiency_below(
        np.broadcast_to(prices + circuits, system.link_scale.shape),
        system.link_scale,
        system.link_most,
        limits.links,
    )
    exchange = system.link_nats * nat_price(
        prices + circuits, efficiency, system.link_scale, system.bandwidth
    )
    price = np.full(system.shape[0], system.circuit_power[system.master] + phi)
    sending = efficiency_below(price, system.send_scale, system.send_most, limits.sends)
    per_nat = nat_price(price, sending, system.send_scale, system.bandwidth)
    bracket: Reals = row_prices(system, prices).sum(axis=1) + system.send_nats * per_nat
    least = float(bracket.min())
    amount = system.input_rows * least if rows is None else float(rows @ bracket)
    terms = (
        amount,
        -phi * system.latency,
        float((system.send_extra * per_nat).sum()),
        float(exchange.sum()),
    )
    rounding = _ROUNDING * max(abs(term) for term in terms)
    return Bound(sum(terms) - rounding, prices, phi, bracket, least)


def balanced(system: System, beta: Reals, phi: float) -> Reals:
    """beta scaled in every layer to add up to phi; shared equally in a layer where it is 0
    everywhere.
    """
    nodes = system.shape[0]
    total = beta.sum(axis=0)
    result: Reals = np.where(
        total > 0.0, beta * (phi / np.where(total > 0.0, total, 1.0)), phi / nodes
    )
    return result


def deadline_bound(system: System, weights: Reals, rows: Reals | None = None) -> float:
    """A deadline in s that no plan beats, from weights >= 0 of (22) [K, N], rescaled to add up to 1
    in every layer.

    sum_n t_n + FRD >= sum w (a d / v + shortest exchanges) + FRD at full power, and the right-hand
    side is linear in d.
    """
    shares = balanced(system, weights, 1.0)
    bracket: Reals = (shares * system.row_time).sum(axis=1) + system.send_time
    amount = system.input_rows * float(bracket.min()) if rows is None else float(rows @ bracket)
    total = amount + float((shares * system.least_exchange).sum()) + system.least_send
    return total * (1.0 - _ROUNDING)
