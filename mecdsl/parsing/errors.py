"""Syntax errors in human words: what stands there, what was expected, the likely fix."""

import re

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from mecdsl.diagnostics import Diagnostic, Label, Source, Span, nearest
from mecdsl.parsing.brackets import closing, left_open, mismatched, open_before

WORDS = {
    "NAME": "a name",
    "MEMBER": "a name",
    "QUANTITY": "a number",
    "STRING": 'a "text"',
    "TYPE_WORD": "a unit",
    "_NL": "the end of the line",
    "$END": "the end of the file",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "COLON": "`:`",
    "EQUAL": "`=`",
    "COMMA": "`,`",
    "DOT": "`.`",
}
EXPRESSION_START = {"NAME", "MEMBER", "QUANTITY", "LPAR", "MINUS", "PLUS", "INF", "STRING"}
OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "CIRCUMFLEX"}
COMPARATORS = {"MORETHAN", "LESSTHAN", "AND", "OR", "IN"}
STATEMENTS = (
    "param let var report set ordered node nodes layers links minimize maximize "
    "players player potential constraint "
    "start form exact model cite "
    "include unit dimension"
).split()
SYNONYMS = {
    **dict.fromkeys(("subject", "st", "such", "with"), "constraint"),
    **dict.fromkeys(("parameter", "parameters", "const", "data"), "param"),
    **dict.fromkeys(("variable", "variables", "decision"), "var"),
    **dict.fromkeys(("min", "minimise", "objective"), "minimize"),
    **dict.fromkeys(("max", "maximise"), "maximize"),
    **dict.fromkeys(("def", "define"), "let"),
    **dict.fromkeys(("sets", "index"), "set"),
    **dict.fromkeys(("import", "load", "using"), "include"),
}
DECLARING = ("param", "let", "var", "report")
LETTERS = (
    "names are made of the letters a to z, A to Z, digits and `_`; only members of "
    "sets may have others"
)
STAGES = (
    "the word is kept for games in two stages, which cannot be stated yet; `player` and `players` "
    "decide at the same time"
)
PAIRS = {
    "**": "write `^`",
    "=<": "write `<=`",
    "=>": "write `>=`",
    "<>": "write `!=`",
    "&&": "write `and`",
    "||": "write `or`",
    ":=": "write `=`",
    "//": "a comment begins with `#`",
    "/*": "a comment begins with `#`",
    "==": "a value is given with one `=`",
}
CHARACTERS = {
    ";": "statements end at the line break; delete the `;`",
    "“": 'use straight quotes `"`',
    "”": 'use straight quotes `"`',
    "'": 'texts stand in double quotes `"`',
    "×": "write `*`",
    "·": "write `*`",
    "−": "write an ASCII minus `-`",
    "–": "write an ASCII minus `-`",
    "²": "write `^2`",
    "³": "write `^3`",
    "Σ": "write `sum(... for i in I)`",
    "∑": "write `sum(... for i in I)`",
    "$": "names need no `$`",
    "&": "write `and`",
    "|": "write `or`, or `abs(x)`",
    "!": "write `not`",
    "@": "decorators do not exist; declare the unit after a colon, `param x : s = 3 s`",
    "\\": "a line goes on inside brackets and after an operator or comma; delete the backslash",
    "\x00": "the file holds a zero byte; is it a text file?",
}


def describe(error: UnexpectedInput, source: Source) -> tuple[Diagnostic, int]:
    """The diagnostic of a lark error, and a line of the statement to blank."""
    match error:
        case UnexpectedCharacters():
            return _character(error, source)
        case UnexpectedToken():
            return _token(error, source)
        case UnexpectedEOF():
            span = _end_of(source)
            return Diagnostic("E001", "the file ends inside a statement", span), span.line
        case _:
            raise TypeError(f"unknown parser error {type(error).__name__}")


def _character(error: UnexpectedCharacters, source: Source) -> tuple[Diagnostic, int]:
    line, number = source.line(error.line), error.line
    start, end = error.column - 1, error.column
    rest = line[start:]
    if rest.startswith('"'):
        span = Span(source, number, start + 1, number, len(line) + 1)
        return Diagnostic("E001", "a text is not closed", span, help='add the closing `"`'), number
    pair = _pair(line, start, number, source)
    if pair is not None:
        return pair, number
    if rest[:1].isalpha() and rest[:1].isascii():
        while start and (line[start - 1].isalnum() or line[start - 1] == "_"):
            start -= 1
        word = re.match(r"\w+", line[start:])
        end = start + len(word[0]) if word else end
    span = Span(source, number, start + 1, number, end + 1 if end > start + 1 else start + 2)
    character = line[start:end]
    shown = (
        character
        if character.isprintable()
        else f"U+{ord(character):04X}"
        if character
        else "end of line"
    )
    advice = CHARACTERS.get(character)
    if advice is None and character.isalpha() and not character.isascii():
        advice = LETTERS
    allowed = set(error.allowed or ())
    message = f"`{shown}` cannot stand here"
    if allowed and advice is None:
        message += f"; expected {_expected(allowed)}"
    token = Token("NAME" if rest[:1].isalpha() else "CHARACTER", character)
    return Diagnostic(
        "E001", message, span, help=advice or _fix(token, allowed, source, span)
    ), number


