"""Cooperative computing: what a server costs, seen through three prices, one for each of its
resources.

Source: problem (30) of `mecdsl.backends.cooperative.system` (prices eliminated from (33)-(35)
differently than there). Let task m have roots v = (a, b, c), latency limit D, band floor rho,
multiplier eta of C10, w = sqrt(1 + eta). Minimising the Lagrangian of (30) over the shares for
prices p^2 = (t^2, f^2, g^2) of band, processor and backhaul gives

    alpha = max(rho, w a / t),  beta = w b / f,  lambda = w c / g,
    latency = A / alpha + (f b + g c) / w,

so each task finds its own w >= 1: the least that brings its latency to D, which is a formula. What
is left is a concave dual in three numbers, whatever the number of tasks:

    cost >= phi(p) = sum_m y_m h_m(p) - |p|^2,   h_m(p) = max over w >= 1 of
            min_{alpha >= rho} (w^2 A / alpha + t^2 alpha) + 2 w (f b + g c) - (w^2 - 1) D.

For fixed p it is linear in the assignment y, so every p is a valid cut for every assignment, floors
included; it is tight at the prices that are optimal for one. The same with `w^2 D` in place of
`(w^2 - 1) D` and w >= 0 is the certificate: tasks with sum_m y_m h0_m(p) > |p|^2 cannot all keep C9
and C10. Without floors h0 = (p . v)^2 / D: eigenvector cuts.

Stationary prices satisfy f = sum y w b, g = sum y w c, sum y alpha = 1. Given which tasks are at
their limit and which at their floor these are three linear equations. Without floors the right-hand
sides are convex and increasing in p, so Newton's method from below is monotone and finite (policy
iteration). With floors a step that does not reduce the residual is replaced by the plain step p ->
(t, f, g)(w(p)), which increases to the least solution where there is one.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from mecdsl.backends.cooperative.system import TOLERANCE, Flags, Integers, Reals, ratio


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """What tasks want from one server, one row per task and depth.

    `roots` (a, b, c) in s^(1/2), [P, 3]; `limit` D in s, [P], infinite without C10; `floor` rho,
    [P], 0 without C9.
    """

    roots: Reals
    limit: Reals
    floor: Reals

    def part(self, rows: Flags | Integers) -> "Demand":
        """The chosen rows only."""
        return Demand(self.roots[rows], self.limit[rows], self.floor[rows])


class Standing(Enum):
    """What the prices found show."""

    STATIONARY = "stationary"
    INFEASIBLE = "infeasible"  # the prices are a certificate
    UNSETTLED = "unsettled"


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """`prices` p in s^(1/2), [3], and what they show after so many steps."""

    standing: Standing
    prices: Reals
    steps: int


def limit_weights(demand: Demand, prices: Reals) -> Reals:
    """The least w >= 0 at which each task keeps its latency limit, [P]; 0 without a limit."""
    fixed: Reals = demand.roots[:, 1:] @ prices[1:]
    free: Reals = (fixed + demand.roots[:, 0] * prices[0]) / demand.limit
    bound = demand.floor > 0.0
    if not bound.any():
        return free
    with np.errstate(divide="ignore", invalid="ignore"):
        spare = demand.limit - demand.roots[:, 0] ** 2 / demand.floor
        at_floor = np.where(bound & (spare > 0.0), fixed / spare, np.inf)
    return np.minimum(free, at_floor)


def weights(demand: Demand, prices: Reals) -> Reals:
    """w = sqrt(1 + eta) of each task at these prices, [P]."""
    return np.maximum(1.0, limit_weights(demand, prices))


def coefficients(demand: Demand, prices: Reals) -> Reals:
    """h(p) in s, [P]: the cost of a server is at least `coefficients @ y - prices @ prices` for
    every assignment y.
    """
    weight = weights(demand, prices)
    spare = np.where(
        weight > 1.0, (weight**2 - 1.0) * np.where(weight > 1.0, demand.limit, 0.0), 0.0
    )
    found: Reals = _payment(demand, prices, weight) - spare
    return found


def certificate(demand: Demand, prices: Reals) -> Reals:
    """h0(p) in s, [P]: an assignment that keeps C9 and C10 has
    `certificate @ y <= prices @ prices`.
    """
    weight = limit_weights(demand, prices)
    return _payment(demand, prices, weight) - weight**2 * np.where(weight > 0.0, demand.limit, 0.0)


def band_price(wish: Reals, floor: Reals, mass: Reals) -> float:
    """Least t with sum mass * max(floor, wish / t) = 1, fixing the tasks below their floor and
    repeating.

    Needs sum mass * floor <= 1; infinite where the floors use up the band and a task without floor
    wants some.
    """
    if float(mass @ floor) >= 1.0 - 1e-14:
        return float(ratio(wish, floor)[mass > 0.0].max(initial=0.0))
    at_floor = np.zeros(len(wish), dtype=np.bool_)
    while True:
        left = 1.0 - float(mass[at_floor] @ floor[at_floor])
        price = float(mass[~at_floor] @ wish[~at_floor]) / left
        more = ~at_floor & (floor * price > wish)
        if not more.any():
            return price
        at_floor |= more


def largest_factor(demand: Demand, mass: Reals) -> tuple[float, Reals]:
    """Largest eigenvalue of sum mass v v'/D and its eigenvector, >= 0; above 1 C10 cannot be kept,
    floors or not.
    """
    scaled = demand.roots * np.sqrt(mass / demand.limit)[:, None]
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    return float(values[-1]), np.abs(vectors[:, -1])


def stationary(demand: Demand, mass: Reals, most_steps: int = 200) -> Prices:
    """Prices that maximise phi for an assignment `mass` >= 0, fractional or not, [P]; or a
    certificate, scaled to 1.
    """
    factor, vector = largest_factor(demand, mass)
    if factor > 1.0 + TOLERANCE:
        return Prices(Standing.INFEASIBLE, vector, 0)
    if float(mass @ demand.floor) > 1.0 + TOLERANCE:
        return Prices(Standing.INFEASIBLE, np.array([1.0, 0.0, 0.0]), 0)
    prices = _answer(demand, mass, np.ones(len(mass)))
    following = _answer(demand, mass, weights(demand, prices))
    for step in range(most_steps):
        residual = _distance(prices, following)
        if residual <= 4e-15:
            return Prices(Standing.STATIONARY, following, step)
        if not np.all(np.isfinite(following)):
            return Prices(Standing.UNSETTLED, prices, step)
        square = float(prices @ prices)
        if float(certificate(demand, prices) @ mass) > square * (1.0 + TOLERANCE):
            return Prices(Standing.INFEASIBLE, prices / np.sqrt(square), step)
        guess = _newton(demand, mass, prices)
        image = _answer(demand, mass, weights(demand, guess)) if guess is not None else None
        if guess is not None and image is not None and _distance(guess, image) < 0.9 * residual:
            prices, following = guess, image
        else:
            prices, following = following, _answer(demand, mass, weights(demand, following))
    return Prices(Standing.UNSETTLED, prices, most_steps)


def shares_at(demand: Demand, prices: Reals) -> Reals:
    """Shares that minimise the Lagrangian at these prices, [P, 3]; their sums are at most 1 at
    stationary prices.
    """
    weight = weights(demand, prices)
    shares = ratio(weight[:, None] * demand.roots, np.broadcast_to(prices, demand.roots.shape))
    shares[:, 0] = np.maximum(shares[:, 0], demand.floor)
    return shares


def _payment(demand: Demand, prices: Reals, weight: Reals) -> Reals:
    """min over alpha >= rho of w^2 A / alpha + t^2 alpha, plus 2 w (f b + g c)."""
    wish, band = weight * demand.roots[:, 0], prices[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        at_floor = wish**2 / demand.floor + band**2 * demand.floor
    sending = np.where(wish < demand.floor * band, at_floor, 2.0 * wish * band)
    payment: Reals = sending + 2.0 * weight * (demand.roots[:, 1:] @ prices[1:])
    return payment


def _answer(demand: Demand, mass: Reals, weight: Reals) -> Reals:
    """Prices at which the resources are used up by tasks of these weights."""
    pull = mass * weight
    band = band_price(weight * demand.roots[:, 0], demand.floor, mass)
    return np.array([band, pull @ demand.roots[:, 1], pull @ demand.roots[:, 2]])


def _newton(demand: Demand, mass: Reals, prices: Reals) -> Reals | None:
    """Solve the three equations for the tasks at limit and at floor as they are at `prices`; None
    if they fail.
    """
    weight = limit_weights(demand, prices)
    active = weight > 1.0
    at_floor = np.maximum(weight, 1.0) * demand.roots[:, 0] < demand.floor * prices[0]
    reach = demand.roots.copy()
    reach[at_floor, 0] = 0.0  # a task at its floor does not answer to the band's price
    spare = demand.limit.copy()
    spare[at_floor] -= demand.roots[at_floor, 0] ** 2 / demand.floor[at_floor]
    pull = reach[active] * (mass[active] / spare[active])[:, None]
    matrix: Reals = (
        np.diag([1.0 - float(mass[at_floor] @ demand.floor[at_floor]), 1.0, 1.0])
        - pull.T @ reach[active]
    )
    try:
        np.linalg.cholesky(matrix)
        guess: Reals = np.linalg.solve(matrix, reach[~active].T @ mass[~active]).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    return guess if np.all(guess >= 0.0) else None


def _distance(one: Reals, other: Reals) -> float:
    scale = float(np.abs(other).max())
    return float(np.abs(one - other).max()) / scale if scale > 0.0 else 0.0
