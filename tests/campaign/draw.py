"""Random numbers with few digits, so that the text, the double and the fraction mean the same; and
units.
"""

from decimal import Context, Decimal
from fractions import Fraction
from random import Random
from typing import Final, TypeVar

Item = TypeVar("Item")

UNITS: Final[tuple[tuple[str, Fraction], ...]] = tuple(
    (name, Fraction(factor))
    for name, factor in (
        ("1", "1"),
        ("pW", "1e-12"),
        ("uW", "1e-6"),
        ("GW", "1e9"),
        ("ms", "1e-3"),
        ("us", "1e-6"),
        ("s", "1"),
        ("bit", "1"),
        ("Mbit", "1e6"),
        ("Tbit", "1e12"),
        ("Gcycle", "1e9"),
        ("nJ", "1e-9"),
        ("km", "1e3"),
    )
)
EXACT: Final = Context(prec=60)


class Draw:
    """The random choices of one case: the same for the same seed, kind and number."""

    def __init__(self, seed: int, kind: str, number: int) -> None:
        self.random = Random(f"{seed} {kind} {number}")

    def pick(self, *items: Item) -> Item:
        return self.random.choice(items)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def whole(self, low: int, high: int) -> int:
        """An integer, both ends included."""
        return self.random.randint(low, high)

    def number(self, low: float, high: float, digits: int = 2) -> Fraction:
        """A decimal number with some digits behind the point."""
        step = 10**digits
        return Fraction(self.random.randint(round(low * step), round(high * step)), step)

    def power(self, low: int, high: int) -> Fraction:
        """A power of ten."""
        return Fraction(10) ** self.whole(low, high)

    def unit(self) -> tuple[str, Fraction]:
        return self.pick(*UNITS)


def literal(value: Fraction) -> str:
    """A fraction that is a decimal number, as the language reads it."""
    found = EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))
    text = format(found.normalize(EXACT), "f")
    return text if len(text) <= 22 else f"{found.normalize(EXACT):e}"


def quantity(value: Fraction, unit: str) -> str:
    return literal(value) if unit == "1" else f"{literal(value)} {unit}"
