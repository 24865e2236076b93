"""Brackets of a text with a syntax error: which one was left open, which one closes the wrong
kind.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mecdsl.diagnostics import Diagnostic, Label, Source, Span

CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
TERMINALS = {")": "RPAR", "]": "RSQB", "}": "RBRACE"}


@dataclass(frozen=True, slots=True)
class Bracket:
    """An opening bracket and its place."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Closing:
    """A closing bracket and its name in the grammar."""

    text: str
    terminal: str


def closing(bracket: Bracket) -> Closing:
    """What closes a bracket."""
    text = CLOSED_BY[bracket.text]
    return Closing(text, TERMINALS[text])


def open_before(source: Source, until: Span | None) -> list[Bracket]:
    """The brackets that are open where a span begins, outermost first; without a span at the end of
    the text.
    """
    stack: list[Bracket] = []
    for number, line in enumerate(source.text.split("\n"), 1):
        quoted = False
        for column, character in enumerate(line, 1):
            if until is not None and (number, column) >= (until.line, until.column):
                return stack
            if character == '"':
                quoted = not quoted
            elif quoted:
                continue
            elif character == "#":
                break
            elif character in CLOSED_BY:
                stack.append(Bracket(character, Span(source, number, column, number, column + 1)))
            elif character in TERMINALS and stack:
                stack.pop()
    return stack


def mismatched(source: Source, span: Span, text: str) -> Diagnostic | None:
    """The fault of a closing bracket that closes nothing, or a bracket of another kind."""
    if text not in TERMINALS:
        return None
    stack = open_before(source, span)
    if not stack:
        return Diagnostic("E001", f"`{text}` closes nothing", span, help=f"delete the `{text}`")
    right = closing(stack[-1]).text
    if right == text:
        return None
    labels = (Label(stack[-1].span, "opened here"),)
    return Diagnostic(
        "E001", f"`{text}` cannot close `{stack[-1].text}`", span, labels, help=f"write `{right}`"
    )


def left_open(source: Source, span: Span, statements: Iterable[str]) -> Bracket | None:
    """The bracket that was not closed before the line of the span, if that line begins a statement.

    A block may hold `var` and `set` lines at the first column, so `{` counts only if nothing closes
    it later on.
    """
    line = source.line(span.line)
    word = re.match(r"\s*([a-z]+)\b", line)
    if word is None or word[1] not in statements:
        return None
    stack = open_before(source, Span(source, span.line, 1, span.line, 1))
    if not stack:
        return None
    bracket = stack[-1]
    if bracket.text == "{" and (line[:1].isspace() or bracket not in open_before(source, None)):
        return None
    return bracket
