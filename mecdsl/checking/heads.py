"""The names that a document declares, and what their indices run over: told from the text alone,
before any expression is resolved.
"""

from mecdsl.checking.index_ranges import NODE_KINDS, IndexRanges
from mecdsl.checking.member_files import TUPLE_INDICES, member_name
from mecdsl.checking.named_objective import objective_as_definition
from mecdsl.checking.scope import (
    FamilyHead,
    IndexInfo,
    Names,
    SymbolHead,
)
from mecdsl.diagnostics import Label, Span, nearest
from mecdsl.forms.apply import FormedDocument
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import FamilyKind
from mecdsl.units import OwnUnits, UnitError, parse_unit

RESERVED = frozenset({"inf"})


class Heads:
    """Fills `Names` from the statements of a document; faults go to its collector."""

    def __init__(self, document: FormedDocument, names: Names, ranges: IndexRanges) -> None:
        self.document, self.names, self.ranges = document, names, ranges
        self.collector = names.collector

    def collect(self) -> None:
        """Note every name that is declared, once."""
        places: dict[str, Span] = {}

        def claim(name: str, span: Span) -> bool:
            if name in RESERVED:
                fix = "give it another name"
                self.collector.error("E101", f"`{name}` is a word of the language", span, help=fix)
                return False
            if name in places:
                label = (Label(places[name], "first declared here"),)
                elsewhere = (
                    "rename one, or leave this one out; `--set`, `--data` and forms "
                    "change what a file declares"
                )
                other = elsewhere if span.source is not places[name].source else None
                self.collector.error(
                    "E101", f"`{name}` is declared twice", span, labels=label, help=other
                )
                return False
            places[name] = span
            return True

        for statement in self.document.statements:
            match statement:
                case syntax.Family(name=name):
                    if claim(name, statement.name_span):
                        self.names.families[name] = FamilyHead(statement)
                        self._collect_members(statement, claim)
                case syntax.Declaration(name=name):
                    owner = name.split(".", 1)[0] if "." in name else None
                    if claim(name, statement.name_span):
                        self.names.symbols[name] = SymbolHead(statement, name, owner)
                case syntax.Constraint(name=name):
                    if claim(name, statement.name_span):
                        self.names.constraint_names[name] = statement
                case syntax.Form(name=name):
                    claim(f"form {name}", statement.name_span)
                case _:
                    pass
        for head in self.names.families.values():
            for label, span in _label_names(
                head.declared
            ):  # a member is a value, so its name is unique as well
                claim(label, span)
        objective = objective_as_definition(self.document.statements, places)
        if objective is not None:
            self.names.symbols[objective.name] = SymbolHead(objective, objective.name, None)

    def _collect_members(self, family: syntax.Family, claim: object) -> None:
        assert callable(claim)
        for member in family.declarations:
            qualified = f"{family.name}.{member.name}"
            if claim(qualified, member.name_span):
                self.names.symbols[qualified] = SymbolHead(member, qualified, family.name)

    def find(self) -> None:
        """What the indices of every name run over, and what parameters are members of."""
        done: set[str] = set()
        for name in self.names.families:
            self._family_head(name, done, ())
        self.names.collect_labels()
        for head in self.names.symbols.values():
            if head.owner is not None and head.owner not in self.names.families:
                near = nearest(head.owner, self.names.families)
                fix = f"did you mean `{near}`?" if near else None
                self.collector.error(
                    "E102", f"unknown family `{head.owner}`", head.declared.name_span, help=fix
                )
                head.owner = None
            owners = self.names.families[head.owner].indices if head.owner else {}
            own = self.ranges.of_text(head.declared.index, owners)
            head.indices = (*owners.items(), *own.items())
            head.member_of = self._member_of(head.declared.type)

    def _family_head(self, name: str, done: set[str], stack: tuple[str, ...]) -> None:
        head = self.names.families[name]
        if name in done:
            return
        if name in stack:  # the pass that orders definitions reports the circle
            done.add(name)
            return
        declared = head.declared
        for generator in declared.index.generators if declared.index else ():
            if (
                isinstance(generator.domain, syntax.Name)
                and generator.domain.name in self.names.families
            ):
                self._family_head(generator.domain.name, done, (*stack, name))
        if declared.index is not None:
            head.indices = self._own_infos(name, declared)
            head.parents = tuple(
                g.domain.name
                for g in declared.index.generators
                if isinstance(g.domain, syntax.Name) and g.domain.name in self.names.families
            )
        elif declared.kind is FamilyKind.NODES and declared.read is not None:
            head.labels = declared.read.names
            head.indices = {declared.read.index: IndexInfo(name, name)}
        elif declared.kind is not FamilyKind.NODE:
            head.labels = _set_labels(declared)
            head.indices = {name: IndexInfo(None, name if head.labels else IndexInfo().root)}
            head.indices = self.tuple_infos(declared) or head.indices
            layers = (
                self.ranges.of_layers_text(declared.members, {})
                if declared.members is not None
                else None
            )
            head.indices = {name: layers} if layers is not None else head.indices
            if (
                isinstance(declared.members, syntax.Name)
                and declared.members.name in self.names.families
            ):
                parent = declared.members.name
                self._family_head(parent, done, (*stack, name))
                head.parents = (parent,)
                head.indices = {name: self.ranges.of_members(parent)}
        if declared.ends is not None:
            head.end_families = (
                self._end_family(declared.ends[0], head),
                self._end_family(declared.ends[1], head),
            )
        done.add(name)

    def tuple_infos(self, declared: syntax.Family) -> dict[str, IndexInfo]:
        """What the indices of `set pair = {(1, 2), (2, 3)}` run over; empty for any other set."""
        tuples = [item for item in listed_items(declared) if isinstance(item, syntax.Tuple)]
        if not tuples:
            return {}
        heads = self.names.families.items()
        owners = {label: name for name, head in heads for label in _set_labels(head.declared) or ()}
        infos: dict[str, IndexInfo] = {}
        for name, item in zip(TUPLE_INDICES, tuples[0].items, strict=False):
            family = owners.get(member_name(item) or "")
            infos[name] = IndexInfo(family, family) if family else IndexInfo()
        return infos

    def _end_family(self, end: syntax.Expression, head: FamilyHead) -> str | None:
        base = end.base if isinstance(end, syntax.Subscript) else end
        if isinstance(base, syntax.Name):
            if base.name in head.indices:
                return head.indices[base.name].family
            if base.name in self.names.families:
                return base.name
        if isinstance(base, syntax.Attribute):  # a member that is an attribute of another, `m.home`
            owner = self._end_family(base.base, head)
            attributes = self.names.families[owner].declared.declarations if owner else ()
            attribute = next(
                (declared for declared in attributes if declared.name == base.name), None
            )
            return self._member_of(attribute.type) if attribute else None
        return None

    def _own_infos(self, name: str, declared: syntax.Family) -> dict[str, IndexInfo]:
        """The infos of a family's indices; the one index of `nodes n[k in 1..3]` runs over the
        nodes themselves.
        """
        infos = self.ranges.of_text(declared.index)
        if len(infos) == 1 and declared.kind in NODE_KINDS:
            return {
                i: IndexInfo(name) if info == IndexInfo() else info for i, info in infos.items()
            }
        return infos

    def _member_of(self, type_: syntax.Type | None) -> str | None:
        for word in type_.words if type_ else ():
            if word.text in self.names.families and not _is_unit(word.text, self.names.units):
                return word.text
        return None


def listed_items(declared: syntax.Family) -> tuple[syntax.Expression, ...]:
    """What stands in the braces of a set."""
    members = declared.members
    return members.items if isinstance(members, syntax.Listing) and members.brackets == "{}" else ()


def _set_labels(declared: syntax.Family) -> tuple[str, ...] | None:
    """The names of `set S = {a, b}` or of the members in a file, or None for numbers and ranges."""
    if declared.read is not None:
        return declared.read.names
    return tuple(label for label, _ in _label_names(declared)) or None


def _label_names(declared: syntax.Family) -> tuple[tuple[str, Span], ...]:
    """The members of `set S = {a, "north wing"}` as written; nothing for numbers and ranges."""
    items = listed_items(declared)
    names = [(member_name(item), item.span) for item in items]
    named = tuple((name, span) for name, span in names if name is not None)
    return named if len(named) == len(items) else ()


def _is_unit(text: str, own: OwnUnits) -> bool:
    try:
        parse_unit(text, own)
    except UnitError:
        return False
    return True
