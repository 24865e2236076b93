"""What is known of a function, as data, and what follows from it on a range.

`Univariate` is a function of one argument, `Several` one of more; `Spelled` is a way to write an
expression that is made of other functions, in the words of the language. Values are in SI.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.functions.signature import arity

FloatArray = NDArray[np.float64]
Flags = NDArray[np.bool_]
Derivatives = tuple[FloatArray, FloatArray, FloatArray]
Partials = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
Call = Callable[[str, Sequence[Any]], Any]

PERIODS_ROUNDING: Final = 1e-12
"""Relative to an argument: how near to a multiple of a period counts as beyond it, on either side.
"""


class Smoothness(Enum):
    """Where a function has derivatives."""

    SMOOTH = auto()
    """inside of its domain"""
    KINKED = auto()
    """not where its pieces meet"""
    STEPPED = auto()
    """it jumps"""


class DimensionRule(Enum):
    """What a function asks of the dimensions of its arguments, and which one it has itself."""

    PLAIN = auto()
    """plain numbers, and one comes out"""
    SAME = auto()
    """of one dimension, which it keeps"""
    COUNTED = auto()
    """as `SAME`, of plain numbers and counts alone: of anything else it depends on the unit"""
    ROOT = auto()
    """any, and its square root"""
    SQUARE_OVER = auto()
    """any two, and the square of the first over the second"""
    RATIO = auto()
    """of one dimension, and a plain number comes out"""


class LevelRule(Enum):
    """What a function makes of levels, such as dBm (`mecdsl.model.levels`)."""

    JOINED = auto()
    """a product of levels, if one is among its arguments"""
    LOGARITHM = auto()
    """a number that may well be meant in decibel"""
    PLAIN = auto()
    """a plain number"""
    CHOSEN = auto()
    """one of its arguments"""
    REFUSED = auto()
    """it means one thing of the level, and another of what the level stands for"""


class Whole(Enum):
    """Whether values are whole numbers."""

    UNKNOWN = auto()
    KEPT = auto()
    """where the arguments are"""
    ALWAYS = auto()


class Cone(Enum):
    """What a convex cone is made of, in which functions may be said."""

    LINEAR = "linear"
    SECOND_ORDER = "second order"
    EXPONENTIAL = "exponential"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, both included."""

    low: float = -np.inf
    high: float = np.inf

    def holds(self, low: Any, high: Any) -> Flags:
        """Whether ranges lie within it."""
        return np.asarray((low >= self.low) & (high <= self.high))

    def clip(self, values: Any) -> FloatArray:
        """Values moved to its ends where they are beyond."""
        return np.minimum(np.maximum(np.asarray(values, dtype=np.float64), self.low), self.high)


LINE: Final = Interval()
ABOVE: Final = Interval(low=0.0)
BELOW: Final = Interval(high=0.0)


