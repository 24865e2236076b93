"""Fog nodes: closed forms of one price, for cycles and for nats.

Source: problem (31) of `mecdsl.backends.fog.system`, with its multipliers eliminated. A second of a
node costs beta. The frequency f minimises the price of a cycle, kappa f^2 + beta / f, and the
spectral efficiency x that of a nat, (p + C) / (B x) with p = s (e^x - 1): C is the price of a
second on the air, circuit power included. Without a limit x solves e^x (x - 1) + 1 = C / s, x = 1 +
W0((C / s - 1) / e). This ties the multiplier mu of (34)-(36), free in the paper, to beta, and
settles (44)-(45), which refer to each other at full power.

Lambert's function loses all digits at its branch point, C / s -> 0, so the equation is solved for x
itself: an approximation with 2 % of error for every C / s, then three steps of Halley's method with
a series for small x. All functions take arrays that broadcast; prices in W, `scale` s in W, `most`
x^max in nat/s/Hz.
"""

import numpy as np

from mecdsl.backends.fog.system import Reals

_SERIES = tuple((j + 1) / float(np.prod(np.arange(1.0, j + 3.0))) for j in range(13, -1, -1))
_SMALL = 0.5  # below, e^x (x - 1) + 1 is summed up
# Boyd's approximation of 1 + W0(z) in y = sqrt(1 + e z), which is sqrt(C / s) here.
_BOYD = (2.036, 1.14956131, 0.4549574)


def frequency(price: Reals, capacitance: Reals, cpu_max: Reals) -> Reals:
    """f(beta) in cycle/s that minimises the price of a cycle."""
    free: Reals = np.cbrt(price / (2.0 * capacitance))
    return np.minimum(free, cpu_max)


def cycle_price(price: Reals, capacitance: Reals, cpu_max: Reals) -> Reals:
    """rho(beta) = min over f <= v of kappa f^2 + beta / f, in J/cycle; 0 at beta = 0."""
    speed = frequency(price, capacitance, cpu_max)
    waiting = np.divide(
        price, speed, out=np.zeros(np.broadcast(price, speed).shape), where=speed > 0.0
    )
    result: Reals = capacitance * speed**2 + waiting
    return result


def second_price(efficiency: Reals, scale: Reals) -> Reals:
    """The price C = s (e^x (x - 1) + 1) in W of a second at which `efficiency` x is best."""
    return scale * _growth(np.asarray(efficiency, dtype=np.float64))[0]


def best_efficiency(price: Reals, scale: Reals, most: Reals) -> Reals:
    """x(C) in nat/s/Hz that minimises the price of a nat; 0 at C = 0, `most` where the power is at
    its limit.
    """
    price, scale, most = np.broadcast_arrays(price, scale, most)
    full = second_price(most, np.ones(())) * scale
    return efficiency_below(price, scale, most, full)


def efficiency_below(price: Reals, scale: Reals, most: Reals, full: Reals) -> Reals:
    """`best_efficiency` for arrays of one shape, where `full`, the price at which x reaches `most`,
    is known.
    """
    at_most = price >= full
    target = np.where(at_most, full, price) / scale
    root = np.sqrt(target)
    factor, above, below = _BOYD
    damping = below * np.log1p(root)
    guess: Reals = factor * np.log1p((above * root - damping) / (1.0 + damping))
    for _ in range(3):
        guess = _halley(guess, target)
    return np.where(at_most, most, np.minimum(guess, most))


def power(efficiency: Reals, scale: Reals) -> Reals:
    """Radio power p = s (e^x - 1) in W."""
    result: Reals = scale * np.expm1(efficiency)
    return result


def nat_price(price: Reals, efficiency: Reals, scale: Reals, bandwidth: float) -> Reals:
    """(p + C) / (B x) in J/nat, theta where x is the best; s / B at x = 0, which is best at C =
    0.
    """
    spent = power(efficiency, scale) + price
    result = np.array(np.broadcast_to(scale / bandwidth, spent.shape))
    np.divide(spent, bandwidth * efficiency, out=result, where=efficiency > 0.0)
    return result


def time_slope(
    nats: Reals, efficiency: Reals, scale: Reals, most: Reals, bandwidth: float
) -> Reals:
    """Derivative in s/W of the time nats / (B x(C)) for the price C, where x is the best; 0 at full
    power.
    """
    free = (efficiency < most) & (efficiency > 0.0)
    curve = bandwidth * scale * efficiency**3 * np.exp(efficiency)
    slope = np.where((efficiency > 0.0) | (nats == 0.0), 0.0, -np.inf)
    np.divide(-nats, curve, out=slope, where=free)
    return slope


def _growth(efficiency: Reals) -> tuple[Reals, Reals]:
    """e^x (x - 1) + 1 to almost all digits, and e^x."""
    exponential: Reals = np.asarray(np.exp(efficiency))
    result: Reals = np.asarray(exponential * (efficiency - 1.0) + 1.0)
    small = efficiency < _SMALL
    if small.any():
        part = efficiency[small]
        total = np.full(part.shape, _SERIES[0])
        for coefficient in _SERIES[1:]:
            total *= part
            total += coefficient
        result[small] = total * part**2
    return result, exponential


def _halley(guess: Reals, target: Reals) -> Reals:
    """One step of Halley's method for e^x (x - 1) + 1 = target."""
    value, exponential = _growth(guess)
    miss = value - target
    slope = guess * exponential
    bottom = 2.0 * slope**2 - miss * (slope + exponential)
    step = np.divide(2.0 * miss * slope, bottom, out=np.zeros(guess.shape), where=bottom != 0.0)
    improved: Reals = guess - step
    return improved