def _pair(line: str, at: int, number: int, source: Source) -> Diagnostic | None:
    """An operator of another language that begins at offset `at` of the line or one character
    before.
    """
    for start in (at - 1, at):
        pair = line[start : start + 2] if start >= 0 else ""
        if pair in PAIRS and line[start - 1 : start] not in ("<", ">", "!", "="):
            span = Span(source, number, start + 1, number, start + 3)
            return Diagnostic("E001", f"`{pair}` cannot stand here", span, help=PAIRS[pair])
    return None


def _token(error: UnexpectedToken, source: Source) -> tuple[Diagnostic, int]:
    token = error.token
    accepts = set(error.accepts or error.expected or ())
    if token.type == "$END":
        span = _end_of(source)
        message = f"the text ends here; expected {_expected(accepts)}"
        return _never_closed(source, span, "the file ends here") or (
            Diagnostic("E001", message, span),
            span.line,
        )
    line, column = token.line or 1, token.column or 1
    if token.type == "_NL":
        # the token begins where the blanks and the comment before the line end begin
        content = source.line(line)[: column - 1].rstrip()
        span = Span(source, line, max(1, len(content)), line, max(1, len(content)) + 1)
        message = f"the line ends too early; expected {_expected(accepts)}"
        return Diagnostic("E001", message, span, help=_line_end_fix(accepts, content)), line
    width = len(str(token).split("\n")[0])
    span = Span(source, line, column, line, column + max(1, width))
    if token.type == "GLUED":
        return _glued(str(token), source, span), line
    if token.type == "MEMBER":
        return Diagnostic("E001", f"`{token}` cannot stand here", span, help=LETTERS), line
    closed = mismatched(source, span, str(token))
    if closed is not None:
        return closed, line
    begun = _never_closed(source, span, "a new statement begins here", STATEMENTS)
    if begun is not None:
        return begun
    pair = _pair(source.line(line), column - 1, line, source)
    if pair is not None and not (
        pair.span is not None and pair.span.text == "==" and "EQUAL" not in accepts | {str(token)}
    ):
        return pair, line
    message = f"`{token}` cannot stand here; expected {_expected(accepts)}"
    fix = _fix(token, accepts, source, span)
    labels: tuple[Label, ...] = ()
    inner = open_before(source, span)
    if fix is None and inner and closing(inner[-1]).terminal in accepts:
        fix = f"add the closing `{closing(inner[-1]).text}` before `{token}`"
        labels = (Label(inner[-1].span, "opened here"),)
    return Diagnostic("E001", message, span, labels, help=fix), line


def _never_closed(
    source: Source, span: Span, label: str, statements: list[str] | None = None
) -> tuple[Diagnostic, int] | None:
    """The fault of a bracket left open; with `statements` only if one of those words begins the
    line.
    """
    if statements is None:
        stack = open_before(source, None)
        bracket = stack[-1] if stack else None
    else:
        bracket = left_open(source, span, statements)
        line = source.line(span.line)
        first = len(line) - len(line.lstrip()) + 1
        span = Span(source, span.line, first, span.line, first + len(line.split()[0]))
    if bracket is None:
        return None
    fix = f"add the closing `{closing(bracket).text}`"
    labels = (Label(span, label),)
    return Diagnostic(
        "E001", f"`{bracket.text}` is never closed", bracket.span, labels, help=fix
    ), bracket.span.line


def _glued(text: str, source: Source, span: Span) -> Diagnostic:
    """A word that begins with a keyword where only keywords may stand."""
    message = f"`{text}` is no word of the language"
    if source.line(span.line)[: span.column - 1].strip() == "":
        return Diagnostic("E001", message, span, help=_statement_fix(text))
    return Diagnostic(
        "E001", message, span, help="an operator is missing before it, or a blank in it"
    )


