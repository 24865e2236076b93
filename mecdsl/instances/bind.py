"""Given data to arrays: shape, units, domain and bounds of one symbol.

Nothing is broadcast or cut.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np

from mecdsl.data_files.labels import NO_MEMBER, integer_of, labels_of
from mecdsl.data_files.read import Given
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span, count, nearest
from mecdsl.instances.algebra import Floats
from mecdsl.instances.align import aligned
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.units import Unit, UnitError, format_value, parse_unit

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d")
QUANTITY = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*?)?\s*\Z")


def bind(world: World, symbol: sym.Symbol, given: Given) -> FloatArray:
    """The values of a symbol in SI, one per row of its table.

    Raises `ModelError` that names the member and the place in the data.
    """
    given = aligned(world, symbol, given)
    flat, paths = _flatten(world, symbol, given)
    unit = _header_unit(world, symbol, given) or symbol.unit
    assert unit is not None
    return _numbers(world, symbol, given, flat, paths, unit)


def _fail(
    code: str, message: str, span: Span | None, symbol: sym.Symbol, help: str | None = None
) -> ModelError:
    labels = (Label(symbol.span, "declared here"),)
    return ModelError([Diagnostic(code, message, span, labels, help=help)])


def _header_unit(world: World, symbol: sym.Symbol, given: Given) -> Unit | None:
    if given.unit is None:
        return None
    try:
        unit = parse_unit(given.unit, world.model.units)
    except UnitError as error:
        raise _fail("E305", error.message, given.place(()), symbol, error.help) from None
    _require_dimension(symbol, unit, given.place(()))
    return unit


def _require_dimension(symbol: sym.Symbol, unit: Unit, span: Span | None) -> None:
    assert symbol.unit is not None
    if unit.dimension != symbol.unit.dimension:
        message = f"`{symbol.name}` is in [{symbol.unit.dimension}], its data in [{unit.dimension}]"
        fix = f"give it in `{symbol.unit.text}` or a multiple"
        if (
            symbol.unit.dimension / unit.dimension == parse_unit("cycle").dimension
            and "Hz" in unit.text
        ):
            fix = f"clock rates are in cycle/s here: write `{unit.text.replace('Hz', 'cycle/s')}`"
        raise _fail("E305", message, span, symbol, fix)


def _flatten(
    world: World, symbol: sym.Symbol, given: Given
) -> tuple[list[Any], Callable[[int], tuple[int, ...]]]:
    """All items in the order of the table, and the way from a row to its indices in the nested
    list.
    """
    family = world.symbols[symbol.name]
    if given.in_order:
        return list(given.value), lambda row: (row,)
    if not family.levels:
        if isinstance(given.value, list | tuple | dict):
            message = f"`{symbol.name}` is one value, the data are {_shape_text(given.value)}"
            fix = f"declare it over a set, `{symbol.name}[i in I]`, or give one number"
            raise _fail("E302", message, given.place(()), symbol, fix)
        return [given.value], lambda _row: ()
    value = given.value.tolist() if isinstance(given.value, np.ndarray) else given.value
    nodes: list[Any] = [value]
    for depth, counts in enumerate(family.levels):
        _check_level(world, symbol, given, nodes, counts, depth)
        nodes = list(chain.from_iterable(nodes))
    return nodes, lambda row: _path(family.levels, row)


def _path(levels: Sequence[IntArray], row: int) -> tuple[int, ...]:
    """Indices into the nested list of the item at a row."""
    path: list[int] = []
    for counts in reversed(levels):
        ends = np.cumsum(counts)
        parent = int(np.searchsorted(ends, row, side="right"))
        path.append(row - int(ends[parent] - counts[parent]))
        row = parent
    return tuple(reversed(path))


def _check_level(
    world: World, symbol: sym.Symbol, given: Given, nodes: list[Any], counts: IntArray, depth: int
) -> None:
    lists = [isinstance(node, list | tuple) for node in nodes]
    lengths = np.array(
        [len(n) if ok else -1 for n, ok in zip(nodes, lists, strict=True)], dtype=np.int64
    )
    wrong = np.flatnonzero(lengths != counts)
    if not len(wrong):
        return
    position = int(wrong[0])
    levels = world.symbols[symbol.name].levels[:depth]
    path = _path(levels, position) if levels else ()
    place = given.place(path)
    expected = int(counts[position])
    what = _level_text(world, symbol, depth)
    where = f"`{symbol.name}`" + (f" item {', '.join(str(i + 1) for i in path)}" if path else "")
    if not lists[position]:
        fix = "every member has its own value, nothing is broadcast"
        message = (
            f"{where} needs a list of {count(expected, 'value')} ({what}), found "
            f"{_shape_text(nodes[position])}"
        )
        raise _fail("E302", message, place, symbol, fix)
    given_count = int(lengths[position])
    more = "too many" if given_count > expected else "missing"
    noun = "list" if depth + 1 < len(world.symbols[symbol.name].levels) else "value"
    message = (
        f"{where} has {count(given_count, noun)}, expected {expected} ({what}): "
        f"{abs(given_count - expected)} {more}"
    )
    raise _fail("E302", message, place, symbol, _shape_fix(world, symbol, nodes, depth))


def _shape_fix(world: World, symbol: sym.Symbol, nodes: list[Any], depth: int) -> str | None:
    """What a nested list looks like; said where the outer list has a wrong length."""
    family = world.symbols[symbol.name]
    if depth or len(family.levels) < 2 or len(set(family.levels[1].tolist())) != 1:
        return None
    rows, columns = int(family.levels[0][0]), int(family.levels[1][0])
    outer, inner = _level_text(world, symbol, 0), _level_text(world, symbol, 1)
    shape = f"{count(rows, 'list')} ({outer}) of {count(columns, 'value')} each ({inner})"
    given = nodes[0]
    transposed = len(given) == columns and all(
        isinstance(row, list) and len(row) == rows for row in given
    )
    return (
        f"swap rows and columns: {shape}"
        if transposed and len(family.levels) == 2
        else f"write {shape}"
    )


def _level_text(world: World, symbol: sym.Symbol, depth: int) -> str:
    family = world.symbols[symbol.name]
    if len(family.levels) == len(family.names):
        name = family.names[depth]
        generator = next((g for g in symbol.space.generators if name in g.names), None)
        if generator is not None and isinstance(generator.domain, sym.FamilyDomain):
            return f"{name} in {generator.domain.family}"
        space = world.model.families[symbol.owner].space if symbol.owner else symbol.space
        return f"one per {name}" + (
            f" where {space.condition.span.text}" if space.condition and not depth else ""
        )
    joined = len(family.names) - len(family.levels) + 1  # indices that share the outer list
    if depth == 0:
        return f"one per ({', '.join(family.names[:joined])}), in family order"
    return f"one per {family.names[joined + depth - 1]}"


def _shape_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _numbers(
    world: World,
    symbol: sym.Symbol,
    given: Given,
    flat: list[Any],
    paths: Callable[[int], tuple[int, ...]],
    unit: Unit,
) -> FloatArray:
    kinds = set(map(type, flat))
    if all(kind is int or issubclass(kind, float | np.integer) for kind in kinds):
        values = _plain(symbol, given, flat, paths, unit)
    else:
        values = np.array(
            [
                _item(world, symbol, given=given, item=item, row=row, paths=paths, unit=unit)
                for row, item in enumerate(flat)
            ],
            dtype=np.float64,
        )
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        row = int(wrong[0])
        message = f"`{world.row_text(symbol.name, row)}` is {flat[row]}, not a finite number"
        raise _fail("E304", message, given.place(paths(row)), symbol)
    check_values(world, symbol, values, lambda row: given.place(paths(row)))
    return values


def _plain(
    symbol: sym.Symbol,
    given: Given,
    flat: list[Any],
    paths: Callable[[int], tuple[int, ...]],
    unit: Unit,
) -> FloatArray:
    try:
        values = np.array(flat, dtype=np.float64)
    except OverflowError:
        row = next(i for i, item in enumerate(flat) if abs(item) > 1e308)
        raise _fail(
            "E304", f"`{symbol.name}` holds a number too large", given.place(paths(row)), symbol
        ) from None
    if unit.logarithmic:
        return np.array([unit.to_si(value) for value in values])
    return values if unit.factor == 1.0 else values * unit.scale


def _item(
    world: World,
    symbol: sym.Symbol,
    given: Given,
    item: Any,
    row: int,
    paths: Callable[[int], tuple[int, ...]],
    unit: Unit,
) -> float:
    name = f"`{world.row_text(symbol.name, row)}`"
    place = given.place(paths(row))
    if (
        isinstance(item, bool)
        or item is None
        or not isinstance(item, int | float | str | np.number)
    ):
        shown = json.dumps(item) if item is None or isinstance(item, bool) else item
        raise _fail("E304", f"{name} is {_shape_text(shown)}, expected a number", place, symbol)
    if symbol.member_of is not None and str(item).strip():
        return _member(world, symbol, item, name, place)
    if not isinstance(item, str):
        return unit.to_si(float(item)) if math.isfinite(item) else float(item)
    quantity = QUANTITY.match(item)
    if quantity is None:
        if item.strip().lower() in ("nan", "inf", "-inf", "infinity", "-infinity"):
            return float(item)
        shown = f"`{item}`" if item.strip() else "empty"
        raise _fail("E304", f"{name} is {shown}, expected a number or a quantity", place, symbol)
    if quantity[2] is None:
        return unit.to_si(float(quantity[1]))
    try:
        own = parse_unit(quantity[2], world.model.units)
    except UnitError as error:
        if DECIMAL_COMMA.match(item):
            message, fix = (
                f"{name} is `{item}`, expected a number or a quantity",
                "a decimal mark is a point: `1.5`",
            )
            raise _fail("E304", message, place, symbol, fix) from None
        raise _fail("E305", f"{name}: {error.message}", place, symbol, error.help) from None
    _require_dimension(symbol, own, place)
    return own.to_si(float(quantity[1]))


def _member(world: World, symbol: sym.Symbol, item: Any, name: str, place: Span | None) -> float:
    """The label of the member that a value names; a plain number is the place of a member that has
    a name.
    """
    family = symbol.member_of or ""
    names = world.label_names(sym.FamilyDomain(family))
    (label,) = labels_of([item], names)
    if label != NO_MEMBER:
        return float(label)
    numbered = names is not None and not any(integer_of(other) is not None for other in names)
    if not isinstance(item, str) and (names is None or numbered):
        return float(item)
    near = nearest(str(item), names or ())
    fix = f"did you mean `{near}`?" if near else None
    if names is not None and fix is None:
        fix = f"the members are {', '.join(names)}"
    raise _fail("E306", f"{name} is `{item}`, no member of `{family}`", place, symbol, fix)


def _require_levels(
    world: World, symbol: sym.Symbol, values: FloatArray, place: Callable[[int], Span | None]
) -> None:
    """What is declared in dB or dBm is a factor or a power, which is not negative."""
    if symbol.unit is None or not symbol.unit.logarithmic:
        return
    wrong = np.flatnonzero(values < 0.0)
    if len(wrong):
        row, unit = int(wrong[0]), symbol.unit
        shown = f"{values[row]:.10g}" + (
            "" if unit.dimension.is_dimensionless else f" {unit.dimension}"
        )
        message = (
            f"`{world.row_text(symbol.name, row)}` is {shown}, which no level in "
            f"{unit.text} stands for"
        )
        fix = (
            f"write the level with its unit, as in `-3 {unit.text}`, or a factor or power "
            "that is not negative"
        )
        raise _fail("E306", message, place(row), symbol, fix)


def check_values(
    world: World, symbol: sym.Symbol, values: FloatArray, place: Callable[[int], Span | None]
) -> None:
    """Integrality, membership and bounds of the values of a parameter, and that levels exist.

    Raises `ModelError`.
    """
    _require_levels(world, symbol, values, place)
    if symbol.domain is not sym.NumberDomain.REAL:
        _require_integers(world, symbol, values, place)
    if symbol.member_of is not None:
        _require_members(world, symbol, values, place)
    evaluator = Evaluator(world, Floats())
    for limit in symbol.limits:
        table = world.symbols[symbol.name].table
        bound = np.asarray(evaluator.family(limit.value, table), dtype=np.float64)
        _require_bound(world, symbol, values, place, limit.operator, bound)


def _require_integers(
    world: World, symbol: sym.Symbol, values: FloatArray, place: Callable[[int], Span | None]
) -> None:
    off = np.abs(values - np.round(values))
    wrong = np.flatnonzero(off > 1e-9 * np.maximum(1.0, np.abs(values)))
    if len(wrong):
        row = int(wrong[0])
        name = world.row_text(symbol.name, row)
        message = f"`{name}` is {values[row]:.10g}, expected an integer"
        raise _fail("E306", message, place(row), symbol)


def _require_members(
    world: World, symbol: sym.Symbol, values: FloatArray, place: Callable[[int], Span | None]
) -> None:
    name = symbol.member_of or ""
    labels = np.round(values).astype(np.int64)
    wrong = np.flatnonzero(world.families[name].locate([labels], len(values)) < 0)
    if len(wrong):
        row = int(wrong[0])
        value = f"`{world.row_text(symbol.name, row)}` is {values[row]:g}"
        raise _fail("E306", f"{value}, no member of `{name}`", place(row), symbol)


KEEPS: Final = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater}


def _require_bound(
    world: World,
    symbol: sym.Symbol,
    values: FloatArray,
    place: Callable[[int], Span | None],
    operator: str,
    bound: FloatArray,
) -> None:
    wrong = np.flatnonzero(~KEEPS[operator](values, bound))
    if len(wrong):
        row = int(wrong[0])
        shown, limit = (
            f"{value:.6g}" if symbol.unit is None else format_value(value, symbol.unit, 6)
            for value in (float(values[row]), float(bound[row]))
        )
        name = world.row_text(symbol.name, row)
        message = f"`{name}` is {shown}, expected {operator} {limit}"
        raise _fail("E306", message, place(row), symbol)
