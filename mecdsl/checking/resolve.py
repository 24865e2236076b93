"""Syntax tree to symbolic model: declarations, types, and every expression in its scope."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from mecdsl.checking.member_files import TUPLE_INDICES, member_name
from mecdsl.checking.named_objective import objective_as_definition
from mecdsl.checking.resolve_expression import ExpressionResolver, part_of_unit
from mecdsl.checking.resolve_layers import static_info
from mecdsl.checking.resolve_topology import ENDS
from mecdsl.checking.scope import (
    NODE_KINDS,
    FamilyHead,
    IndexInfo,
    Names,
    Scope,
    SymbolHead,
    Unresolved,
)
from mecdsl.diagnostics import Collector, Label, Span, count, nearest
from mecdsl.forms.apply import KIND_WORDS, FormedDocument
from mecdsl.model import symbolic as sym
from mecdsl.model.levels import in_unit, takes_numbers
from mecdsl.model.relation import Relation
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import FamilyKind, Kind
from mecdsl.units import DIMENSIONLESS, OwnUnits, Unit, UnitError, parse_unit

RESERVED = frozenset({"inf"})
NO_INDICES: Mapping[str, IndexInfo] = MappingProxyType({})


DOMAINS = tuple(domain.value for domain in sym.NumberDomain)


@dataclass(frozen=True, slots=True)
class _Type:
    """A resolved type."""

    domain: sym.NumberDomain
    unit: Unit | None
    member_of: str | None
    limits: tuple[sym.Limit, ...]


def resolve(document: FormedDocument, units: OwnUnits, collector: Collector) -> sym.Model:
    """The symbolic model of a document, which declares the given units; faults go to the collector.

    What could not be resolved is left out of the model, which is then good for further checks only.
    """
    return _Resolver(document, units, collector).run()


class _Resolver:
    def __init__(self, document: FormedDocument, units: OwnUnits, collector: Collector) -> None:
        self.document = document
        self.collector = collector
        self.names = Names(collector, units)
        self.expressions = ExpressionResolver(self.names)
        self.families: dict[str, sym.Family] = {}
        self.symbols: dict[str, sym.Symbol] = {}

    def run(self) -> sym.Model:
        self._collect()
        self._heads()
        for name in self.names.families:
            self._family(name)
        for name in self.names.symbols:
            self._symbol(name)
        header = next((s for s in self.document.statements if isinstance(s, syntax.Header)), None)
        statements = self.document.statements
        return sym.Model(
            header.name if header else "",
            header.title if header else "",
            tuple(s.text for s in statements if isinstance(s, syntax.Cite)),
            self.families,
            self.symbols,
            tuple(
                c
                for s in statements
                if isinstance(s, syntax.Constraint)
                for c in self._constraint(s)
            ),
            self._objective(),
            self._assignments(s for s in statements if isinstance(s, syntax.Start)),
            self._assignments(self.document.fixes),
            self._assignments(self.document.settings),
            tuple(sym.FormInfo(s.name, s.doc) for s in statements if isinstance(s, syntax.Form)),
            self.document.form,
            {},
            self.document.span,
            units=self.names.units,
        )

    # Names

    def _collect(self) -> None:
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

    # Heads: index infos and member types, needed before any expression

    def _heads(self) -> None:
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
            own = self._infos(head.declared.index, owners)
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
            head.indices = self._tuple_infos(declared) or head.indices
            layers = (
                static_info(declared.members, {}, self.names)
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
                head.indices = {name: self.names.member_info(parent)}
        if declared.ends is not None:
            head.end_families = (
                self._end_family(declared.ends[0], head),
                self._end_family(declared.ends[1], head),
            )
        done.add(name)

    def _tuple_infos(self, declared: syntax.Family) -> dict[str, IndexInfo]:
        """What the indices of `set pair = {(1, 2), (2, 3)}` run over; empty for any other set."""
        tuples = [item for item in _listed_items(declared) if isinstance(item, syntax.Tuple)]
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
            known = self.names.families[owner].declared.declarations if owner else ()
            found = next((declared for declared in known if declared.name == base.name), None)
            return self._member_of(found.type) if found else None
        return None

    def _own_infos(self, name: str, declared: syntax.Family) -> dict[str, IndexInfo]:
        """The infos of a family's indices; the one index of `nodes n[k in 1..3]` runs over the
        nodes themselves.
        """
        infos = self._infos(declared.index)
        if len(infos) == 1 and declared.kind in NODE_KINDS:
            return {
                i: IndexInfo(name) if info == IndexInfo() else info for i, info in infos.items()
            }
        return infos

    def _infos(
        self, index: syntax.IndexList | None, outer: Mapping[str, IndexInfo] = NO_INDICES
    ) -> dict[str, IndexInfo]:
        """Index infos without reporting faults: `space` reports them later.

        `outer`: the indices of the owner.
        """
        infos: dict[str, IndexInfo] = {}
        for generator in index.generators if index else ():
            domain = generator.domain
            family = self._domain_family(domain, {**outer, **infos})
            if family is not None:
                head = self.names.families[family]
                if len(generator.names) == 1:
                    infos[generator.names[0]] = self.names.member_info(family)
                else:
                    infos.update(zip(generator.names, head.indices.values(), strict=False))
            else:
                layers = static_info(domain, infos, self.names)
                infos.update(dict.fromkeys(generator.names, layers or IndexInfo()))
        return infos

    def _domain_family(
        self, domain: syntax.Expression, infos: Mapping[str, IndexInfo]
    ) -> str | None:
        """The family whose members a set is made of, where that can be seen from its names."""
        match domain:
            case syntax.Name(name=name) if name in self.names.families:
                return name
            case syntax.Call(function=function, base=syntax.Name(name=name)) if function in ENDS:
                return name if name in self.names.families else None
            case syntax.Call(function=function, arguments=(syntax.Name(name=name),)) if (
                function in ENDS
            ):
                info = (
                    self.names.member_info(name)
                    if name in self.names.families
                    else infos.get(name, IndexInfo())
                )
                fits = self.expressions.topology.meant(info, ENDS[function])
                return fits[0] if len(fits) == 1 else None
            case _:
                return None

    def _member_of(self, type_: syntax.Type | None) -> str | None:
        for word in type_.words if type_ else ():
            if word.text in self.names.families and not _is_unit(word.text, self.names.units):
                return word.text
        return None

    # Families and symbols

    def _family(self, name: str) -> None:
        head = self.names.families[name]
        declared = head.declared
        space, scope = sym.Space(), Scope()
        ends: tuple[sym.Expression, sym.Expression] | None = None
        listed: tuple[tuple[sym.Expression, ...], ...] | None = None
        try:
            if declared.index is not None:
                generators, condition = declared.index.generators, declared.index.condition
                space, scope = self.expressions.space(generators, condition, Scope())
                if declared.kind is FamilyKind.SET:
                    space, listed = self._restricted(declared, space, scope), self._listed(head)
            elif self._tuple_infos(declared):
                listed = self._listed(head)
                space = self._tuple_space(head, listed or ())
            elif head.labels is not None:
                scope = Scope(head.indices)
                condition = declared.condition
                inner = (
                    self.expressions.resolve(condition, scope) if condition is not None else None
                )
                space = sym.Space((self._named(head),), inner)
            elif declared.kind is FamilyKind.SET and declared.members is not None:
                domain = self.expressions.domain(declared.members, Scope())
                scope = Scope(head.indices)
                inner = (
                    self.expressions.resolve(declared.condition, scope)
                    if declared.condition is not None
                    else None
                )
                space = sym.Space((sym.Generator((name,), domain, declared.span),), inner)
            elif declared.kind is not FamilyKind.NODE:
                fix = f"write `{declared.kind.value} {name}[k in 1..n]`"
                if declared.kind is FamilyKind.SET and declared.source_file is not None:
                    fix = f"say what the columns are: `set {name}[m in I, n in J] from ...`"
                self.collector.error(
                    "E109", f"`{name}` has no members", declared.name_span, help=fix
                )
            if declared.ends is not None:
                ends = (self._end(declared.ends[0], scope), self._end(declared.ends[1], scope))
        except Unresolved:
            pass
        self.families[name] = sym.Family(
            name,
            declared.kind,
            space,
            head.labels,
            ends,
            head.end_families,
            declared.source_file.value if declared.source_file else None,
            declared.doc,
            declared.name_span,
            listed=listed,
            layer_file=declared.layer_file,
        )

    def _named(self, head: FamilyHead) -> sym.Generator:
        """The generator of a family whose members have names."""
        declared = head.declared
        one = sym.Constant(1.0, DIMENSIONLESS, declared.span)
        last = sym.Constant(float(len(head.labels or ())), DIMENSIONLESS, declared.span)
        domain = sym.RangeDomain(one, last, names_of=declared.name)
        return sym.Generator(tuple(head.indices), domain, declared.span)

    def _restricted(self, declared: syntax.Family, space: sym.Space, scope: Scope) -> sym.Space:
        """The space of a set with the condition after its members."""
        if declared.condition is None:
            return space
        condition = self.expressions.resolve(declared.condition, scope)
        if space.condition is not None:
            condition = sym.Operation("and", (space.condition, condition), declared.condition.span)
        return sym.Space(space.generators, condition)

    def _listed(self, head: FamilyHead) -> tuple[tuple[sym.Expression, ...], ...] | None:
        """The members written in `{(1, 2), (2, 3)}`; None if the set is not given that way."""
        declared = head.declared
        if declared.members is None:
            return None
        if not isinstance(declared.members, syntax.Listing):
            pattern = ", ".join(head.indices)
            fix = f"list its members, `{{({pattern}), ...}}`, or give a condition: `where ...`"
            message = f"the members of `{declared.name}[{pattern}]` are tuples"
            self.collector.error("E106", message, declared.members.span, help=fix)
            raise Unresolved
        members: list[tuple[sym.Expression, ...]] = []
        faulty = False
        for item in _listed_items(declared):
            parts = item.items if isinstance(item, syntax.Tuple) else (item,)
            try:
                wanted = [*head.indices.values(), *[None] * len(parts)]
                known = tuple(
                    self.expressions.known(part, Scope(), info)
                    for part, info in zip(parts, wanted, strict=False)
                )
                self.expressions.topology.check_indices(declared.name, known, item.span)
                members.append(tuple(part.expression for part in known))
            except Unresolved:
                faulty = True
        if faulty:
            raise Unresolved
        return tuple(members)

    def _tuple_space(
        self, head: FamilyHead, listed: tuple[tuple[sym.Expression, ...], ...]
    ) -> sym.Space:
        """The space of a set of tuples without an index list: each index runs over what stands in
        its place.
        """
        declared = head.declared
        if declared.condition is not None:
            pattern = ", ".join(f"{name} in I" for name in head.indices)
            fix = f"name the indices: `set {declared.name}[{pattern}] = ...`"
            self.collector.error(
                "E109", "the condition has no index to speak of", declared.condition.span, help=fix
            )
            raise Unresolved
        generators: list[sym.Generator] = []
        for position, (name, info) in enumerate(head.indices.items()):
            written = sym.ListDomain(tuple(member[position] for member in listed))
            domain = sym.FamilyDomain(info.family) if info.family else written
            generators.append(sym.Generator((name,), domain, declared.name_span))
        return sym.Space(tuple(generators))

    def _end(self, end: syntax.Expression, scope: Scope) -> sym.Expression:
        if isinstance(end, syntax.Name) and end.name in self.names.families:
            if self.names.families[end.name].arity == 0:
                return sym.Constant(1.0, DIMENSIONLESS, end.span)
            index = next((i for i, info in scope.indices.items() if info.family == end.name), None)
            fix = (
                f"write `{index}`, which runs over it"
                if index
                else f"write one member, `{end.name}[k]`"
            )
            message = f"`{end.name}` is a family, the end of a link is one member"
            self.collector.error("E104", message, end.span, help=fix)
            raise Unresolved
        return self.expressions.resolve(end, scope)

    def _symbol(self, name: str) -> None:
        head = self.names.symbols[name]
        declared = head.declared
        owner = self.families[head.owner] if head.owner else None
        scope = Scope(self.names.families[head.owner].indices if head.owner else {}, head.owner)
        own_space = sym.Space()
        value: sym.Expression | sym.DataArray | sym.DataFile | None = None
        type_ = _Type(sym.NumberDomain.REAL, None, None, ())
        with suppress(Unresolved):
            if declared.index is not None:
                generators, condition = declared.index.generators, declared.index.condition
                own_space, scope = self.expressions.space(generators, condition, scope)
        with suppress(Unresolved):
            type_ = self._type(head, scope)
        address = f"{head.owner}.(x, y)" if isinstance(declared.value, syntax.Coordinate) else name
        self.expressions.random_for, self.expressions.calls = (
            address if declared.kind is Kind.PARAM else None,
            0,
        )
        self.expressions.value_of = (
            self.names.member_info(head.member_of) if head.member_of else None
        )
        with suppress(Unresolved):
            value = self._value(declared, scope)
        self.expressions.random_for = self.expressions.value_of = None
        if value is not None and type_.unit is not None and takes_numbers(type_.unit):
            value = value if isinstance(value, sym.DataFile) else _in_level(value, type_.unit)
        self._require(declared, name, type_)
        space = own_space
        if owner is not None:
            generators_ = (*owner.space.generators, *own_space.generators)
            space = sym.Space(generators_, own_space.condition)
        self.symbols[name] = sym.Symbol(
            name,
            declared.kind,
            head.owner,
            own_space,
            space,
            type_.domain,
            type_.unit,
            type_.limits,
            value,
            type_.member_of,
            declared.doc,
            declared.name_span,
        )

    def _value(
        self, declared: syntax.Declaration, scope: Scope
    ) -> sym.Expression | sym.DataArray | sym.DataFile | None:
        if declared.source_file is not None:
            return sym.DataFile(declared.source_file.value, declared.source_file.span)
        if declared.value is None:
            return None
        return self._initial(declared.value, scope)

    def _initial(self, value: syntax.Expression, scope: Scope) -> sym.Expression | sym.DataArray:
        if isinstance(value, syntax.Listing) and value.brackets == "[]":
            return sym.DataArray(
                tuple(self._initial(item, Scope()) for item in value.items), value.span
            )
        return self.expressions.resolve(value, scope)

    def _require(self, declared: syntax.Declaration, name: str, type_: _Type) -> None:
        """What each kind of declaration must and must not have."""
        kind, span = declared.kind, declared.name_span
        if kind in (Kind.LET, Kind.REPORT) and declared.value is None:
            fix = f"write `{declared.span.text.split(chr(34))[0].strip()} = ...`"
            self.collector.error("E109", f"`{name}` has no value", span, help=fix)
        if kind in (Kind.PARAM, Kind.VAR) and declared.type is None:
            self.collector.error(
                "E109",
                f"`{name}` says no unit",
                span,
                help=f"write `{name} : s`, `{name} : bit/s`, or `{name} : 1` for a plain number",
            )
        if kind is Kind.VAR:
            if declared.value is not None or declared.source_file is not None:
                fix = (
                    f"a first guess is written `start {name} = ...`, a fixed value belongs "
                    "into a form: `fix`"
                )
                self.collector.error("E109", f"variable `{name}` is given a value", span, help=fix)
            if type_.member_of is not None:
                self.collector.error("E109", f"variable `{name}` cannot range over a set", span)
            for limit in type_.limits:
                if limit.operator in ("<", ">"):
                    fix = f"write `{limit.operator}=`"
                    self.collector.error(
                        "E109",
                        f"a variable has no strict bound `{limit.operator}`",
                        limit.span,
                        help=fix,
                    )
        self._require_tolerance(kind, type_)

    def _require_tolerance(self, kind: Kind, type_: _Type) -> None:
        """Only what a solver computes to a tolerance has one."""
        for limit in type_.limits:
            if limit.operator != syntax.STATED_TOLERANCE:
                continue
            if kind is not Kind.VAR:
                message = "only a variable has a tolerance"
            elif type_.domain is not sym.NumberDomain.REAL:
                message = (
                    f"an {type_.domain.value} variable has no tolerance: whole numbers "
                    "are judged exactly"
                )
                message = message.replace("an binary", "a binary")
            else:
                continue
            self.collector.error("E109", message, limit.span, help="delete it")

    def _type(self, head: SymbolHead, scope: Scope) -> _Type:
        type_ = head.declared.type
        if type_ is None:
            return _Type(sym.NumberDomain.REAL, None, None, ())
        domain, unit = self._domain_and_unit(head, type_)
        limits: list[sym.Limit] = []
        if domain is sym.NumberDomain.BINARY:
            zero, one = (sym.Constant(v, DIMENSIONLESS, type_.span) for v in (0.0, 1.0))
            limits += [sym.Limit(">=", zero, type_.span), sym.Limit("<=", one, type_.span)]
        for bound in type_.bounds:
            try:
                value = self.expressions.resolve(bound.value, scope)
            except Unresolved:
                continue
            if unit is not None and takes_numbers(unit):
                value = in_unit(value, unit)
            limits.append(sym.Limit(bound.operator, value, bound.span))
        bounded = any(limit.operator == ">=" for limit in limits)
        if unit is not None and unit.logarithmic and head.declared.kind is Kind.VAR and not bounded:
            nothing = sym.Constant(0.0, unit.dimension, type_.span)
            limits.append(sym.Limit(">=", nothing, type_.span))  # no level stands for less
        return _Type(domain, unit, head.member_of, tuple(limits))

    def _domain_and_unit(
        self, head: SymbolHead, type_: syntax.Type
    ) -> tuple[sym.NumberDomain, Unit | None]:
        """What the words of a type say; no unit fits every dimension, so that no further fault
        follows from one.
        """
        domains = [word for word in type_.words if word.text in DOMAINS]
        others = [
            word for word in type_.words if word not in domains and word.text != head.member_of
        ]
        for extra in [*domains[1:], *others[1:]]:
            message = f"`{extra.text}` is one word too many in a type"
            self.collector.error("E109", message, extra.span, help="domain, unit, bounds")
        indices = not others and head.member_of is not None
        domain = sym.NumberDomain.INTEGER if indices else sym.NumberDomain.REAL
        if domains and not indices:
            domain = sym.NumberDomain(domains[0].text)
        unit = self._unit(others[0]) if others else parse_unit("1")
        binary = domain is sym.NumberDomain.BINARY
        if binary and unit is not None and not unit.dimension.is_dimensionless:
            fix = f"delete `{others[0].text}`"
            self.collector.error("E109", "a binary has no unit", others[0].span, help=fix)
            unit = None
        return domain, unit

    def _unit(self, word: syntax.TypeWord) -> Unit | None:
        try:
            return parse_unit(word.text, self.names.units)
        except UnitError as error:
            near = nearest(word.text, ["integer", "binary", "real", *self.names.families])
            fix = f"did you mean `{near}`?" if near else error.help
            self.collector.error(
                "E114", error.message, part_of_unit(word.span, word.text, error), help=fix
            )
            return None  # fits every dimension, so that no further fault follows from this one

    # Constraints, objective, assignments

    def _constraint(self, declared: syntax.Constraint) -> list[sym.Constraint]:
        if not self._is_relation(declared):
            return []
        scope, space = Scope(), sym.Space()
        try:
            if declared.index is not None:
                generators, condition = declared.index.generators, declared.index.condition
                space, scope = self.expressions.space(generators, condition, Scope())
        except Unresolved:
            return []
        resolved: list[sym.Expression] = []
        for operand in declared.operands:
            try:
                resolved.append(self.expressions.resolve(operand, scope))
            except Unresolved:
                continue
        switch: sym.Switch | None = None
        try:
            switch = self._switch(declared.when, scope) if declared.when is not None else None
        except Unresolved:
            return []
        if len(resolved) < len(declared.operands):
            return []
        pairs = list(zip(resolved, declared.operators, resolved[1:], strict=False))
        suffixes = [""] if len(pairs) == 1 else [".lower", ".upper"]
        return [
            sym.Constraint(
                name=declared.name + suffix,
                space=space,
                left=left,
                relation=Relation(operator),
                right=right,
                doc=declared.doc,
                span=declared.name_span,
                switch=switch,
            )
            for (left, operator, right), suffix in zip(pairs, suffixes, strict=True)
        ]

    def _is_relation(self, declared: syntax.Constraint) -> bool:
        """Whether it compares, by relations that a solver can keep; else that is reported."""
        first, last = declared.operands[0], declared.operands[-1]
        if not declared.operators:
            joined = isinstance(first, syntax.Binary) and first.operator in ("and", "or")
            fix = (
                "write one constraint for each condition, or `low <= x <= high`"
                if joined
                else "write `left <= right`, `left >= right` or `left == right`"
            )
            message = f"constraint `{declared.name}` is no comparison"
            self.collector.error("E112", message, first.span, help=fix)
            return False
        strict = {"<": "write `<=`", ">": "write `>=`"}
        wrong = [operator for operator in declared.operators if operator not in tuple(Relation)]
        for operator in wrong[:1]:
            fix = strict.get(operator, "write `<=`, `>=` or `==`")
            message = f"`{operator}` is no constraint a solver can keep"
            self.collector.error("E112", message, first.span.to(last.span), help=fix)
        return not wrong

    def _switch(self, when: syntax.Expression, scope: Scope) -> sym.Switch:
        """`x`, `not x`, `x == 1` or `x == 0` with a binary variable x; a form may have relaxed
        it.
        """
        condition, value = self.expressions.resolve(when, scope), 1
        match condition:
            case sym.Operation(operator="not", operands=(inner,)):
                condition, value = inner, 0
            case sym.Operation(operator="==", operands=(inner, sym.Constant(value=number))) if (
                number in (0.0, 1.0)
            ):
                condition, value = inner, int(number)
            case _:
                pass
        if isinstance(condition, sym.Lookup):
            declared = self.names.symbols[condition.symbol].declared
            words = [word.text for word in declared.type.words] if declared.type else []
            if declared.kind is Kind.VAR and (
                "binary" in words or condition.symbol in self.document.relaxed_binaries
            ):
                return sym.Switch(condition, value, when.span)
        self.collector.error(
            "E121",
            f"`when {when.span.text}` does not name a binary variable",
            when.span,
            help="write `when x`, `when not x`, `when x == 1` or `when x == 0`; a condition "
            "on data stands in the "
            "index, `[k in K where ...]`",
        )
        raise Unresolved

    def _objective(self) -> sym.Objective:
        found = [s for s in self.document.statements if isinstance(s, syntax.Objective)]
        zero = sym.Constant(0.0, None, self.document.span)
        if not found:
            empty = not self.document.statements
            message = "the text holds no statement" if empty else "the model has no objective"
            fix = "write `minimize name = expression` or `maximize name = expression`"
            self.collector.error("E111", message, self._first_line(), help=fix)
            return sym.Objective("objective", "minimize", zero, "", self.document.span)
        for extra in found[1:]:
            fix = "weigh the two in one sum; a weight has a unit, such as J/s"
            if extra.span.source.included and found[0].span.source.included:
                fix = (
                    "state the objective in the file that includes both, it stands in "
                    "place of theirs"
                )
            labels = (Label(found[0].name_span, "the first is here"),)
            self.collector.error(
                "E111", "the model has a second objective", extra.name_span, labels=labels, help=fix
            )
        first = found[0]
        try:
            value = self.expressions.resolve(first.value, Scope())
        except Unresolved:
            value = zero
        unit = self._objective_unit(first)
        if unit is not None and takes_numbers(unit):
            value = in_unit(value, unit)
        return sym.Objective(first.name, first.sense, value, first.doc, first.name_span, unit)

    def _objective_unit(self, objective: syntax.Objective) -> Unit | None:
        """The unit of `minimize energy : J = ...`; what is minimised has no domain and no
        bounds.
        """
        if objective.type is None:
            return None
        words = [word for word in objective.type.words if word.text != "real"]
        extra = [word for word in words if word.text in ("integer", "binary")] or words[1:]
        for span in (
            *(word.span for word in extra),
            *(bound.span for bound in objective.type.bounds),
        ):
            message = f"`{span.text}` cannot stand in the type of an objective"
            alone = next((word.text for word in words if word not in extra), "1")
            fix = f"write its unit alone, `{objective.sense} {objective.name} : {alone} = ...`"
            fix += "; bounds are constraints"
            self.collector.error("E109", message, span, help=fix)
        return None if extra else self._unit(words[0]) if words else parse_unit("1")

    def _first_line(self) -> Span:
        """A place for faults of the model as a whole."""
        source = self.document.span.source
        header = next((s for s in self.document.statements if isinstance(s, syntax.Header)), None)
        line = header.span.line if header else 1
        return Span(source, line, 1, line, len(source.line(line)) + 1)

    def _assignments(self, statements: object) -> tuple[sym.Assignment, ...]:
        result: list[sym.Assignment] = []
        for statement in statements:  # type: ignore[attr-defined]
            try:
                result.append(self._assignment(statement))
            except Unresolved:
                continue
        return tuple(result)

    def _assignment(self, statement: syntax.Start | syntax.Fix | syntax.SetValue) -> sym.Assignment:
        target = statement.target
        wanted = (Kind.PARAM, Kind.LET) if isinstance(statement, syntax.SetValue) else (Kind.VAR,)
        head = self.names.symbols.get(target.name)
        if head is not None and head.declared.kind not in wanted:
            raise self._wrong_kind(statement, head.declared.kind)
        if head is None:
            known = [n for n, h in self.names.symbols.items() if h.declared.kind in wanted]
            near = nearest(target.name, known)
            what = KIND_WORDS[wanted[0]]
            fix = f"did you mean `{near}`?" if near else None
            self.collector.error("E102", f"no {what} named `{target.name}`", target.span, help=fix)
            raise Unresolved
        if len(target.indices) != len(head.indices):
            pattern = ", ".join(name for name, _ in head.indices)
            fix = f"write `{target.name}[{pattern}]`" if pattern else f"write `{target.name}`"
            message = (
                f"`{target.name}` takes {count(len(head.indices), 'index')}, found "
                f"{len(target.indices)}"
            )
            self.collector.error("E104", message, target.span, help=fix)
            raise Unresolved
        infos: dict[str, IndexInfo] = {}
        equal: list[tuple[str, syntax.Expression]] = []
        for (own_name, info), pattern_ in zip(head.indices, target.indices, strict=True):
            if isinstance(pattern_, syntax.Name) and not self._is_value(pattern_.name):
                self._refuse_member(target, pattern_, info)
                infos[pattern_.name] = info
            else:
                infos[f"{own_name} "] = info  # a name no text can hold, bound by the equation alone
                equal.append((f"{own_name} ", pattern_))
        scope = Scope(infos)
        condition: sym.Expression | None = None
        for name, pattern_ in equal:
            index = sym.IndexValue(name, pattern_.span, infos[name].family, infos[name].root)
            member = self.expressions.known(pattern_, scope, infos[name]).expression
            test = sym.Operation("==", (index, member), pattern_.span)
            condition = (
                test
                if condition is None
                else sym.Operation("and", (condition, test), pattern_.span)
            )
        value = self._initial(statement.value, scope)
        unit = self.symbols[target.name].unit if target.name in self.symbols else None
        if unit is not None and takes_numbers(unit):
            value = _in_level(value, unit)
        return sym.Assignment(target.name, tuple(infos), condition, value, statement.span)

    def _wrong_kind(
        self, statement: syntax.Start | syntax.Fix | syntax.SetValue, kind: Kind
    ) -> Unresolved:
        name, what = statement.target.name, KIND_WORDS[kind]
        match statement:
            case syntax.Start():
                message, fix = (
                    f"`{name}` is a {what}, only variables have start values",
                    "delete this line",
                )
            case syntax.Fix():
                message, fix = (
                    f"`{name}` is a {what} and cannot be fixed",
                    "use `set` for a parameter",
                )
            case _:
                message, fix = f"`{name}` is a {what} and cannot be set", "use `fix` for a variable"
        self.collector.error("E113", message, statement.target.span, help=fix)
        return Unresolved()

    def _is_value(self, name: str) -> bool:
        """Whether the text declares a name; names that files list change no meaning of a text."""
        written = any(
            self.names.families[f].declared.read is None for f, _ in self.names.labels.get(name, ())
        )
        return name in self.names.symbols or written

    def _refuse_member(self, target: syntax.Target, pattern: syntax.Name, info: IndexInfo) -> None:
        """A bare pattern is an index, for all members; one that is called as a member is most
        likely meant as it.
        """
        if any(family == info.root for family, _ in self.names.labels.get(pattern.name, ())):
            message = (
                f"`{pattern.name}` is an index here, and the name of a member of `{info.root}`"
            )
            fix = f'write `"{pattern.name}"` for the member, or give the index another name'
            self.collector.error("E105", message, pattern.span, help=fix)
            raise Unresolved


def _in_level(value: sym.Expression | sym.DataArray, unit: Unit) -> sym.Expression | sym.DataArray:
    """The value of what is declared in a level or in per cent, its bare numbers in that unit."""
    if isinstance(value, sym.DataArray):
        return sym.DataArray(tuple(_in_level(item, unit) for item in value.items), value.span)
    return in_unit(value, unit)


def _listed_items(declared: syntax.Family) -> tuple[syntax.Expression, ...]:
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
    items = _listed_items(declared)
    names = [(member_name(item), item.span) for item in items]
    found = tuple((name, span) for name, span in names if name is not None)
    return found if len(found) == len(items) else ()


def _is_unit(text: str, own: OwnUnits) -> bool:
    try:
        parse_unit(text, own)
    except UnitError:
        return False
    return True
