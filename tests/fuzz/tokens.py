"""Mutations of models: tokens deleted, doubled, swapped, replaced, statements of two models
joined.
"""

import random
import re
from collections.abc import Sequence
from typing import Final

TOKEN: Final = re.compile(
    r"#[^\n]*|\n|[ \t]+|\"[^\"\n]*\"?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-zµ_][A-Za-z0-9µ_]*"
    r"|\.\.|->|<=|>=|==|!=|."
)
NUMBERS: Final = (
    "0 1 -1 2 3 0.5 -0.0 inf -inf 1e308 1e-308 1.7976931348623157e308 5e-324 nan 1e15 1e-15 1e9 "
    "9007199254740993 99999999999999999999999 0.1 1e400 007 4294967296"
).split()
WORDS: Final = (
    "param let var report set ordered node nodes layers links minimize maximize constraint "
    "when start form relax "
    "fix drop add replace linearize all from for in where if then else and or not sum prod "
    "min max count any ln exp "
    "sqrt abs floor ceil round db perspective quad_over_lin rate distance first last prev "
    "next cuts crossing before "
    "after uniform normal choice integer binary real position disc inf s bit W dBm + - * / ^ "
    "<= >= == != < > = : , ( ) "
    '[ ] { } .. . -> " ≤ é ∞ \u00a0 \u2028 \x00 🙂 µ %'
).split(" ")
MOST: Final = 4  # changes of one text


def tokens(text: str) -> list[str]:
    """The text cut into words, numbers, signs and blanks; joined it is the text again.

    >>> tokens("x<=2.5 s")
    ['x', '<=', '2.5', ' ', 's']
    """
    return TOKEN.findall(text)


def statements(text: str) -> list[str]:
    """The text cut before every line that starts a statement; joined with line ends it is the text
    again.
    """
    found: list[str] = []
    for line in text.split("\n"):
        if found and (not line[:1].strip() or line[:1] in "})]#"):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def mutated(text: str, corpus: Sequence[str], generator: random.Random) -> str:
    """The text with a few changes; now and then with statements of another text of the corpus."""
    if generator.random() < 0.15:
        text = spliced(text, generator.choice(corpus), generator)
    parts = tokens(text)
    for _ in range(generator.randint(1, MOST)):
        if parts:
            _change(parts, generator)
    return "".join(parts)


def spliced(one: str, two: str, generator: random.Random) -> str:
    """Some statements of one text with some of another."""
    left, right = statements(one), statements(two)
    kept = [s for s in left if generator.random() < 0.85]
    kept[generator.randint(0, len(kept)) :] += [s for s in right if generator.random() < 0.3]
    return "\n".join(kept)


def _change(parts: list[str], generator: random.Random) -> None:
    """One change in place; blanks are left alone mostly, for they say little."""
    solid = [place for place, part in enumerate(parts) if part.strip()] or [0]
    place, other = generator.choice(solid), generator.choice(solid)
    numbers = [at for at in solid if parts[at][0].isdigit()]
    kind = generator.randrange(9)
    if kind <= 2 and numbers:
        parts[generator.choice(numbers)] = generator.choice(NUMBERS)
    elif kind == 3:
        del parts[place]
    elif kind == 4:
        parts.insert(other, parts[place])
    elif kind == 5:
        parts[place], parts[other] = parts[other], parts[place]
    elif kind == 6:
        parts[place] = generator.choice(WORDS)
    elif kind == 7:
        start, end = sorted((place, min(len(parts), place + generator.randint(1, 12))))
        parts[other:other] = parts[start:end]
    else:
        parts[place] = parts[other]