@dataclass(frozen=True, slots=True)
class Expansion:
    """A function in terms of others: `needs` names these, `build` makes it of arguments in any
    algebra, with Python's operators and `call(name, arguments)` for the others.
    """

    needs: tuple[str, ...]
    build: Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Bends:
    """How a function bends and which way it goes on ranges of its argument, one entry for each."""

    convex: Flags
    concave: Flags
    rising: Flags
    falling: Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Function:
    """What functions of any number of arguments have in common.

    `parameters`: the names of its arguments in a signature, the last `...` where more may follow.
    `value`: of float arrays; nan or infinite off the domain, where NumPy may warn. `homogeneous`:
    the degree k of f(m*x) = m^k f(x) for m > 0. `also`: other names it may be called by;
    `mistaken`: names of other languages, which a message leads here. `above_zero`: the position of
    the argument that must stay above 0, where there is a pole. `cone`: in which the points above
    it, where it is convex, or below it, where it is concave, can be said; None where it has none of
    its own, and may have that of its expansion.
    """

    name: str
    value: Callable[..., FloatArray]
    parameters: tuple[str, ...] = ("x",)
    dimensions: DimensionRule = DimensionRule.PLAIN
    levels: LevelRule = LevelRule.JOINED
    smoothness: Smoothness = Smoothness.SMOOTH
    whole: Whole = Whole.UNKNOWN
    homogeneous: float | None = None
    expansion: Expansion | None = None
    above_zero: int | None = None
    cone: Cone | None = None
    also: tuple[str, ...] = ()
    mistaken: tuple[str, ...] = ()

    @property
    def arity(self) -> int | None:
        """How many arguments it takes; None for one or more."""
        return arity(self.parameters)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Univariate(Function):
    """A function of one argument.

    - `derivatives`: f, f', f'' of a float array.
    - `domain`: of the arguments that have a value. `values`: what lies outside is no value.
    - `convex`, `concave`, `rising`, `falling`: where it is so, None for nowhere. With an expansion
      and neither of the first two it bends as its expansion.
    - `turns`: arguments where it is largest or smallest nearby, with the values there.
    - `period`: after which all this repeats, or 0. `poles`: arguments where it has no finite value.
    - `back`: the least and the largest argument of a value, on the half of the domain where it
      rises if it is `even`, f(-x) = f(x); on all of it if it rises; with the two values exchanged
      if it falls. None where nothing is said.
    - `exact`: its value is not rounded. `logarithm`: what it is a multiple of `ln` by, or 0.
    - `vanishes`: it is 0 somewhere, though its argument is off there, so that its own value does
      not say how large it is.
    """

    derivatives: Callable[[FloatArray], Derivatives]
    domain: Interval = LINE
    values: Interval = LINE
    convex: Interval | None = None
    concave: Interval | None = None
    rising: Interval | None = None
    falling: Interval | None = None
    turns: tuple[tuple[float, float], ...] = ()
    period: float = 0.0
    poles: tuple[float, ...] = ()
    back: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None
    even: bool = False
    exact: bool = False
    logarithm: float = 0.0
    vanishes: bool = False

    @property
    def bends_by_expansion(self) -> bool:
        """Whether its bend is that of its expansion."""
        return self.expansion is not None and self.convex is None and self.concave is None

    @property
    def direction(self) -> int:
        """1 if it rises wherever it has a value, -1 if it falls there, else 0."""
        return 1 if self.rising == self.domain else -1 if self.falling == self.domain else 0

    def bends(self, low: FloatArray, high: FloatArray) -> Bends:
        """What holds on all of each range."""
        within = (self.convex, self.concave, self.rising, self.falling)
        return Bends(*(self._within(where, low, high) for where in within))

    def _within(self, where: Interval | None, low: FloatArray, high: FloatArray) -> Flags:
        """Whether ranges lie in a part of the line or, with a period, in one of its repetitions."""
        if where is None:
            return np.zeros(np.shape(low), dtype=bool)
        if not self.period:
            return where.holds(low, high)
        with np.errstate(all="ignore"):
            shift = self.period * np.floor((low - where.low) / self.period)
            slack = np.where(shift == 0.0, 0.0, PERIODS_ROUNDING * np.abs(low))
            inside = (low - shift >= where.low + slack) & (high - shift <= where.high - slack)
        return np.asarray(inside & np.isfinite(low) & np.isfinite(high))

    def image(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The least and the largest value on each range, not rounded outwards; the whole line at a
        pole inside of the domain.
        """
        with np.errstate(all="ignore"):
            ends = self.value(self.domain.clip(low)), self.value(self.domain.clip(high))
            least, most = np.fmin(*ends), np.fmax(*ends)
            for place, value in self.turns:
                inside = self._comes_to(place, low, high)
                least = np.where(inside, np.fmin(least, value), least)
                most = np.where(inside, np.fmax(most, value), most)
            broken = np.isnan(least)
            for place in self.poles:
                if self.domain.low < place < self.domain.high:
                    broken = broken | self._comes_to(place, low, high)
        return (
            np.where(broken, self.values.low, np.maximum(least, self.values.low)),
            np.where(broken, self.values.high, np.minimum(most, self.values.high)),
        )

    def reaches_pole(self, low: FloatArray, high: FloatArray) -> Flags:
        """Whether each range leaves the domain or comes to a pole."""
        result = np.asarray(~self.domain.holds(low, high))
        for place in self.poles:
            result = result | self._comes_to(place, low, high)
        return result

    def _comes_to(self, place: float, low: FloatArray, high: FloatArray) -> Flags:
        """Whether a place, or one that is periods away, is in each range."""
        if not self.period:
            return np.asarray((low <= place) & (high >= place))
        with np.errstate(all="ignore"):
            slack = PERIODS_ROUNDING * np.maximum(np.abs(low), np.abs(high))
            slack = np.where(
                (np.abs(low) <= self.period) & (np.abs(high) <= self.period), 0.0, slack
            )
            next_place = place + self.period * np.ceil((low - slack - place) / self.period)
        far = np.isinf(low) | np.isinf(high) | (high - low >= self.period)
        return np.asarray(far | (next_place <= high + slack))

    def arguments(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The least and the largest argument with a value in each range, of the half where it rises
        if it is even; not rounded outwards.
        """
        size = np.shape(low)
        if self.back is None:
            return np.full(size, self.domain.low), np.full(size, self.domain.high)
        falls = self.direction < 0
        with np.errstate(all="ignore"):
            first, last = (
                self.values.clip(high if falls else low),
                self.values.clip(low if falls else high),
            )
            return self.back[0](first), self.back[1](last)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Several(Function):
    """A function of several arguments.

    `partials`: f, f_u, f_v, f_uu, f_uv, f_vv of two float arrays; None where the expansion or, of
    `min` and `max`, the chosen argument has them. `rising`: in every argument, wherever all are in
    `domain`. `image`: the least and the largest value, from the lower ends and the upper ends of
    its arguments.
    """

    partials: Callable[[FloatArray, FloatArray], Partials] | None = None
    rising: bool = False
    image: Callable[[Sequence[Any], Sequence[Any]], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelled:
    """A short way to write an expression.

    `text`: the expression in the language, with the names in `parameters` for the arguments.
    `family`: it takes one argument for every member of a set, `name(x for i in I)`, and `text` says
    `for i in I` where its generators belong.
    """

    name: str
    parameters: tuple[str, ...]
    text: str
    family: bool = False
    also: tuple[str, ...] = ()
    mistaken: tuple[str, ...] = ()
