"""Text to syntax tree.

One statement with a syntax error does not hide the next: the faulty statement is blanked out and
the text parsed again, so that all syntax errors come in one run. The grammar is `grammar/mec.lark`.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import ClassVar

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from mecdsl.diagnostics import Collector, ModelError, Source, Span
from mecdsl.parsing import syntax
from mecdsl.parsing.chains import balance_chains
from mecdsl.parsing.errors import describe
from mecdsl.parsing.include import join_included
from mecdsl.parsing.parser_cache import cache_file
from mecdsl.parsing.tree import TreeBuilder

MOST_SYNTAX_ERRORS = 20
# Python's limit of 1000 calls, of which a pass takes three or four for each part of an expression
MOST_NESTING = 150
STATEMENT_WORDS = (
    "model cite include unit dimension param set ordered node nodes links layers let var "
    "minimize maximize players player potential constraint form exact report start"
).split()
VALUES = ("NAME", "MEMBER", "STRING", "QUANTITY", "TYPE_WORD", "_NL")


class LineEnds:
    """Drops line ends where a statement goes on: inside ( and [, after `{`, an operator or a
    comma.
    """

    always_accept: ClassVar[tuple[str, ...]] = ("_NL",)
    CONTINUE: ClassVar[frozenset[str]] = frozenset(
        (
            "+ - * / ^ , = : < > <= >= == != ≤ ≥ ≠ -> .. { and or not in then else if for where "
            "from choosing"
        ).split()
    )

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Filter the token stream."""
        depth = 0
        last = "{"  # nothing to end yet
        before: Token | None = None
        for token in stream:
            _refuse_glued(before, token)
            before = token
            if token.type == "_NL":
                if depth == 0 and last not in self.CONTINUE:
                    last = "{"  # one line end is enough
                    yield token
                continue
            if token.type in ("LPAR", "LSQB"):
                depth += 1
            elif token.type in ("RPAR", "RSQB"):
                depth = max(0, depth - 1)
            last = (
                str(token) if token.type not in ("STRING", "QUANTITY", "NAME") else ""
            )  # `l.from` is a name
            yield token


def _refuse_glued(word: Token | None, token: Token) -> None:
    """Refuse `parameter` read as `param` and a name: where no name may stand, lark takes a keyword
    off the front.
    """
    if word is None or word.end_pos != token.start_pos or word.type in VALUES:
        return
    if word[-1:].isalpha() and (token[:1].isalnum() or token[:1] == "_"):
        raise UnexpectedToken(  # type: ignore[no-untyped-call]
            Token.new_borrow_pos("GLUED", word + token, word), set()
        )


@cache
def _parser() -> Lark:
    grammar = resources.files("mecdsl.grammar").joinpath("mec.lark").read_text(encoding="utf-8")
    options = {
        "parser": "lalr",
        "lexer": "contextual",
        "postlex": LineEnds(),
        "propagate_positions": True,
    }
    return Lark(grammar, **options, cache=cache_file())


def parse(text: str, name: str = "<text>") -> syntax.Document:
    """Parse the text of a model and of the files it includes.

    `name` is the file name shown in messages; the files that the text names lie beside it. Raises
    `ModelError` with every syntax error.
    """
    return join_included(_parse_alone(_source(name, text)), _parse_included)


def _source(name: str, text: str, included: bool = False) -> Source:
    # one way to write `ü`, so that names can be compared
    text = unicodedata.normalize("NFC", text)
    return Source(
        name, text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff"), included
    )


def _parse_included(path: Path) -> syntax.Document:
    return _parse_alone(_source(str(path), _decoded(path), included=True))


def _parse_alone(source: Source) -> syntax.Document:
    """The syntax tree of one source, in which `include` is still a statement."""
    collector = Collector()
    remaining = source.text + "\n"
    for _ in range(MOST_SYNTAX_ERRORS):
        try:
            tree = _parser().parse(remaining)
        except UnexpectedInput as error:
            diagnostic, line = describe(error, source)
            collector.diagnostics.append(diagnostic)
            shorter = _without_statement(remaining, line)
            if shorter == remaining:
                break
            remaining = shorter
            continue
        if collector.diagnostics:
            break
        balance_chains(tree)
        _refuse_deep(tree, source)
        document = TreeBuilder(source).build(tree)
        assert isinstance(document, syntax.Document)
        return document
    raise ModelError(collector.errors)


def _refuse_deep(tree: Tree[Token], source: Source) -> None:
    """Raise `ModelError` for an expression the later passes, which call themselves for each part,
    cannot hold.
    """
    level: list[Tree[Token]] = [tree]
    for _ in range(MOST_NESTING):
        level = [child for node in level for child in node.children if isinstance(child, Tree)]
        if not level:
            return
    collector = Collector()
    for node in level:
        meta = node.meta
        if not meta.empty:
            collector.error(
                "E003",
                f"the expression is nested more than {MOST_NESTING} deep",
                Span(source, meta.line, meta.column, meta.end_line, meta.end_column),
                help="name its parts with `let`; give many cases as data over a set",
            )
            break
    raise ModelError(collector.errors)


def parse_file(path: str | Path) -> syntax.Document:
    """Parse a `.mec` file and those it includes.

    Raises `ModelError` for faults, `OSError` if it cannot be read.
    """
    return parse(_decoded(Path(path)), str(Path(path)))


def _decoded(path: Path) -> str:
    """The text of a file. Raises `ModelError` if it is not UTF-8."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        source = Source(str(path), data.decode("utf-8", errors="replace"))
        line = data[: error.start].count(b"\n") + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8")) + 1
        collector = Collector()
        collector.error(
            "E002",
            "the file is not UTF-8 text",
            Span(source, line, column, line, column + 1),
            help="save the file with encoding UTF-8",
        )
        raise ModelError(collector.errors) from None


def _without_statement(text: str, line: int) -> str:
    """Blank the statement that holds `line`: from its first line to the line before the next
    statement.
    """
    lines = text.split("\n")
    starts = [
        number
        for number, content in enumerate(lines, 1)
        if content[:1].strip() and content.split(None, 1)[0].rstrip(":") in STATEMENT_WORDS
    ]
    first = max((number for number in starts if number <= line), default=1)
    if lines[line - 1][:1].isalpha():
        first = line  # a mistyped statement word: the statement above is not to blame
    last = min((number - 1 for number in starts if number > line), default=len(lines))
    return "\n".join(
        "" if first <= number <= last else content for number, content in enumerate(lines, 1)
    )
