"""The least text that still fails: statements, then lines, then tokens are taken out while the
failure stays.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from tests.fuzz.tokens import statements, tokens

MOST_SECONDS: Final = 8.0


def shrunk(text: str, fails: Callable[[str], bool], seconds: float = MOST_SECONDS) -> str:
    """A text in which nothing more can be taken out, or the least one found in the time.

    >>> shrunk("one two\\nthree bad four", lambda text: "bad" in text)
    'bad'
    """
    end = time.monotonic() + seconds
    for cut, glue in ((statements, "\n"), (str.splitlines, "\n"), (tokens, "")):
        parts = _least(cut(text), lambda kept, glue=glue: fails(glue.join(kept)), end)  # type: ignore[misc]
        text = glue.join(parts)
    return text


def _least(parts: Sequence[str], fails: Callable[[Sequence[str]], bool], end: float) -> list[str]:
    """Runs of parts are left out, half of all first, then ever shorter ones."""
    kept, length = list(parts), max(1, len(parts) // 2)
    while length:
        start, changed = 0, False
        while start < len(kept) and time.monotonic() < end:
            shorter = kept[:start] + kept[start + length :]
            if fails(shorter):
                kept, changed = shorter, True
            else:
                start += length
        if time.monotonic() >= end:
            break
        if not (changed and length == 1):
            length = length // 2
    return kept
