"""Powers of ranges with numbers as exponents, and back from a power to its base."""

from typing import Final

import numpy as np

from mecdsl.analysis.propagation.ranges import (
    LARGEST,
    TINY,
    Flags,
    Range,
    Rounding,
    are_whole,
    chosen,
    everything,
    inverse,
    mirrored,
)
from mecdsl.instances.tables import FloatArray

ROOT_UNIT: Final = (
    2.0**-42
)  # 1/3 is rounded, and the logarithm of what it is the exponent of may be 700
FUNCTION_UNIT: Final = 2.0**-48  # functions of NumPy are right to 4 units in the last place


def power(base: Range, exponent: FloatArray, rounding: Rounding, exact: Flags) -> Range:
    """base^exponent; of bases below 0 under an exponent that is not whole there is no value."""
    whole, even = _kind(exponent)
    size = np.abs(exponent)
    low, high = (np.where(whole, end, np.maximum(end, 0.0)) for end in (base.low, base.high))
    one, two = _positive_power(low, size), _positive_power(high, size)
    straddles = (low < 0.0) & (high > 0.0)
    least = np.where(even & straddles, 0.0, np.minimum(one, two))
    most = np.maximum(one, two)
    wide = Rounding(max(rounding.unit, FUNCTION_UNIT))
    size_of_most = np.where(most == 0.0, _underflow(low, high), np.abs(most))
    kept = _unrounded(low, size), _unrounded(high, size)
    found = wide.outward(
        np.array([least, most]),
        np.array([np.abs(least), size_of_most]),
        exact & (size <= 2.0),
        np.array([_of_first(one < two, two < one, *kept), _of_first(one > two, two > one, *kept)]),
    )
    found = Range(
        np.where(even | ~whole | (low >= 0.0), np.maximum(found.low, 0.0), found.low), found.high
    )
    if (exponent < 0.0).any():
        found = chosen(exponent < 0.0, inverse(found, rounding), found)
    return chosen(~np.isfinite(exponent), everything(len(low)), found)


def base_of(found: Range, exponent: FloatArray, before: Range, rounding: Rounding) -> Range:
    """What x may be where x^exponent is in `found` and x in `before`."""
    whole, even = _kind(exponent)
    signless = even | ~whole
    found = Range(np.where(signless, np.maximum(found.low, 0.0), found.low), found.high)
    found = chosen(exponent < 0.0, inverse(found, rounding), found)
    low, high = found.low, found.high
    root = Range(_root(low, exponent, -1.0, rounding), _root(high, exponent, 1.0, rounding))
    two_sided = mirrored(root, before)
    low = np.where(even, two_sided.low, np.where(whole, root.low, np.maximum(root.low, 0.0)))
    high = np.where(even, two_sided.high, root.high)
    unknown = (exponent == 0.0) | ~np.isfinite(exponent)
    return chosen(unknown, everything(len(low)), Range(low, high))


def _positive_power(base: FloatArray, exponent: FloatArray) -> FloatArray:
    """Squares as products, which are exact for whole numbers."""
    return np.where(exponent == 2.0, base * base, np.power(base, exponent))


def _unrounded(base: FloatArray, size: FloatArray) -> Flags:
    """Whether a power, with an exponent of this size, is computed without rounding."""
    trivial = (base == 0.0) | (np.abs(base) == 1.0) | (size == 1.0)
    return np.asarray(trivial | ((size == 2.0) & are_whole(base * base) & are_whole(base)))


def _of_first(first: Flags, second: Flags, of_one: Flags, of_two: Flags) -> Flags:
    """What is known of the first or the second of two, of both where they are equal."""
    return np.where(first, of_one, np.where(second, of_two, of_one & of_two))


def _kind(exponent: FloatArray) -> tuple[Flags, Flags]:
    """Whether exponents are whole, and even."""
    whole = np.isfinite(exponent) & (np.round(exponent) == exponent)
    return whole, whole & (np.mod(exponent, 2.0) == 0.0)


def _root(value: FloatArray, exponent: FloatArray, way: float, rounding: Rounding) -> FloatArray:
    """The root with its sign, rounded down (`way` -1) or up (1)."""
    size = np.where(exponent == 0.0, 1.0, np.abs(exponent))
    root = np.sign(value) * np.power(np.abs(value), 1.0 / size)
    unit = np.where(size == 1.0, rounding.unit, max(rounding.unit, ROOT_UNIT))
    moved = root + way * unit * np.abs(root)
    overflown = np.isinf(root) & (np.sign(root) != way)
    result: FloatArray = np.where(overflown & np.isfinite(value), np.sign(root) * LARGEST, moved)
    return result


def _underflow(low: FloatArray, high: FloatArray) -> FloatArray:
    """The size of a power that came out as 0: none where the base is 0."""
    return np.where((low == 0.0) & (high == 0.0), 0.0, TINY)
