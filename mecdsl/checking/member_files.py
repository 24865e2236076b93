"""`set place from "places.csv"` and `nodes server from "servers.csv"`: the file says which members
there are.

The declaration is written out before names are resolved, so that all later passes see an ordinary
family: integers become the range or list they are, names become the names of the family, and a set
of tuples gets its index list.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from mecdsl.data_files.labels import name_of
from mecdsl.data_files.members import Labels, labels_in, nodes_table, refuse_repeats, set_table
from mecdsl.data_files.read import beside
from mecdsl.data_files.table import Table
from mecdsl.diagnostics import Collector, Diagnostic, ModelError, Span
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import FamilyKind, Kind

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TUPLE_INDICES = "ijklmnopqrst"


def read_member_files(document: syntax.Document, collector: Collector) -> syntax.Document:
    """The document with every family of members from a file written out; faults go to the
    collector.

    Raises `ModelError` at once if a file cannot be read: without its members every use of them
    would look wrong.
    """
    if not any(_is_from_file(statement) for statement in document.statements):
        return document
    writer = _Writer(document, collector)
    first = tuple(writer.single(statement) for statement in document.statements)
    writer.note_names(first)
    statements = tuple(writer.tuples(statement) for statement in first)
    collector.raise_errors()
    return replace(document, statements=statements)


def _is_from_file(statement: syntax.Statement) -> bool:
    return (
        isinstance(statement, syntax.Family)
        and statement.kind in (FamilyKind.SET, FamilyKind.NODES)
        and statement.source_file is not None
        and statement.index is None
        and statement.members is None
        and statement.read is None
    )


class _Writer:
    def __init__(self, document: syntax.Document, collector: Collector) -> None:
        self.document, self.collector = document, collector
        self.families = {s.name: s for s in document.statements if isinstance(s, syntax.Family)}
        self.declared = {s.name for s in document.statements if isinstance(s, syntax.Declaration)}
        self.members: dict[str, frozenset[str]] = {}
        self.pairs: dict[str, tuple[Table, list[int]]] = {}

    def single(self, statement: syntax.Statement) -> syntax.Statement:
        """A family whose members have one label; a set of tuples is left for later."""
        if not _is_from_file(statement):
            return statement
        assert isinstance(statement, syntax.Family)
        assert statement.source_file is not None
        try:
            path = beside(statement.source_file.value, statement.source_file.span)
            if statement.kind is FamilyKind.NODES:
                attributes = [name for name, _ in _attributes(self.document, statement)]
                table, column = nodes_table(path, statement.name, attributes)
                self._refuse_declared(statement, table, column)
                return _nodes(statement, labels_in(table, column), table.titles[column])
            table = set_table(path, statement.name)
            columns = self._set_columns(statement, table)
            if len(columns) > 1:
                self.pairs[statement.name] = table, columns
                return statement
            return _set(statement, labels_in(table, columns[0]))
        except ModelError as error:
            self.collector.diagnostics += error.diagnostics
            return replace(statement, source_file=None, read=syntax.ReadMembers((), statement.name))

    def _set_columns(self, family: syntax.Family, table: Table) -> list[int]:
        """The columns that are labels: the one called as the set, or all that no parameter or nodes
        read.
        """
        titles = table.titles
        if family.name in titles:
            return [titles.index(family.name)]
        read = _read_by_others(self.document, family)
        columns = [column for column, title in enumerate(titles) if title not in read]
        if not columns:
            message = f"no column names the members of `{family.name}`"
            fix = f"call the column of the labels `{family.name}`"
            raise ModelError([Diagnostic("E301", message, table.place(None, 0), help=fix)])
        return columns

    def note_names(self, statements: Iterable[syntax.Statement]) -> None:
        """The names of members of every family that has some."""
        for statement in statements:
            if not isinstance(statement, syntax.Family):
                continue
            if statement.read is not None:
                self.members[statement.name] = frozenset(statement.read.names)
            elif isinstance(statement.members, syntax.Listing):
                names = [member_name(item) for item in statement.members.items]
                if names and all(name is not None for name in names):
                    self.members[statement.name] = frozenset(name for name in names if name)

    def tuples(self, statement: syntax.Statement) -> syntax.Statement:
        """A set of tuples with an index list: what each column runs over."""
        if not isinstance(statement, syntax.Family) or statement.name not in self.pairs:
            return statement
        if statement.source_file is None:  # declared twice, which is said later
            return statement
        table, columns = self.pairs[statement.name]
        span = statement.source_file.span
        try:
            generators = [
                syntax.Generator((index,), self._domain(statement, table, column, span), span)
                for index, column in zip(
                    self._index_names(statement, table, columns), columns, strict=True
                )
            ]
        except ModelError as error:
            self.collector.diagnostics += error.diagnostics
            return statement
        return replace(statement, index=syntax.IndexList(tuple(generators), None, span))

    def _refuse_declared(self, family: syntax.Family, table: Table, column: int) -> None:
        """A title becomes the name of an index, and must not hide what the text declares under that
        name.
        """
        title = table.titles[column]
        own = {declared.name for declared in family.declarations}
        if title in self.declared | own or (
            title in self.families and family.kind is not FamilyKind.SET
        ):
            if title == family.name:
                return
            message = (
                f"the column of the members of `{family.name}` is called `{title}`, "
                "which the model declares"
            )
            fix = (
                f"call it `{family.name}`"
                if family.kind is not FamilyKind.SET
                else "give it another title"
            )
            raise ModelError([Diagnostic("E101", message, table.place(None, column), help=fix)])

    def _index_names(
        self, family: syntax.Family, table: Table, columns: list[int]
    ) -> Iterator[str]:
        """The titles, where an index may be called so; else letters."""
        for column in columns:
            self._refuse_declared(family, table, column)
        titles = [table.titles[column] for column in columns]
        taken = {*titles, *self.families}
        letters = (letter for letter in TUPLE_INDICES if letter not in taken)
        for title in titles:
            yield title if NAME.fullmatch(title) and title not in self.families else next(letters)

    def _domain(
        self, family: syntax.Family, table: Table, column: int, span: Span
    ) -> syntax.Expression:
        title = table.titles[column]
        if title in self.families and title != family.name:
            return syntax.Name(title, span)
        labels = labels_in(table, column)
        if labels.names is None:
            return _numbers(sorted({int(value) for value in labels.values}), span)
        own = set(labels.names)
        fits = [name for name, members in self.members.items() if own <= members]
        if len(fits) == 1:
            return syntax.Name(fits[0], span)
        what = (
            f"members of {' and of '.join(f'`{name}`' for name in fits)}" if fits else "of no set"
        )
        message = f"the names in column `{title}` are {what}"
        fix = f"say what the columns run over: `set {family.name}[i in I, j in J] from ...`"
        raise ModelError([Diagnostic("E109", message, table.place(None, column), help=fix)])


def _set(family: syntax.Family, labels: Labels) -> syntax.Family:
    refuse_repeats(family.name, labels)
    assert family.source_file is not None
    span = family.source_file.span
    if labels.names is not None:
        return replace(family, source_file=None, read=syntax.ReadMembers(labels.names, family.name))
    numbers = sorted(int(value) for value in labels.values)
    return replace(family, source_file=None, members=_numbers(numbers, span))


def _nodes(family: syntax.Family, labels: Labels, title: str) -> syntax.Family:
    refuse_repeats(family.name, labels)
    assert family.source_file is not None
    span = family.source_file.span
    fits = NAME.fullmatch(title) and title != family.name
    index = (
        title if fits else f"{family.name}_name"
    )  # in the block the name of the family means the family
    if labels.names is not None:
        return replace(family, read=syntax.ReadMembers(labels.names, index))
    domain = _numbers(sorted(int(value) for value in labels.values), span)
    generator = syntax.Generator((index,), domain, span)
    return replace(family, index=syntax.IndexList((generator,), None, span))


def _numbers(values: list[int], span: Span) -> syntax.Expression:
    """Ascending integers as a range, if none is left out, else one by one."""
    if values and values[-1] - values[0] == len(values) - 1:
        return syntax.Range(_number(values[0], span), _number(values[-1], span), span)
    if not values:
        return syntax.Range(_number(1, span), _number(0, span), span)
    return syntax.Listing(tuple(_number(value, span) for value in values), "{}", span)


def _number(value: int, span: Span) -> syntax.Expression:
    quantity = syntax.Quantity(str(abs(value)), None, span)
    return quantity if value >= 0 else syntax.Unary("-", quantity, span)


def member_name(item: syntax.Expression) -> str | None:
    """The name that an item of `{home, "north wing"}` writes, None for anything else."""
    match item:
        case syntax.Name(name=name):
            return name_of(name)
        case syntax.Text(value=value):
            return name_of(value)
        case _:
            return None


def _attributes(
    document: syntax.Document, family: syntax.Family
) -> Iterator[tuple[str, syntax.Declaration]]:
    """The parameters of a family, in its block and elsewhere."""
    for declared in family.declarations:
        if declared.kind is Kind.PARAM:
            yield declared.name, declared
    for statement in document.statements:
        if isinstance(statement, syntax.Declaration) and statement.name.startswith(
            family.name + "."
        ):
            yield statement.name.split(".", 1)[1], statement


def _read_by_others(document: syntax.Document, family: syntax.Family) -> frozenset[str]:
    """The titles in the file of a set that parameters and other families read from it."""
    assert family.source_file is not None
    path = family.source_file.value
    titles: set[str] = set()
    for statement in document.statements:
        match statement:
            case syntax.Declaration(source_file=syntax.Text(value=value), name=name) if (
                value == path
            ):
                titles |= {name, name.rpartition(".")[2]}
            case syntax.Family(source_file=syntax.Text(value=value)) if value == path:
                names: Mapping[str, object] = dict(_attributes(document, statement))
                titles |= {*names, *(f"{statement.name}.{name}" for name in names)}
            case syntax.Family():
                titles |= {
                    declared.name
                    for declared in statement.declarations
                    if declared.source_file is not None and declared.source_file.value == path
                }
            case _:
                pass
    return frozenset(titles)
