"""Where a fault is, what it is and how to mend it.

A user's mistake is a `Diagnostic`. Passes collect them in a `Collector`, so that one run reports
all faults, and raise them together as `ModelError`. A programmer's mistake stays an ordinary
exception.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name it is shown under. `included`: another file named it after `include`."""

    name: str
    text: str = field(repr=False)
    included: bool = False

    def line(self, number: int) -> str:
        """Line `number` (from 1) without its end."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 1 <= number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source; lines and columns count from 1, `end_column` is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def to(self, other: "Span") -> "Span":
        """From the start of this span to the end of the other."""
        return Span(self.source, self.line, self.column, other.end_line, other.end_column)

    @property
    def place(self) -> str:
        """`file:line:column`."""
        return f"{self.source.name}:{self.line}:{self.column}"

    @property
    def line_text(self) -> str:
        """`line 7`, and of which file if that is an included one."""
        file = self.source.name.replace("\\", "/").rsplit("/", 1)[-1]
        return f"line {self.line} of {file}" if self.source.included else f"line {self.line}"

    @property
    def text(self) -> str:
        """The source text under the span."""
        lines = self.source.text.split("\n")[self.line - 1 : self.end_line]
        if not lines:
            return ""
        lines[-1] = lines[-1][: self.end_column - 1]
        lines[0] = lines[0][self.column - 1 :]
        return " ".join(line.strip() for line in lines)


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that explains the first."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault: code, message, smallest span, other places, a note and a fix."""

    code: str
    message: str
    span: Span | None = None
    labels: tuple[Label, ...] = ()
    note: str | None = None
    help: str | None = None
    severity: Severity = Severity.ERROR


class ModelError(Exception):
    """The faults of a model or its data, all of one run."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(render(diagnostic) for diagnostic in self.diagnostics))

    def __reduce__(self) -> tuple[type["ModelError"], tuple[tuple[Diagnostic, ...]]]:
        """It travels between processes by its diagnostics; its only argument there is its text."""
        return type(self), (self.diagnostics,)


class Collector:
    """Gathers diagnostics of one pass, without saying the same thing twice."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def error(
        self,
        code: str,
        message: str,
        span: Span | None,
        *,
        labels: tuple[Label, ...] = (),
        note: str | None = None,
        help: str | None = None,
    ) -> None:
        """Add an error."""
        self._add(Diagnostic(code, message, span, labels, note, help))

    def warning(
        self, code: str, message: str, span: Span | None, *, help: str | None = None
    ) -> None:
        """Add a warning."""
        self._add(Diagnostic(code, message, span, help=help, severity=Severity.WARNING))

    def _add(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The errors among the diagnostics, in the order of their places."""
        return tuple(d for d in in_order(self.diagnostics) if d.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The warnings among the diagnostics, in the order of their places."""
        return tuple(d for d in in_order(self.diagnostics) if d.severity is Severity.WARNING)

    def raise_errors(self) -> None:
        """Raise `ModelError` with every error, if there is one."""
        if self.errors:
            raise ModelError(self.errors)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics by file, line and column; those without a place come last."""

    def key(diagnostic: Diagnostic) -> tuple[int, str, int, int]:
        span = diagnostic.span
        return (1, "", 0, 0) if span is None else (0, span.source.name, span.line, span.column)

    return sorted(diagnostics, key=key)


def count(number: int, noun: str) -> str:
    """A number with its noun in the plural where it takes one.

    >>> count(1, "index"), count(3, "index"), count(2, "value")
    ('1 index', '3 indices', '2 values')
    """
    plural = "indices" if noun == "index" else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate a mistyped `name` most likely meant, or None.

    >>> nearest("lerner", ["learner", "radio"])
    'learner'
    """
    choices = list(dict.fromkeys(candidates))
    lower = {choice.lower(): choice for choice in reversed(choices)}
    if name.lower() in lower:
        return lower[name.lower()]
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return close[0]
    tails = [choice for choice in choices if choice.rsplit(".", 1)[-1] == name.rsplit(".", 1)[-1]]
    return tails[0] if len(tails) == 1 else None


def likeness(name: str, candidate: str) -> float:
    """How near `nearest` finds a candidate to a name, from 0 to 1."""
    return difflib.SequenceMatcher(None, candidate.lower(), name.lower()).ratio()


def render(diagnostic: Diagnostic) -> str:
    """Plain text: headline, place, source line with caret, other places, note, help."""
    lines = [f"{diagnostic.severity.value}[{diagnostic.code}]: {diagnostic.message}"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span, "^", "")
    for label in diagnostic.labels:
        lines += _excerpt(label.span, "-", label.text)
    if diagnostic.note:
        lines.append(f"  note: {diagnostic.note}")
    if diagnostic.help:
        lines.append(f"  help: {diagnostic.help}")
    return "\n".join(lines)


def _excerpt(span: Span, mark: str, text: str) -> list[str]:
    # control characters of a binary file would play tricks on the terminal
    line = "".join(
        c if c.isprintable() or c == "\t" else "\ufffd" for c in span.source.line(span.line)
    )
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    left, cut_start, cut_line = _window(line, start, end)
    number = str(span.line)
    gutter = " " * len(number)
    blanks = "".join("\t" if c == "\t" else " " for c in cut_line[:cut_start])
    marks = mark * max(1, min(end - start, len(cut_line) - cut_start - (1 if left > 0 else 0) or 1))
    return [
        f"  --> {span.place}",
        f" {number} | {cut_line}",
        f" {gutter} | {blanks}{marks}{' ' + text if text else ''}",
    ]


def _window(line: str, start: int, end: int, width: int = 160) -> tuple[int, int, str]:
    """Cut a very long line (data files) around the span: offset of the cut, start in the cut, the
    cut.
    """
    if len(line) <= width:
        return 0, start, line
    left = max(0, start - width // 3)
    return left, start - left, line[left : max(left + width, min(end, left + 2 * width))]
