"""What every diagnostic code means, with a faulty example and its correction:
`mecdsl explain E201`.

The catalogue is `codes.toml` beside this file. A test compiles its examples and compares it with
the sources.
"""

import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. `faulty` and `corrected` are models; `*_data` JSON texts that go with them; all may
    be empty.

    `form` is the form in which the fault shows.
    """

    code: str
    title: str
    text: str
    faulty: str = ""
    corrected: str = ""
    faulty_data: str = ""
    corrected_data: str = ""
    form: str = ""


@cache
def catalogue() -> Mapping[str, Entry]:
    """All entries by code."""
    text = resources.files("mecdsl").joinpath("codes.toml").read_text(encoding="utf-8")
    return {code: Entry(code, **fields) for code, fields in tomllib.loads(text).items()}


def explain(code: str) -> str | None:
    """The explanation of a code for the terminal, or None for an unknown one.

    >>> print(explain("e112"))
    E112: a constraint is no `<=`, `>=` or `==`
    ...
    """
    entry = catalogue().get(code.strip().upper())
    if entry is None:
        return None
    parts = [f"{entry.code}: {entry.title}", textwrap.fill(" ".join(entry.text.split()), 80)]
    examples = (
        ("faulty", entry.faulty),
        ("with data", entry.faulty_data),
        ("corrected", entry.corrected if entry.corrected != entry.faulty else ""),
        ("corrected data", entry.corrected_data),
    )
    for title, example in examples:
        if example:
            parts.append(f"{title}:\n" + textwrap.indent(example.strip("\n"), "    "))
    return "\n\n".join(parts)
