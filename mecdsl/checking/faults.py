"""How a fault in an expression is reported: to the collector, and to the caller as an exception."""

from dataclasses import dataclass, field

from mecdsl.checking.scope import Unresolved
from mecdsl.diagnostics import Collector, Label, Span


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