def _fix(token: Token, accepts: set[str], source: Source, span: Span) -> str | None:
    line, text = source.line(span.line), str(token)
    words = re.findall(r"\w+", line[: span.end_column - 1])
    first = words[0] if words else ""
    begins = line[: span.column - 1].strip() == ""
    if begins and "PARAM" in accepts:
        return _statement_fix(text)
    if accepts <= {"CHOOSING", "_NL"}:
        return "say what a player decides: `players n in N: minimize cost[n] choosing x[n]`"
    naming = _naming_fix(first, accepts, line)
    if naming is not None:
        return naming
    before = line[: span.column - 1].rstrip()
    if text in ("=", "(") and re.search(r"\bposition\s*(:\s*\w+)?$", before):
        return "a place is written `position in disc(500 m)`"
    if text == "," and before[-1:].isdigit() and line[span.end_column - 1 :][:1].isdigit():
        return "a decimal mark is a point: `1.5`"
    if text == "=":
        return (
            "delete one `=`"
            if before.endswith("=")
            else None
            if "EQUAL" in accepts
            else "write `==`"
        )
    if "THEN" in accepts and (text == "else" or text[:1].isdigit()):
        return "write `if condition then value else other`"
    if text == "for" and first == "constraint":
        return "the index stands before the colon: `constraint name[k in K]: ...`"
    if text == "." and before[-1:].isalnum() and accepts & OPERATORS:
        return (
            "this is read as part of a unit: put blanks round the operator after the "
            "unit, `1 s / k.rate`"
        )
    if accepts == {"STRING"}:
        return f'write it in double quotes: `{first} "..."`'
    after_value = bool(accepts & (OPERATORS | COMPARATORS))
    if text == "(" and after_value:
        return "an index stands in square brackets `[...]`, a product needs `*`"
    if text == "[" and "TYPE_WORD" in accepts:
        return "a unit stands without brackets: `name : s`"
    is_word = text[:1].isalpha() or text[:1] == "_"
    if "COLON" in accepts and first in DECLARING and is_word:
        return "a declaration says its unit after a colon: `name : unit = value`"
    if text == "{" and "COLON" in accepts:
        return "links say where they lead: `links name[k in K]: from_node -> to_node { ... }`"
    if (is_word or text[:1].isdigit()) and after_value:
        return "an operator or a comma is missing before this; products need `*`"
    return None


def _statement_fix(text: str) -> str | None:
    if text in ("leader", "follower"):
        return STAGES
    if text[:1].isalpha():
        near = SYNONYMS.get(text.lower()) or nearest(text, STATEMENTS)
        return (
            f"did you mean `{near}`?"
            if near
            else f"a statement begins with one of {', '.join(STATEMENTS)}"
        )
    if text in ("+", "-", "*", "/", "^", "<=", ">=", "=="):
        return f"a line goes on after an operator: move the `{text}` to the end of the line above"
    return None


def _naming_fix(first: str, accepts: set[str], line: str) -> str | None:
    """Objectives and constraints have names; `accepts` is what may follow the word taken for the
    name.
    """
    if first in ("minimize", "maximize") and "EQUAL" in accepts and "=" not in line:
        if ":" in line:
            return (
                f"an objective is written `{first} name = expression`, with its unit "
                f"`{first} name : s = expression`"
            )
        return f"an objective has a name: `{first} name = expression`"
    if first == "constraint" and accepts == {"COLON", "LSQB", "WHEN"}:
        return "a constraint has a name: `constraint name: left <= right`"
    return None


def _line_end_fix(accepts: set[str], line: str) -> str | None:
    words = line.split()
    naming = _naming_fix(words[0] if words else "", accepts, line)
    if naming is not None:
        return naming
    if "THEN" in accepts or "ELSE" in accepts:
        return "write `if condition then value else other`"
    if "COLON" in accepts and "DOT" not in accepts:
        return "a declaration says its unit after a colon: `name : unit = value`"
    if "EQUAL" in accepts and not accepts & EXPRESSION_START:
        return "give a value after `=`"
    return None


def _expected(names: set[str]) -> str:
    rest = {name for name in names if not name.startswith("__ANON")}
    if {"PARAM", "LET", "VAR"} <= rest:
        return (
            "the end of the line" if "_NL" in rest else "a statement (param, var, constraint, ...)"
        )
    words: list[str] = []
    if "_NL" in rest:
        rest -= {"$END", "STRING"}  # both may follow nearly everything and say nothing
    if {"NAME", "QUANTITY", "LPAR"} <= rest:
        words.append("an expression")
        rest -= EXPRESSION_START | {"NOT", "IF", "LSQB", "LBRACE"} | OPERATORS
    if rest & (OPERATORS | {"AND", "OR"}):
        words.append("an operator")
        rest -= OPERATORS | COMPARATORS | {"DOT", "LSQB", "LPAR"}
    elif rest & {"LESSTHAN", "MORETHAN"}:
        words.append("a bound" if rest & {"TYPE_WORD", "EQUAL"} else "a comparison")
        rest -= COMPARATORS
    words += [
        WORDS.get(name, f"`{name.lower()}`")
        for name in sorted(rest, key=lambda n: (n not in WORDS, n))
    ]
    words = list(dict.fromkeys(words))
    if not words:
        return "something else"
    if len(words) > 6:
        words = [*words[:6], "..."]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _end_of(source: Source) -> Span:
    lines = source.text.rstrip().split("\n")
    return Span(source, len(lines), len(lines[-1]) + 1, len(lines), len(lines[-1]) + 2)
