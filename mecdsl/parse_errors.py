"""Syntax errors in human words: what stands there, what was expected, the likely fix."""

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from mecdsl.diagnostics import Diagnostic, Label, Source, Span, nearest

WORDS = {
    "NAME": "a name",
    "QUANTITY": "a number",
    "STRING": 'a "text"',
    "TYPE_WORD": "a unit or type",
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
EXPRESSION_START = {"NAME", "QUANTITY", "LPAR", "MINUS", "PLUS", "INF", "STRING"}
OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "CIRCUMFLEX"}
COMPARATORS = {"MORETHAN", "LESSTHAN", "AND", "OR", "IN"}
STATEMENTS = "param let var report set node nodes layers links minimize maximize constraint start form model cite"
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
    """The diagnostic of a lark error, and the line whose statement it spoils."""
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
    span = Span(source, error.line, error.column, error.line, error.column + 1)
    line = source.line(error.line)
    character = line[error.column - 1 : error.column]
    rest = line[error.column - 1 :]
    if rest.startswith('"'):
        return Diagnostic("E001", "a text is not closed", span, help='add the closing `"`'), error.line
    if rest.startswith((":=", "**", "&&", "||")):
        fix = {":=": "=", "**": "^", "&&": "and", "||": "or"}[rest[:2]]
        span = Span(source, error.line, error.column, error.line, error.column + 2)
        return Diagnostic("E001", f"`{rest[:2]}` is not an operator", span, help=f"write `{fix}`"), error.line
    expected = _expected(set(error.allowed or ()))
    shown = character if character.isprintable() else f"U+{ord(character):04X}" if character else "end of line"
    known = CHARACTERS.get(character)
    message = f"`{shown}` cannot stand here"
    if expected and known is None:
        message += f"; expected {expected}"
    return Diagnostic("E001", message, span, help=known or _word_fix(rest, error.allowed)), error.line


def _word_fix(rest: str, allowed: object) -> str | None:
    if rest[:1].isalpha() and isinstance(allowed, set) and "TYPE_WORD" not in allowed:
        return "put an operator between two names, `*` for a product"
    return None


def _token(error: UnexpectedToken, source: Source) -> tuple[Diagnostic, int]:
    token = error.token
    accepts = set(error.accepts or error.expected or ())
    if token.type == "$END":
        span = _end_of(source)
        return _open_bracket(source, span) or (
            Diagnostic("E001", f"the text ends here; expected {_expected(accepts)}", span)
        ), span.line
    line, column = token.line or 1, token.column or 1
    if token.type == "_NL":
        end = len(source.line(line)) + 1
        content = source.line(line).split("#")[0].rstrip()
        column = min(column, end)
        span = Span(source, line, max(1, len(content)), line, max(1, len(content)) + 1)
        message = f"the line ends too early; expected {_expected(accepts)}"
        return _open_bracket(source, span) or Diagnostic(
            "E001", message, span, help=_line_end_fix(accepts)
        ), line
    width = len(str(token).split("\n")[0])
    span = Span(source, line, column, line, column + max(1, width))
    opened = _opened_before(token, accepts, source, span)
    if opened is not None:
        return opened, line
    shown = str(token)
    message = f"`{shown}` cannot stand here; expected {_expected(accepts)}"
    return Diagnostic("E001", message, span, help=_fix(token, accepts, source, span)), line


def _fix(token: Token, accepts: set[str], source: Source, span: Span) -> str | None:
    text = str(token)
    first_word = source.line(span.line).split(None, 1)[:1] == [text]
    if first_word and token.type == "NAME" and "PARAM" in accepts:
        near = nearest(text, STATEMENTS.split())
        return f"did you mean `{near}`?" if near else f"a statement begins with one of {STATEMENTS}"
    if text == "=" and "EQUAL" not in accepts:
        return "an equation is written with `==`"
    if text == "==" and "EQUAL" in accepts:
        return "a value is given with one `=`"
    if text == ">" and source.line(span.line)[span.column - 2 : span.column - 1] == "=":
        return "write `>=`"
    if text == ":" and "EQUAL" in accepts:
        return "an objective is written `minimize name = expression`"
    if token.type in ("NAME", "QUANTITY") and accepts & OPERATORS:
        return "an operator or a comma is missing before this; products need `*`"
    if text in ("{",) and "COLON" in accepts:
        return "links say where they lead: `links name[k in K]: from_node -> to_node { ... }`"
    return None


