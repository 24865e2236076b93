"""Plain data as JSON: its numbers, and its text."""

import json
import math


def plain(value: float | None) -> float | None:
    """A float for JSON; None for what is unknown or not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def whole(value: float) -> float | int | None:
    """A whole number as an integer, whatever its size; None for what is not finite."""
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def json_text(data: object, indent: int | None = 2) -> str:
    """The text of plain data. Raises ValueError for a number that is not finite."""
    return json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)
