"""`include "shared.mec"`: the statements of another file stand in the place of that line.

The files are joined before names are looked up, so that all later passes see one text, in which
every statement keeps the file it came from. What a model says once, its `model` line and its
objective, is the including file's where it says so: a variant of a problem is the problem's file
and another objective. Names have no such order, since a second meaning of one name would change
what the included file says.
"""

from collections.abc import Callable
from pathlib import Path

from mecdsl.data_files.read import beside
from mecdsl.diagnostics import Collector, Diagnostic, ModelError, Span
from mecdsl.parsing import syntax

Read = Callable[[Path], syntax.Document]
ENDING = ".mec"


def join_included(document: syntax.Document, read: Read) -> syntax.Document:
    """The document with every `include` replaced by the statements of the file; `read` parses one
    file alone.

    A file that is named twice counts once. Raises `ModelError` with the faults of all files:
    missing ones, files that include each other in a circle, and syntax errors.
    """
    if not any(isinstance(statement, syntax.Include) for statement in document.statements):
        return document
    reading = _Reading(read)
    own = Path(document.span.source.name)
    statements = reading.joined(document, (own,))
    reading.collector.raise_errors()
    return syntax.Document(statements, document.span)


class _Reading:
    def __init__(self, read: Read) -> None:
        self.read = read
        self.collector = Collector()
        self.done: set[Path] = set()

    def joined(
        self, document: syntax.Document, chain: tuple[Path, ...]
    ) -> tuple[syntax.Statement, ...]:
        """The statements of a document and of what it includes; `chain`: the files from the first
        to this one.
        """
        once = tuple(kind for kind in (syntax.Header, syntax.Objective) if _states(document, kind))
        statements: list[syntax.Statement] = []
        for statement in document.statements:
            if isinstance(statement, syntax.Include):
                taken = self._file(statement.file, chain)
                statements += [other for other in taken if not isinstance(other, once)]
            else:
                statements.append(statement)
        return tuple(statements)

    def _file(self, file: syntax.Text, chain: tuple[Path, ...]) -> tuple[syntax.Statement, ...]:
        """The statements of the file that stands after `include`; none if it is already there or
        has faults.
        """
        try:
            path = _path(file)
            if self._is_circle(path, file.span, chain) or path.resolve() in self.done:
                return ()
            self.done.add(path.resolve())
            return self.joined(self.read(path), (*chain, path))
        except ModelError as error:
            self.collector.diagnostics += error.diagnostics
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.collector.error("E308", f"`{file.value}` cannot be read: {reason}", file.span)
        return ()

    def _is_circle(self, path: Path, span: Span, chain: tuple[Path, ...]) -> bool:
        resolved = [other.resolve() for other in chain]
        if path.resolve() not in resolved:
            return False
        files = (*chain[resolved.index(path.resolve()) :], path)
        message = (
            f"files include each other in a circle: {' -> '.join(file.name for file in files)}"
        )
        fix = "put what both need into a third file and include that in each"
        self.collector.error("E107", message, span, help=fix)
        return True


def _path(file: syntax.Text) -> Path:
    """The path of an included model, counted from the folder of the file that names it.

    Raises `ModelError`.
    """
    if not file.value.lower().endswith(ENDING):
        fix = (
            f"`include` takes models, files called `*{ENDING}`; data come in with `from` or "
            "with `--data`"
        )
        raise ModelError([Diagnostic("E308", f"`{file.value}` is no model", file.span, help=fix)])
    return beside(file.value, file.span)


def _states(document: syntax.Document, kind: type[syntax.Statement]) -> bool:
    return any(isinstance(statement, kind) for statement in document.statements)
