"""The order of definitions: what needs what, and circles."""

from collections.abc import Iterator

from mecdsl.diagnostics import Collector, Label, Span
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import FamilyKind, Kind


def needs(model: sym.Model, name: str) -> Iterator[str]:
    """The families and symbols whose values the definition of a family or symbol uses."""
    parts: list[sym.Expression] = []
    spaces: list[sym.Space] = []
    if name in model.families:
        spaces.append(model.families[name].space)
        parts += model.families[name].ends or ()
        parts += [item for member in model.families[name].listed or () for item in member]
        yield from (family for family in model.families[name].end_families if family is not None)
    else:
        symbol = model.symbols[name]
        spaces.append(symbol.own_space)
        if symbol.owner:
            yield symbol.owner
        parts += [limit.value for limit in symbol.limits]
        if symbol.value is not None and not isinstance(symbol.value, sym.DataFile):
            parts += list(sym.data_expressions(symbol.value))
    for assignment in model.settings:
        if assignment.symbol == name:
            parts += list(sym.data_expressions(assignment.value))
    for space in spaces:
        parts += list(sym.space_parts(space))
        yield from _families(space)
    for part in parts:
        yield from _named_in(part)


def _named_in(expression: sym.Expression) -> Iterator[str]:
    """The families and symbols that an expression speaks of."""
    for node in sym.walk(expression):
        match node:
            case sym.Lookup(symbol=used):
                yield used
            case sym.LinkEnd(family=used) | sym.Member(family=used):
                yield used
            case sym.Aggregate(space=space):
                yield from _families(space)
            case sym.Membership(
                domain=sym.FamilyDomain(family=used) | sym.LayersDomain(family=used)
            ):
                yield used
            case _:
                pass


def _families(space: sym.Space) -> Iterator[str]:
    for generator in space.generators:
        if isinstance(generator.domain, sym.FamilyDomain | sym.LinksAt | sym.LayersDomain):
            yield generator.domain.family


def definition_order(model: sym.Model, collector: Collector) -> tuple[str, ...]:
    """Families and symbols, each after what it needs; a circle is reported with all its names."""
    done: dict[str, None] = {}
    path: list[str] = []

    def place(name: str) -> Span:
        return model.families[name].span if name in model.families else model.symbols[name].span

    def visit(name: str) -> None:
        if name in done or (name not in model.families and name not in model.symbols):
            return
        if name in path:
            circle = [*path[path.index(name) :], name]
            labels = tuple(Label(place(other), "and this") for other in circle[1:-1])
            chain = " -> ".join(circle)
            collector.error("E107", f"defined in a circle: {chain}", place(name), labels=labels)
            return
        path.append(name)
        for used in dict.fromkeys(needs(model, name)):
            visit(used)
        path.pop()
        done[name] = None

    for name in (*model.families, *model.symbols):
        visit(name)
    return tuple(done)


def warn_unused(model: sym.Model, collector: Collector, in_forms: frozenset[str]) -> None:
    """Warn of parameters, definitions and sets nobody uses, and of variables no constraint or
    objective holds.

    `in_forms`: the words of the model's forms; what a form speaks of is not unused.
    """
    used = _used(model)
    for family in model.families.values():
        shared = family.span.source.included  # with other models, which may use it
        if family.kind is FamilyKind.SET and family.name not in used and not shared:
            _warn_never_used("set", family, collector)
    for symbol in model.symbols.values():
        spoken_of = symbol.name in used or symbol.name.split(".")[-1] in in_forms
        if not (spoken_of or symbol.kind is Kind.REPORT or _column_of_layers(model, symbol)):
            _warn_of_symbol(symbol, collector)


def _used(model: sym.Model) -> set[str]:
    """The families and symbols that the objective, constraints, data or reports need."""
    todo = [symbol.name for symbol in model.of_kind(Kind.REPORT)]
    for part in _roots(model):
        todo += _named_in(part)
    for space in (*(c.space for c in model.constraints), *(p.space for p in model.players)):
        todo += _families(space)
    todo += [family.name for family in model.families.values() if family.kind is not FamilyKind.SET]
    used: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in used and (name in model.symbols or name in model.families):
            used.add(name)
            todo += needs(model, name)
    return used


def _column_of_layers(model: sym.Model, symbol: sym.Symbol) -> bool:
    """Whether a symbol is a column of a file of layers, which no text declares one by one."""
    file = model.families[symbol.owner].layer_file if symbol.owner is not None else None
    return file is not None and symbol.span == file.span


def _warn_of_symbol(symbol: sym.Symbol, collector: Collector) -> None:
    if symbol.kind is Kind.VAR:
        collector.warning(
            "W402",
            f"variable `{symbol.name}` stands in no constraint and not in the objective",
            symbol.span,
            help="delete it, or use it",
        )
    elif symbol.span.source.included:  # shared with other models, which may use it
        return
    elif symbol.owner is None or symbol.kind is Kind.LET:
        what = "parameter" if symbol.kind is Kind.PARAM else "definition"
        _warn_never_used(what, symbol, collector)
    else:
        collector.warning("W401", f"attribute `{symbol.name}` is never used", symbol.span)


def _warn_never_used(what: str, unused: sym.Family | sym.Symbol, collector: Collector) -> None:
    message = f"{what} `{unused.name}` is never used"
    collector.warning("W401", message, unused.span, help="delete it, or use it")


def _roots(model: sym.Model) -> Iterator[sym.Expression]:
    yield model.objective.value
    for players in model.players:
        yield players.value
        yield from sym.space_parts(players.space)
        yield from (i for own in players.choosing for i in own.indices if i is not None)
    for constraint in model.constraints:
        yield constraint.left
        yield constraint.right
        if constraint.switch is not None:
            yield constraint.switch.variable
        yield from sym.space_parts(constraint.space)
    for assignment in (*model.fixes, *model.settings):
        yield from sym.data_expressions(assignment.value)
        if assignment.condition is not None:
            yield assignment.condition
