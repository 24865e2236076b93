"""`layers net from "net.csv"`: the file says how many layers there are and which attributes they
have.

The declaration becomes `layers net[l in 1..n] from "net.csv" { macs : mac ... }` before names are
resolved, so that all later passes see an ordinary family. The file is read here, since the names it
declares are part of the model.
"""

from collections.abc import Iterator
from dataclasses import replace

from mecdsl.data_files.read import beside
from mecdsl.diagnostics import Collector, Label, ModelError, Span
from mecdsl.networks.layer_file import LayerFile, read_layer_file
from mecdsl.parsing import syntax
from mecdsl.units import OwnUnits

INDEX = "l"


def read_layer_files(
    document: syntax.Document, units: OwnUnits, collector: Collector
) -> syntax.Document:
    """The document with every family of layers from a file written out; faults go to the collector.

    Raises `ModelError` at once if a file cannot be read: without its columns every use of them
    would look wrong.
    """
    statements = tuple(
        _written_out(statement, units, collector) if _is_from_file(statement) else statement
        for statement in document.statements
    )
    for statement in document.statements:
        _refuse_index(statement, collector)
    collector.raise_errors()
    return replace(document, statements=statements)


def _is_from_file(statement: syntax.Statement) -> bool:
    if not isinstance(statement, syntax.Family) or statement.kind is not syntax.FamilyKind.LAYERS:
        return False
    return statement.source_file is not None and statement.index is None


def _refuse_index(statement: syntax.Statement, collector: Collector) -> None:
    """A network says itself how many layers it has, and has no column that an index could name."""
    if (
        not isinstance(statement, syntax.Family)
        or statement.source_file is None
        or statement.index is None
    ):
        return
    name = statement.source_file.value
    if name.lower().endswith(".onnx"):
        fix = f'write `layers {statement.name} from "{name}"`, the index is called `{INDEX}`'
        message = f"`{statement.name}` has an index list, and its layers come from the file"
        collector.error("E109", message, statement.index.span, help=fix)


def _written_out(
    family: syntax.Statement, units: OwnUnits, collector: Collector
) -> syntax.Statement:
    assert isinstance(family, syntax.Family)
    assert family.source_file is not None
    span = family.source_file.span
    try:
        file = read_layer_file(beside(family.source_file.value, span), span=span, own=units)
    except ModelError as error:
        collector.diagnostics += error.diagnostics
        return family
    _refuse_twice(family, file, span, collector)
    numbers = syntax.Range(
        syntax.Quantity("1", None, span), syntax.Quantity(str(file.size), None, span), span
    )
    index = syntax.IndexList((syntax.Generator((INDEX,), numbers, span),), None, span)
    declarations = (*family.declarations, *_attributes(family, file, span))
    return replace(family, index=index, declarations=declarations, layer_file=file)


def _attributes(family: syntax.Family, file: LayerFile, span: Span) -> Iterator[syntax.Declaration]:
    """A parameter for each column that the block does not declare, at the place where the file is
    named.
    """
    own = {declared.name for declared in family.declarations}
    for column in file.columns:
        if column not in own:
            type_ = syntax.Type((syntax.TypeWord(file.unit(column), span),), (), span)
            yield syntax.Declaration(
                kind=syntax.Kind.PARAM,
                name=column,
                index=None,
                type=type_,
                value=None,
                source_file=None,
                doc="",
                span=span,
                name_span=span,
            )


def _refuse_twice(family: syntax.Family, file: LayerFile, span: Span, collector: Collector) -> None:
    """A column gives the values of an attribute that has none, and of nothing else."""
    for declared in family.declarations:
        if declared.name not in file.columns:
            continue
        free = declared.value is None and declared.source_file is None and declared.index is None
        if declared.kind is syntax.Kind.PARAM and free:
            continue
        label = (Label(span, f"has a column `{declared.name}`"),)
        fix = (
            f"write `{declared.name} : ...` without a value to take the column, or give it "
            "another name"
        )
        message = f"`{family.name}.{declared.name}` is given twice, in the file and in the block"
        collector.error("E307", message, declared.name_span, labels=label, help=fix)
