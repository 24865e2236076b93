"""How a fault in an expression is reported: to the collector, and to the caller as an exception."""

from dataclasses import dataclass, field

from mecdsl.checking.scope import Unresolved
from mecdsl.diagnostics import Collector, Label, Span, count
from mecdsl.functions.signature import arity, signature
from mecdsl.parsing import syntax


@dataclass(frozen=True, slots=True)
class Faults:
    """Reports to a collector. `said`: what is reported once per line, by code, name and line."""

    collector: Collector
    said: set[tuple[str, str, str, int]] = field(default_factory=set)

    def fail(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        labels: tuple[Label, ...] = (),
        help: str | None = None,
    ) -> Unresolved:
        """Report a fault; the exception to raise for it."""
        self.collector.error(code, message, span, labels=labels, help=help)
        return Unresolved()

    def fail_once(
        self,
        code: str,
        message: str,
        span: Span,
        name: str,
        *,
        labels: tuple[Label, ...] = (),
        help: str | None = None,
    ) -> Unresolved:
        """Fail, but report the same fault of a name only once per line."""
        place = (code, name, span.source.name, span.line)
        if place in self.said:
            return Unresolved()
        self.said.add(place)
        return self.fail(code, message, span, labels=labels, help=help)


def wrong_number(
    call: syntax.Call, parameters: tuple[str, ...], noun: str = "argument"
) -> tuple[str, str] | None:
    """The message and the help for a call with too few or too many arguments, else None."""
    given, takes = len(call.arguments), arity(parameters)
    if given == takes or (takes is None and given):
        return None
    least = f"at least {count(1, noun)}" if takes is None else count(takes, noun)
    message = f"`{call.function}` takes {least}, found {given}"
    return message, f"write `{signature(call.function, parameters)}`"
