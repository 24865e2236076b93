"""Random data by address: every draw has its own number, found from (seed, qualified name, call,
index labels).

A counter-based generator and no stream that is read in order: adding a parameter, a family or a
member at the end moves nothing, and one row can be drawn without the others. The mixing function is
splitmix64 (Steele, Lea, Flood 2014), applied once for the name and once for every index label.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.tables import FloatArray, IntArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def draw(
    function: str,
    arguments: Sequence[FloatArray],
    seed: int,
    name: str,
    call: int,
    labels: Sequence[IntArray],
) -> FloatArray:
    """One value per row. `arguments`: float64[n] each; `labels`: int64[n] for every index in scope.

    `uniform(low, high)`, `normal(mean, deviation)`, `exponential(mean)`, `rayleigh(scale)` and
    `choice(a, b, ...)` with equal chances.
    """
    size = len(arguments[0])

    def units(part: int) -> FloatArray:
        return unit_numbers(f"{seed}|{name}|{call}|{part}", labels, size)

    kinds: Mapping[str, Callable[[], FloatArray]] = {
        "uniform": lambda: arguments[0] + (arguments[1] - arguments[0]) * units(0),
        "normal": lambda: (
            arguments[0]
            + arguments[1] * np.sqrt(-2.0 * np.log(units(0))) * np.cos(2.0 * np.pi * units(1))
        ),
        "exponential": lambda: -arguments[0] * np.log(units(0)),
        "rayleigh": lambda: arguments[0] * np.sqrt(-2.0 * np.log(units(0))),
        "choice": lambda: np.choose((units(0) * len(arguments)).astype(np.int64), list(arguments)),
    }
    return kinds[function]()


def draw_level(
    zero: float,
    function: str,
    arguments: Sequence[FloatArray],
    seed: int,
    name: str,
    call: int,
    labels: Sequence[IntArray],
) -> FloatArray:
    """The same for levels: drawn in decibels, so that `normal(0 dB, 8 dB)` is log-normal; arguments
    and result in SI.

    `zero`: the SI value of the level 0. The deviation of a normal level is a ratio.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scales = (zero, 1.0 if function == "normal" else zero)
        levels = [
            10.0 * np.log10(values / scale) for values, scale in zip(arguments, scales, strict=True)
        ]
        drawn = 10.0 ** (draw(function, levels, seed, name, call, labels) / 10.0) * zero
    if function == "normal":
        return drawn
    return np.clip(
        drawn, np.minimum(*arguments), np.maximum(*arguments)
    )  # rounding must not leave the bounds


def coordinate(
    region: str,
    axis: int,
    arguments: Sequence[FloatArray],
    seed: int,
    name: str,
    call: int,
    labels: Sequence[IntArray],
) -> FloatArray:
    """One coordinate of a point spread evenly over a region, in m; `axis` 0 is x, 1 is y.

    `rectangle(width, height)` has a corner at (0, 0), `disc(radius)` and `ring(inner, outer)` their
    centre. Both coordinates come from the same two numbers, so they are those of one point. The
    square of the distance to the centre of a disc is uniform, for the area within a distance grows
    with its square.
    """
    size = len(arguments[0])
    first, second = (unit_numbers(f"{seed}|{name}|{call}|{part}", labels, size) for part in (0, 1))
    if region == "rectangle":
        return arguments[axis] * (first, second)[axis]
    outer = arguments[-1]
    inner = arguments[0] if region == "ring" else np.zeros(size)
    radius = np.sqrt(inner**2 + (outer**2 - inner**2) * first)
    return radius * (np.cos, np.sin)[axis](2.0 * np.pi * second)


def unit_numbers(key: str, labels: Sequence[IntArray], size: int) -> FloatArray:
    """Numbers strictly between 0 and 1, one per row, that depend on the key and the labels
    alone.
    """
    start = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
    state: NDArray[np.uint64] = np.full(size, start, dtype=np.uint64)
    with np.errstate(over="ignore"):
        state = _mix(state)
        for label in labels:
            state = _mix(state ^ _mix(label.astype(np.uint64)))
    return ((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = state + _GAMMA
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
