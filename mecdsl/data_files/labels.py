"""What a cell or key of a data file says about a member: the label of an integer, or the place of a
name.

A label is an integer, `3` or `-2` (`3.0` is the same number, as programs write that fill columns
with decimals), or the name of a member as it is written in the model. `03`, `+3` and `3e0` are no
labels: they may as well be names. Names are compared in the normal form NFC, so that it does not
matter how a keyboard composes `ü`.
"""

import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from numbers import Integral
from typing import Any

INTEGER = re.compile(r"(0|-?[1-9][0-9]*)(?:\.0+)?")
LARGEST = 2**61
NO_MEMBER = -(2**62)


def name_of(text: str) -> str:
    """A name as it is compared: in the normal form NFC, without blanks around it."""
    return unicodedata.normalize("NFC", text).strip()


def integer_of(cell: Any) -> int | None:
    """The integer that a cell writes, None for anything else."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, str):
        digits = INTEGER.fullmatch(cell.strip())
        number = int(digits[1]) if digits and len(digits[1]) < 20 else None
    elif isinstance(cell, float):
        number = int(cell) if cell.is_integer() else None
    else:
        number = int(cell) if isinstance(cell, Integral) else None
    return number if number is not None and abs(number) < LARGEST else None


def labels_of(cells: Iterable[Any], names: Sequence[str] | None) -> list[int]:
    """The labels that cells mean: integers, or places of `names` from 1; `NO_MEMBER` for anything
    else.
    """
    cells = list(cells)
    meant: dict[tuple[type, Any], int] = {}  # a long table has few labels, each many times
    places = None if names is None else {name: place for place, name in enumerate(names, 1)}
    for key in {(type(cell), cell) for cell in cells if isinstance(cell, Hashable)}:
        number = integer_of(key[1]) if places is None else places.get(name_of(text_of(key[1])))
        meant[key] = NO_MEMBER if number is None else number
    return [meant[type(cell), cell] if isinstance(cell, Hashable) else NO_MEMBER for cell in cells]


def text_of(cell: Any) -> str:
    """A cell as a user wrote it."""
    return cell if isinstance(cell, str) else str(cell)
