"""What many starts came to, in a line."""

from mecdsl.diagnostics import count
from mecdsl.output.text.layout import quantity
from mecdsl.solution import Spread
from mecdsl.units import Unit


def spread_text(spread: Spread, unit: Unit) -> str:
    """`20 starts: 17 local optima with 5 distinct values, best 0 J, worst 4 J; 3 failed: ...`."""
    failed = sum(spread.failed.values())
    return f"{count(spread.starts, 'start')}: {_optima_text(spread, unit)}" + (
        f"; {failed} failed: {_failed_text(spread)}" if failed else "; none failed"
    )


def _optima_text(spread: Spread, unit: Unit) -> str:
    if spread.best is None or spread.worst is None:
        return "no local optimum"
    if spread.distinct == 1:
        found = "1 local optimum" if spread.optima == 1 else f"{spread.optima} local optima"
        return f"{found}, all of value {quantity(spread.best, unit)}"
    return (
        f"{spread.optima} local optima with {spread.distinct} distinct values, "
        f"best {quantity(spread.best, unit)}, worst {quantity(spread.worst, unit)}"
    )


def _failed_text(spread: Spread) -> str:
    return ", ".join(f"{number} {why}" for why, number in spread.failed.items())
