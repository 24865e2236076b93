"""Rows of data in the order of the members that their labels name, each member once and no
other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mecdsl.data_files.labels import NO_MEMBER, integer_of, labels_of, text_of
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span, nearest
from mecdsl.instances.index_columns import Index, Indexed
from mecdsl.instances.tables import FamilyTable, IntArray
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """The labels in a file: for each index what stands in every row.

    `place`: of a row and an index, -1 for the row as a whole; `whole`: of all rows. `words`: where
    the rows are, `each`: what to do about a wrong number of them.
    """

    cells: Sequence[Sequence[Any]]
    place: Callable[[int, int], Span | None]
    whole: Span | None
    words: str = "in the table"
    each: str = "give each member one line"


def in_order(world: World, of: Indexed, keys: Keys) -> IntArray:
    """For each row of the symbol or family the row of the file.

    Raises `ModelError` where that is not one.
    """
    rows = rows_of(world, of, keys)
    _require_each_once(world, of, keys, rows)
    return np.argsort(rows, kind="stable").astype(np.int64)


def rows_of(world: World, of: Indexed, keys: Keys) -> IntArray:
    """For each row of the file the row of the symbol or family; an error where there is none."""
    table = _table(world, of)
    labels = [
        np.array(labels_of(cells, world.label_names(index.domain)), dtype=np.int64)
        for cells, index in zip(keys.cells, of.indices, strict=True)
    ]
    rows = table.locate(labels, len(labels[0]))
    wrong = np.flatnonzero(rows < 0)
    if len(wrong):
        raise _no_member(world, of, keys, labels, int(wrong[0]))
    return rows


def _table(world: World, of: Indexed) -> FamilyTable:
    return world.symbols[of.symbol] if of.symbol in world.symbols else world.families[of.symbol]


def _declared(world: World, of: Indexed) -> tuple[Label, ...]:
    model = world.model
    span = (
        model.families[of.shown] if of.shown in model.families else model.symbols[of.shown]
    ).span
    return (Label(span, "declared here"),)


def _no_member(
    world: World, of: Indexed, keys: Keys, labels: Sequence[IntArray], row: int
) -> ModelError:
    """The first row whose labels are no member: an empty one, one its index never has, or a tuple
    that is none.
    """
    cells = [text_of(column[row]) for column in keys.cells]
    shown = ", ".join(cells)
    at, note, fix = -1, None, keys.each
    for position, index in enumerate(of.indices):
        if not cells[position].strip():
            message = f"the label of `{index.name}` is empty"
            raise ModelError(
                [
                    Diagnostic(
                        "E302",
                        message,
                        keys.place(row, position),
                        _declared(world, of),
                        help=keys.each,
                    )
                ]
            )
        if not _is_label(world, index, int(labels[position][row])):
            at = position
            note = _strange(world, of, index, cells[position])
            fix = _meant(world, index, keys.cells[position][row]) or fix
            break
    message = f"`{shown}` is no member of `{of.shown}`"
    return ModelError(
        [
            Diagnostic(
                "E302", message, keys.place(row, at), _declared(world, of), note=note, help=fix
            )
        ]
    )


def _strange(world: World, of: Indexed, index: Index, cell: str) -> str | None:
    if len(of.indices) == 1:
        return None
    domain = index.domain
    over = (
        f"`{domain.family}`"
        if isinstance(domain, sym.FamilyDomain)
        else f"what `{index.name}` runs over"
    )
    return f"`{cell}` is not in {over}"


def _is_label(world: World, index: Index, label: int) -> bool:
    """Whether a label can be one of an index as far as that is known without the others."""
    if label == NO_MEMBER:
        return False
    domain = index.domain
    if isinstance(domain, sym.FamilyDomain) and len(world.families[domain.family].names) == 1:
        return bool(world.families[domain.family].locate([np.array([label])], 1)[0] >= 0)
    return True


def _meant(world: World, index: Index, cell: Any) -> str | None:
    """What a label that is none was probably meant to be."""
    names = world.label_names(index.domain)
    text = text_of(cell).strip()
    if names is not None:
        near = nearest(text, names)
        return f"did you mean `{near}`?" if near else f"the members are {_listed(names)}"
    digits = text.lstrip("+0")
    if integer_of(cell) is None and digits.isdecimal() and digits.isascii():
        return f"an integer is written `{digits}`"
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def _require_each_once(world: World, of: Indexed, keys: Keys, rows: IntArray) -> None:
    size = _table(world, of).size
    times = np.bincount(rows, minlength=size)
    if (times == 1).all():
        return
    twice, missing = np.flatnonzero(times > 1), np.flatnonzero(times == 0)
    note = None
    if len(twice):
        row = int(np.flatnonzero(rows == int(twice[0]))[1])
        message = f"`{_row_text(world, of, int(twice[0]))}` stands twice {keys.words}"
        where = keys.place(row, -1)
        note = f"`{_row_text(world, of, int(missing[0]))}` is missing" if len(missing) else None
    else:
        message = f"`{_row_text(world, of, int(missing[0]))}` is missing {keys.words}"
        where = keys.whole
        note = f"{len(missing)} members are missing" if len(missing) > 1 else None
    raise ModelError(
        [Diagnostic("E302", message, where, _declared(world, of), note=note, help=keys.each)]
    )


def _row_text(world: World, of: Indexed, row: int) -> str:
    return world.row_text(of.shown, row)
