"""The symbolic model: names resolved, families kept as families, no data yet.

Expressions compare by identity, so that passes can keep what they learn about a node in a
dictionary. An index holds a label: the integer of a range, the position (from 1) in a set of names,
or the row of a family with several indices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from mecdsl.diagnostics import Diagnostic, Span
from mecdsl.model.relation import Relation
from mecdsl.networks.layer_file import LayerFile
from mecdsl.parsing.syntax import FamilyKind, Kind
from mecdsl.units import NO_OWN, Dimension, OwnUnits, Unit

# Expressions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A number in SI; `dimension` None fits every dimension (a bare 0 and inf).

    `unit` as it was written.
    """

    value: float
    dimension: Dimension | None
    span: Span
    unit: Unit | None = None


@dataclass(frozen=True, slots=True, eq=False)
class IndexValue:
    """The label of an index in scope; `family` is set if it runs over the members of one.

    `row`: the value is a row of a family with several indices. `root` is the space of labels.
    """

    name: str
    span: Span
    family: str | None = None
    root: str = "integers"
    row: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The value of a symbol at indices; `by_row`: the one index is a row of the owner's table."""

    symbol: str
    indices: tuple["Expression", ...]
    span: Span
    by_row: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class LinkEnd:
    """`l.from` (end 0) or `l.to` (end 1) of a member of a links family."""

    family: str
    end: int
    link: "Expression"
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A member found in the table of a family, by its label or row.

    `first`, `last`: of the family; `prev`, `next`: beside the member in `arguments`; `at`: the row
    of the member with these indices; `row`: the same, -1 where there is none.
    """

    family: str
    function: str
    arguments: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """`+ - * / ^ neg`, comparisons, `and or not`."""

    operator: str
    operands: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """`if condition then value else other`; the condition holds data only."""

    condition: "Expression"
    then: "Expression"
    otherwise: "Expression"
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    name: str
    arguments: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """A random number of a parameter's data; `symbol` and `call` are its address, with the indices
    in scope.

    `axis`: for a point of a region, which coordinate of it: 0 is x, 1 is y. Both have the same
    address.
    """

    function: str
    arguments: tuple["Expression", ...]
    symbol: str
    call: int
    span: Span
    axis: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Membership:
    """`x in I`."""

    value: "Expression"
    domain: "Domain"
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """sum, prod, min, max, count, all, any over generators."""

    function: str
    body: "Expression"
    space: "Space"
    span: Span


Expression = (
    Constant
    | IndexValue
    | Lookup
    | LinkEnd
    | Member
    | Operation
    | Choice
    | Function
    | Draw
    | Membership
    | Aggregate
)

# Sets ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class RangeDomain:
    """Both ends included; `cuts_of` names the layers whose cuts the numbers are.

    `names_of`: the family whose `labels` the numbers stand for.
    """

    low: Expression
    high: Expression
    cuts_of: str | None = None
    names_of: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FamilyDomain:
    """The members of a set, nodes, layers or links family."""

    family: str


@dataclass(frozen=True, slots=True, eq=False)
class LinksAt:
    """The links of a family whose end (0 from, 1 to) is a node."""

    family: str
    end: int
    node: Expression


@dataclass(frozen=True, slots=True, eq=False)
class ListDomain:
    """Integers written one by one, or members of `names_of`, a family whose members have names."""

    items: tuple[Expression, ...]
    names_of: str | None = None


class LayerGroup(Enum):
    """Layers that belong to a cut or to a layer of their network."""

    CUT = "the layers in cut c"
    CROSSING = "those in cut c that a layer outside of it reads"
    BEFORE = "those that layer j reads"
    AFTER = "those that read layer j"


@dataclass(frozen=True, slots=True, eq=False)
class LayersDomain:
    """Layers of a family: a group of the cut or layer `of`."""

    family: str
    group: LayerGroup
    of: Expression


Domain = RangeDomain | FamilyDomain | LinksAt | ListDomain | LayersDomain


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    names: tuple[str, ...]
    domain: Domain
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The index rows of a family: generators from left to right, then the condition."""

    generators: tuple[Generator, ...] = ()
    condition: Expression | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The index names in order."""
        return tuple(name for generator in self.generators for name in generator.names)


@dataclass(frozen=True, slots=True)
class Family:
    """A set, node, nodes, layers or links family; `labels` are the names of its members, if they
    have names.

    `listed`: the members of a set written one by one as tuples; each lies in the space.
    `layer_file`: the attributes and the graph of layers that come from a file.
    """

    name: str
    kind: FamilyKind
    space: Space
    labels: tuple[str, ...] | None
    ends: tuple[Expression, Expression] | None
    end_families: tuple[str | None, str | None]
    source_file: str | None
    doc: str
    span: Span
    listed: tuple[tuple[Expression, ...], ...] | None = None
    layer_file: LayerFile | None = None

    @property
    def arity(self) -> int:
        """How many indices a member has."""
        return len(self.space.names)


# Symbols ------------------------------------------------------------------------------------------


class NumberDomain(Enum):
    """What values a parameter or variable takes."""

    REAL = "real"
    INTEGER = "integer"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class DataFile:
    """`from "file.csv"` beside the model."""

    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class DataArray:
    """An inline array `[a, [b, c]]` in family order."""

    items: tuple["Expression | DataArray", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound of a parameter or variable: `>=`, `<=`, `>` or `<`."""

    operator: str
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A param, let, var or report, under its qualified name.

    `space` is the owner's space followed by the symbol's own; `own_space` the latter alone.
    `member_of` names the family whose members the values are, if they are indices.
    """

    name: str
    kind: Kind
    owner: str | None
    own_space: Space
    space: Space
    domain: NumberDomain
    unit: Unit | None
    limits: tuple[Limit, ...]
    value: Expression | DataArray | DataFile | None
    member_of: str | None
    doc: str
    span: Span

    @property
    def formula(self) -> Expression | None:
        """The value where it is an expression, and neither absent nor an array or a file."""
        return self.value if isinstance(self.value, Expression) else None


@dataclass(frozen=True, slots=True)
class Assignment:
    """`start`, `fix` or `set` of a symbol: rows of `space` that meet the condition get `value`.

    `names`: the index of the symbol at each position as it is called in `value`; a pattern that is
    not a bare name became part of the condition.
    """

    symbol: str
    names: tuple[str, ...]
    condition: Expression | None
    value: Expression | DataArray
    span: Span


@dataclass(frozen=True, slots=True)
class Switch:
    """`when x`, `when not x`: a variable of 0 and 1 and the value at which a constraint holds."""

    variable: Lookup
    value: int
    span: Span


@dataclass(frozen=True, slots=True)
class Constraint:
    """`left relation right` for every row of the space, or for those where the switch has its
    value.

    A pass turns constraints with a switch into big-M rows and keeps them as `Model.switched`.
    """

    name: str
    space: Space
    left: Expression
    relation: Relation
    right: Expression
    doc: str
    span: Span
    switch: Switch | None = None


@dataclass(frozen=True, slots=True)
class Objective:
    """`unit`: the declared one. `player`: whose own problem this is, "" for that of the model."""

    name: str
    sense: str
    value: Expression
    doc: str
    span: Span
    unit: Unit | None = None
    player: str = ""


@dataclass(frozen=True, slots=True)
class OwnVariable:
    """A variable that players choose: its members whose first indices are these, None for any.

    `by_row`: the one index is a row of the owner's table.
    """

    symbol: str
    indices: tuple[Expression | None, ...]
    span: Span
    by_row: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Players:
    """Every row of the space is a player, who minimises or maximises `value` over own variables."""

    name: str
    space: Space
    sense: str
    value: Expression
    choosing: tuple[OwnVariable, ...]
    doc: str
    span: Span


@dataclass(frozen=True, slots=True)
class FormInfo:
    name: str
    doc: str


@dataclass(frozen=True, slots=True)
class Bounded:
    """A variable in a product and its limits there, over the space of the product."""

    symbol: str
    lower: Expression
    upper: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Linearized:
    """What became of a product: `variable` stands for it, `rows` are the constraints that came with
    it.

    `value`: the product over `space`. `exact`: the rows leave no other value than that. `places`:
    what it was replaced in. A binary times itself is the binary and has neither rows nor factors.
    """

    product: str
    variable: str
    value: Expression
    exact: bool
    method: str
    space: Space
    factors: tuple[Bounded, ...]
    rows: tuple[str, ...]
    places: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Switched:
    """A constraint with a switch and what stands for it: rows, and the names of the definitions of
    their big-M.
    """

    constraint: Constraint
    switch: Switch
    rows: tuple[str, ...]
    big_m: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A checked model, possibly in one of its forms.

    With `players` it states a game: the objective is then the sum of theirs where they have one
    unit, and nothing else. `potential`: the name of the report that is stated to be its potential.
    """

    name: str
    title: str
    cites: tuple[str, ...]
    families: Mapping[str, Family]
    symbols: Mapping[str, Symbol]
    constraints: tuple[Constraint, ...]
    objective: Objective
    starts: tuple[Assignment, ...]
    fixes: tuple[Assignment, ...]
    settings: tuple[Assignment, ...]
    forms: tuple[FormInfo, ...]
    form: str
    dimensions: Mapping[str, Dimension | None]
    span: Span
    warnings: tuple[Diagnostic, ...] = field(default=())
    linearized: tuple[Linearized, ...] = ()
    switched: tuple[Switched, ...] = ()
    units: OwnUnits = NO_OWN
    players: tuple[Players, ...] = ()
    potential: str = ""

    @property
    def exact(self) -> bool:
        """Whether the products of this form that became variables can take no other value."""
        return all(fact.exact for fact in self.linearized)

    def of_kind(self, kind: Kind) -> Iterator[Symbol]:
        """The symbols of one kind in the order of the text."""
        return (symbol for symbol in self.symbols.values() if symbol.kind is kind)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts of an expression, those in the domains of generators included."""
    match expression:
        case Constant() | IndexValue():
            return ()
        case Lookup(indices=indices):
            return indices
        case LinkEnd(link=link):
            return (link,)
        case Member(arguments=arguments):
            return arguments
        case Operation(operands=operands):
            return operands
        case Choice():
            return (expression.condition, expression.then, expression.otherwise)
        case Function(arguments=arguments) | Draw(arguments=arguments):
            return arguments
        case Membership(value=value, domain=domain):
            return (value, *domain_parts(domain))
        case Aggregate(body=body, space=space):
            return (body, *space_parts(space))
        case _:
            raise TypeError(f"unknown expression {type(expression).__name__}")


def domain_parts(domain: Domain) -> tuple[Expression, ...]:
    """The expressions in a domain."""
    match domain:
        case RangeDomain():
            return (domain.low, domain.high)
        case FamilyDomain():
            return ()
        case LinksAt(node=node):
            return (node,)
        case ListDomain():
            return domain.items
        case LayersDomain():
            return (domain.of,)
        case _:
            raise TypeError(f"unknown domain {type(domain).__name__}")


def space_parts(space: Space) -> tuple[Expression, ...]:
    """The expressions in a space."""
    parts = tuple(part for generator in space.generators for part in domain_parts(generator.domain))
    return parts if space.condition is None else (*parts, space.condition)


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and everything in it, outermost first."""
    stack = [expression]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


def data_expressions(value: "Expression | DataArray") -> Iterator[Expression]:
    """The expressions of a value that may be an array."""
    if isinstance(value, DataArray):
        for item in value.items:
            yield from data_expressions(item)
    else:
        yield value
