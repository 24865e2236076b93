"""Numbers that Pyomo cannot hold: infinite ones, and those that its arithmetic ends at with an
exception.

NumPy divides by zero and goes on; Pyomo's expressions are put together by Python, which raises.
Both are the same fault of the data, and are said in the same words.
"""

import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from mecdsl.diagnostics import Diagnostic, ModelError, Span

HARMLESS: Final = "Constant objective detected"  # Pyomo's warnings that say nothing of the numbers


def not_finite(name: str, place: Span | None) -> ModelError:
    """E311 for an objective or a constraint with a number that is none."""
    message = f"`{name}` has a coefficient that is not finite with these data"
    note = "a division by zero, or the logarithm of 0"
    fix = "`mecdsl show` prints the values of the definitions"
    return ModelError([Diagnostic("E311", message, place, note=note, help=fix)])


@contextmanager
def finite_arithmetic(name: str, place: Span) -> Iterator[None]:
    """What Python's arithmetic refuses while expressions are built, as E311."""
    try:
        yield
    except ArithmeticError:
        raise not_finite(name, place) from None


def require_finite(bodies: Iterable[Any], name: str, place: Span) -> None:
    """Raises `ModelError` E311 where an expression holds an infinite number, or none."""
    stack = [body for body in bodies if body is not None]
    while stack:
        part = stack.pop()
        if isinstance(part, float):
            if not math.isfinite(part):
                raise not_finite(name, place)
        elif not isinstance(part, int) and part.is_expression_type():
            stack.extend(part.args)


@contextmanager
def writing(kind: str) -> Iterator[None]:
    """What Pyomo's writers cannot write, with its own reason, as E502: they raise it, or print it
    and go on.
    """
    from pyomo.common.errors import InfeasibleConstraintException, InvalidValueError

    complaints = _Complaints()
    logger = logging.getLogger("pyomo")
    handlers, propagate = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [complaints], False
    try:
        yield
    except (ArithmeticError, ValueError, InfeasibleConstraintException, InvalidValueError) as error:
        raise _unwritable(kind, str(error)) from None
    finally:
        logger.handlers, logger.propagate = handlers, propagate
    if complaints.said:
        raise _unwritable(kind, complaints.said[0])


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is said of numbers."""
        message = record.getMessage()
        if not message.startswith(HARMLESS):
            self.said.append(message)


def _unwritable(kind: str, reason: str) -> ModelError:
    first = " ".join((reason.strip() or "a number leaves its range").split("\n")[0].split()).rstrip(
        ".:"
    )
    fix = (
        "look for a division by zero or a row that no point keeps; `mecdsl show` prints the values"
    )
    return ModelError(
        [Diagnostic("E502", f"a file of kind `{kind}` cannot be written", note=first, help=fix)]
    )