def _line_end_fix(accepts: set[str]) -> str | None:
    if "THEN" in accepts or "ELSE" in accepts:
        return "write `if condition then value else other`"
    if "COLON" in accepts and "DOT" not in accepts:
        return "a declaration says its unit after a colon: `name : unit = value`"
    if "EQUAL" in accepts and not accepts & EXPRESSION_START:
        return "give a value after `=`"
    return None


def _expected(names: set[str]) -> str:
    words: list[str] = []
    rest = set(names)
    if {"PARAM", "LET", "VAR"} <= rest:
        return "the end of the line" if "_NL" in rest else "a statement (param, var, constraint, ...)"
    if {"NAME", "QUANTITY", "LPAR"} <= rest:
        words.append("an expression")
        rest -= EXPRESSION_START | {"NOT", "IF", "LSQB", "LBRACE"} | OPERATORS
    if rest >= {"PLUS", "STAR"}:
        words.append("an operator")
        rest -= OPERATORS | COMPARATORS | {"DOT", "LSQB", "LPAR"}
        rest = {name for name in rest if not name.startswith("__ANON")}
    for name in sorted(rest, key=lambda n: (n not in WORDS, n)):
        if name.startswith("__ANON"):
            continue
        words.append(WORDS.get(name, f"`{name.lower()}`"))
    words = list(dict.fromkeys(words))
    if not words:
        return "something else"
    if len(words) > 6:
        words = [*words[:6], "..."]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _end_of(source: Source) -> Span:
    lines = source.text.rstrip().split("\n")
    return Span(source, len(lines), len(lines[-1]) + 1, len(lines), len(lines[-1]) + 2)


def _brackets(source: Source, until: Span) -> list[tuple[str, Span]]:
    """Brackets still open before a place, comments and texts left out."""
    stack: list[tuple[str, Span]] = []
    for number, line in enumerate(source.text.split("\n")[: until.line], 1):
        quoted = False
        for column, character in enumerate(line, 1):
            if number == until.line and column >= until.column:
                break
            if character == '"':
                quoted = not quoted
            if quoted:
                continue
            if character == "#":
                break
            if character in "([{":
                stack.append((character, Span(source, number, column, number, column + 1)))
            elif character in ")]}" and stack:
                stack.pop()
    return stack


def _open_bracket(source: Source, span: Span) -> Diagnostic | None:
    stack = _brackets(source, Span(source, span.line, span.column + 1, span.line, span.column + 2))
    if not stack:
        return None
    bracket, place = stack[-1]
    closing = {"(": ")", "[": "]", "{": "}"}[bracket]
    return Diagnostic(
        "E001",
        f"`{bracket}` is never closed",
        place,
        (Label(span, "the statement ends here"),),
        help=f"add the closing `{closing}`",
    )


def _opened_before(token: Token, accepts: set[str], source: Source, span: Span) -> Diagnostic | None:
    """A statement word inside brackets means that a bracket above was left open."""
    first_word = source.line(span.line).split(None, 1)[:1] == [str(token)]
    inside = [entry for entry in _brackets(source, span) if entry[0] != "{"]
    if not first_word or not inside or str(token) not in STATEMENTS.split():
        return None
    bracket, place = inside[-1]
    return Diagnostic(
        "E001",
        f"`{bracket}` is never closed",
        place,
        (Label(span, "a new statement begins here"),),
        help=f"add the closing `{ {'(': ')', '[': ']'}[bracket] }`",
    )
