"""How studies of claims print: medians with their range over the seeds, and aligned columns."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

Studies = TypeVar("Studies")


def spread(values: Sequence[float] | np.ndarray, style: str = ".3g") -> str:
    """Median and range of what is known, and how many are not."""
    known = np.array([value for value in values if np.isfinite(value)])
    missing = len(values) - len(known)
    lost = f", {missing} none" if missing else ""
    if not len(known):
        return f"-{lost}"
    return f"{np.median(known):{style}} ({known.min():{style}}..{known.max():{style}}{lost})"


def percent(values: Sequence[float] | np.ndarray) -> str:
    """`spread` of shares as percentages."""
    return spread(100.0 * np.asarray(values), ".1f") + " %"


def table(lines: Sequence[Sequence[str]]) -> str:
    """Columns aligned by blanks."""
    widths = [max(len(line[position]) for line in lines) for position in range(len(lines[0]))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def print_figures(
    figures: Mapping[str, Callable[[Studies], list[list[str]]]],
    names: Sequence[str],
    studies: Studies,
) -> None:
    """The table of each figure under the first line of its docstring, as soon as it is known."""
    for name in names:
        title = (figures[name].__doc__ or "").splitlines()[0]
        print(
            f"{'Figure ' if name.isdigit() else ''}{name}: {title}\n{table(figures[name](studies))}\n",
            flush=True,
        )
