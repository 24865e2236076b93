"""Which unit names exist, and what a name that does not exist was probably meant to be.

Parsing and arithmetic stand in `mecdsl.units`. Countable things (bit, cycle, flop, ...) take no
prefix below `k`: nobody has a millibit, and `mbit` written for `Mbit` would be wrong by a factor of
1e9.
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction
from functools import cache
from types import MappingProxyType

BASE_SYMBOLS = (
    *("s", "m", "kg", "A", "K", "mol", "cd"),
    *("bit", "cycle", "flop", "mac", "sample", "task", "row", "money"),
)
"""Coherent symbol of each base dimension, in the order in which a `Dimension` stores its exponents.
"""

LARGE_PREFIXES: Mapping[str, int] = {
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
    "E": 18,
    "Z": 21,
    "Y": 24,
}
SMALL_PREFIXES: Mapping[str, int] = {
    **{"y": -24, "z": -21, "a": -18, "f": -15, "p": -12, "n": -9, "m": -3},
    **{"u": -6, "\N{MICRO SIGN}": -6, "\N{GREEK SMALL LETTER MU}": -6},
}
METRE_PREFIXES: Mapping[str, int] = {"da": 1, "h": 2, "d": -1, "c": -2}
BINARY_PREFIXES: Mapping[str, int] = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50}
"""Exponents of ten, and for the binary prefixes of two."""

LOGARITHMIC: Mapping[str, tuple[Fraction, str]] = {
    "dBm": (Fraction(1, 1000), "mW"),
    "dBW": (Fraction(1), "W"),
    "dB": (Fraction(1), "1"),
    "dBi": (Fraction(1), "1"),
}
"""SI value at 0 dB, and the linear unit that has this value."""


class Prefixes(Enum):
    """Which prefixes may stand before a name."""

    NONE = auto()
    ALL = auto()
    LARGE = auto()
    LARGE_AND_BINARY = auto()
    METRE = auto()


@dataclass(frozen=True, slots=True)
class NamedUnit:
    """One name: its size in coherent SI units, the powers of the base symbols, and its prefixes.

    `shown` are the prefixes used when a value is printed: fewer than are read, so that 30000 s
    stays so.
    """

    factor: Fraction
    powers: tuple[tuple[str, int], ...]
    prefixes: Prefixes = Prefixes.NONE
    shown: str = ""


def _named(factor: int | Fraction, prefixes: Prefixes, shown: str, **powers: int) -> NamedUnit:
    return NamedUnit(Fraction(factor), tuple(powers.items()), prefixes, shown)


_SMALL = "pnum"
_LARGE = "kMGTPE"

UNPREFIXED: Mapping[str, NamedUnit] = {
    "s": _named(1, Prefixes.ALL, _SMALL, s=1),
    "min": _named(60, Prefixes.NONE, "", s=1),
    "h": _named(3600, Prefixes.NONE, "", s=1),
    "day": _named(86400, Prefixes.NONE, "", s=1),
    "m": _named(1, Prefixes.METRE, _SMALL + "k", m=1),
    "g": _named(Fraction(1, 1000), Prefixes.ALL, _SMALL + "k", kg=1),
    "A": _named(1, Prefixes.ALL, _SMALL + _LARGE, A=1),
    "K": _named(1, Prefixes.ALL, "", K=1),
    "mol": _named(1, Prefixes.ALL, "", mol=1),
    "cd": _named(1, Prefixes.ALL, "", cd=1),
    "rad": _named(1, Prefixes.ALL, ""),
    "deg": _named(Fraction(math.pi) / 180, Prefixes.NONE, ""),
    "%": _named(Fraction(1, 100), Prefixes.NONE, ""),
    "Hz": _named(1, Prefixes.ALL, _LARGE, s=-1),
    "N": _named(1, Prefixes.ALL, _SMALL + _LARGE, kg=1, m=1, s=-2),
    "Pa": _named(1, Prefixes.ALL, _SMALL + _LARGE, kg=1, m=-1, s=-2),
    "J": _named(1, Prefixes.ALL, _SMALL + _LARGE, kg=1, m=2, s=-2),
    "W": _named(1, Prefixes.ALL, _SMALL + _LARGE, kg=1, m=2, s=-3),
    "Wh": _named(3600, Prefixes.ALL, _SMALL + _LARGE, kg=1, m=2, s=-2),
    "V": _named(1, Prefixes.ALL, _SMALL + _LARGE, kg=1, m=2, s=-3, A=-1),
    "C": _named(1, Prefixes.ALL, _SMALL + _LARGE, A=1, s=1),
    "ohm": _named(1, Prefixes.ALL, _SMALL + _LARGE, kg=1, m=2, s=-3, A=-2),
    "bit": _named(1, Prefixes.LARGE_AND_BINARY, _LARGE, bit=1),
    "byte": _named(8, Prefixes.LARGE_AND_BINARY, _LARGE, bit=1),
    "B": _named(8, Prefixes.LARGE_AND_BINARY, _LARGE, bit=1),
    "cycle": _named(1, Prefixes.LARGE, _LARGE, cycle=1),
    "flop": _named(1, Prefixes.LARGE, _LARGE, flop=1),
    "mac": _named(1, Prefixes.LARGE, _LARGE, mac=1),
    "sample": _named(1, Prefixes.LARGE, "", sample=1),
    "task": _named(1, Prefixes.LARGE, "", task=1),
    "row": _named(1, Prefixes.LARGE, "", row=1),
    "money": _named(1, Prefixes.LARGE, "", money=1),
}


def _prefix_factors(prefixes: Prefixes) -> dict[str, Fraction]:
    large = {name: Fraction(10) ** power for name, power in LARGE_PREFIXES.items()}
    small = {name: Fraction(10) ** power for name, power in SMALL_PREFIXES.items()}
    match prefixes:
        case Prefixes.NONE:
            return {}
        case Prefixes.ALL:
            return small | large
        case Prefixes.LARGE:
            return large
        case Prefixes.LARGE_AND_BINARY:
            return large | {name: Fraction(2) ** power for name, power in BINARY_PREFIXES.items()}
        case Prefixes.METRE:
            return (
                small
                | large
                | {name: Fraction(10) ** power for name, power in METRE_PREFIXES.items()}
            )


@cache
def linear_units() -> Mapping[str, NamedUnit]:
    """Return every linear name, with and without prefix; built at first use."""
    units = dict(UNPREFIXED)
    for name, unit in UNPREFIXED.items():
        for prefix, factor in _prefix_factors(unit.prefixes).items():
            units[prefix + name] = NamedUnit(factor * unit.factor, unit.powers)
    return MappingProxyType(units)


_WORDS: Mapping[str, str] = {
    **{
        "sec": "s",
        "second": "s",
        "minute": "min",
        "mins": "min",
        "hr": "h",
        "hour": "h",
        "d": "day",
    },
    **{
        "meter": "m",
        "metre": "m",
        "gram": "g",
        "amp": "A",
        "ampere": "A",
        "kelvin": "K",
        "mole": "mol",
    },
    **{
        "hertz": "Hz",
        "newton": "N",
        "pascal": "Pa",
        "joule": "J",
        "watt": "W",
        "volt": "V",
        "coulomb": "C",
    },
    **{"\N{GREEK SMALL LETTER OMEGA}": "ohm", "radian": "rad", "percent": "%"},
    **{
        "$": "money",
        "\N{EURO SIGN}": "money",
        "usd": "money",
        "eur": "money",
        "dollar": "money",
        "euro": "money",
    },
    **{"bit": "bit", "byte": "byte", "cycle": "cycle", "flop": "flop", "mac": "mac"},
    **{"sample": "sample", "task": "task", "row": "row"},
}
"""Words in lower case (the lower case of the ohm sign is omega)."""

_LONG_PREFIXES: Mapping[str, str] = {
    **{"pico": "p", "nano": "n", "micro": "u", "milli": "m", "centi": "c"},
    **{"kilo": "k", "mega": "M", "giga": "G", "tera": "T", "peta": "P", "exa": "E"},
    **{"kibi": "Ki", "mebi": "Mi", "gibi": "Gi", "tebi": "Ti", "pebi": "Pi"},
}
_RATE = re.compile(r"([kmgtpe]?)(bps|flops)", re.IGNORECASE)
_SHORT_BIT = re.compile(r"([KkMmGgTtPp]i?)?b")
_POWER = re.compile(r"([^\W\d]+)(-?[0-9]+)")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def propose(name: str, divided: bool = False) -> str | None:
    """Return the fix for an unknown unit name, as a sentence for the help line, or None.

    `divided` tells that the name stands after `/`, where a rate has to be written upside down.

    >>> propose("GHZ")
    'write `GHz`'
    >>> propose("Mbps", divided=True)
    'write `Mbit*s`, since `Mbps` stands after `/`'
    """
    return (
        _propose_rate(name, divided)
        or _propose_short_bit(name)
        or _propose_power(name)
        or _propose_word(name)
        or _propose_case(name)
        or _propose_plural(name)
        or _propose_similar(name)
    )


def _propose_rate(name: str, divided: bool) -> str | None:
    """`Mbps` and `GFLOPS` are rates; `GFLOPs` is used for both the count and the rate."""
    words = _RATE.fullmatch(name)
    if words is None:
        return None
    prefix, core = _large(words[1]), words[2]
    # "MBps" is bytes by its capital B; all capitals says nothing about bit or byte
    counted = prefix + ("flop" if core.lower() == "flops" else "B" if core == "Bps" else "bit")
    rate = f"{counted}*s" if divided else f"{counted}/s"
    if core == "FLOPs":
        return f"write `{counted}` for a count or `{rate}` for a speed"
    return f"write `{rate}`" + (f", since `{name}` stands after `/`" if divided else "")


def _propose_short_bit(name: str) -> str | None:
    """`Mb`, `mb` and `Kib` are read as bits, with bytes as the other possibility."""
    if _SHORT_BIT.fullmatch(name) is None:
        return None
    prefix = name[:-1]
    prefix = prefix.capitalize() if prefix.endswith("i") else _large(prefix)
    return f"write `{prefix}bit` (or `{prefix}B` for bytes)"


def _propose_power(name: str) -> str | None:
    found = _POWER.fullmatch(name.translate(_SUPERSCRIPTS))
    return f"write `{found[1]}^{found[2]}`" if found and found[1] in linear_units() else None


def _propose_word(name: str) -> str | None:
    """Words, plurals, and either with a short or long prefix: `seconds`, `msec`, `Kbits`,
    `kilobytes`.
    """
    units = linear_units()
    singular = name[:-1] if name.endswith("s") and len(name) > 3 else name
    for word in (name, singular):
        lowered = word.lower()
        splits = [("", lowered)] + [
            (short, lowered.removeprefix(long)) for long, short in _LONG_PREFIXES.items()
        ]
        # exact case first: `Msec` is not `msec`
        splits += [(word[:1], lowered[1:]), (_large(word[:1]), lowered[1:])]
        for prefix, rest in splits:
            symbol = _WORDS.get(rest)
            if (
                symbol is not None
                and prefix + symbol in units
                and (prefix == "" or rest != lowered)
            ):
                return f"write `{prefix}{symbol}`"
    return None


def _propose_case(name: str) -> str | None:
    """Names that differ in case only, closest first; `mhz` was never meant to be millihertz."""
    same = [
        known
        for known in (*linear_units(), *LOGARITHMIC)
        if known.lower() == name.lower() and known != "mHz"
    ]
    same.sort(key=lambda known: -sum(a == b for a, b in zip(known, name, strict=True)))
    return "write " + " or ".join(f"`{known}`" for known in same) if same else None


def _propose_plural(name: str) -> str | None:
    """Plural of a symbol such as `GBs`; not of one letter, `Ws` is rather a product."""
    singular = name.removesuffix("s")
    return (
        f"did you mean `{singular}`?" if len(singular) > 1 and singular in linear_units() else None
    )


def _propose_similar(name: str) -> str | None:
    found = difflib.get_close_matches(name, (*linear_units(), *LOGARITHMIC), n=1, cutoff=0.7)
    return f"did you mean `{found[0]}`?" if found else None


def _large(letter: str) -> str:
    """Return the prefix of a large multiple that the letter stands for in either case, `m` being
    mega.
    """
    return "k" if letter in ("k", "K") else letter.upper()
