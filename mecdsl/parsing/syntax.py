"""The syntax tree: what the text says, before names, shapes and units are known.

Every node carries its span. Trees are never changed; a form makes a new tree.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mecdsl.diagnostics import Span
from mecdsl.networks.layer_file import LayerFile

# Expressions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, with the text of its unit if it has one."""

    value: str
    unit: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Attribute:
    """`base.name`."""

    base: "Expression"
    name: str
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class Subscript:
    """`base[i, j]`."""

    base: "Expression"
    indices: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `not x`."""

    operator: str
    operand: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic `+ - * / ^`, comparison `<= >= == != < >`, `and`, `or`, `in`."""

    operator: str
    left: "Expression"
    right: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class IfElse:
    condition: "Expression"
    then: "Expression"
    otherwise: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`, or `base.function(argument)`."""

    function: str
    arguments: tuple["Expression", ...]
    span: Span
    name_span: Span
    base: "Expression | None" = None


@dataclass(frozen=True, slots=True)
class Generator:
    """`i in I` or `(i, j) in L`."""

    names: tuple[str, ...]
    domain: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`sum(body for i in I, j in J where condition)`, likewise prod, min, max, count, all, any."""

    function: str
    body: "Expression"
    generators: tuple[Generator, ...]
    condition: "Expression | None"
    span: Span


@dataclass(frozen=True, slots=True)
class Range:
    """`low..high`, both ends included."""

    low: "Expression"
    high: "Expression"
    span: Span


@dataclass(frozen=True, slots=True)
class Listing:
    """`[a, b]` (data in order) or `{a, b}` (members of a set)."""

    items: tuple["Expression", ...]
    brackets: str
    span: Span


@dataclass(frozen=True, slots=True)
class Tuple:
    """`(a, b)`: a member of a set of tuples."""

    items: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One coordinate of `position in region(...) around centre`: `axis` 0 is x, 1 is y."""

    region: Call
    axis: int
    around: "Expression | None"
    span: Span


Expression = (
    Quantity
    | Text
    | Name
    | Attribute
    | Subscript
    | Unary
    | Binary
    | IfElse
    | Call
    | Aggregate
    | Range
    | Listing
    | Tuple
    | Coordinate
)

# Declarations -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexList:
    """`[i in I, j in J where condition]` after a declared name."""

    generators: tuple[Generator, ...]
    condition: Expression | None
    span: Span


STATED_TOLERANCE: Final = "tolerance"
"""The operator of what is no bound but stands among them: how far a variable may be off."""


@dataclass(frozen=True, slots=True)
class Bound:
    """`>= e`, `<= e`, `> e`, `< e`, `tolerance e` in a type."""

    operator: str
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class TypeWord:
    """One word of a type: a domain, a unit such as `cycle/s`, or the name of a set."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Type:
    words: tuple[TypeWord, ...]
    bounds: tuple[Bound, ...]
    span: Span


class Kind(Enum):
    PARAM = "param"
    LET = "let"
    VAR = "var"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """param, let, var or report; inside a block or on its own.

    `potential`: a report that is the potential of the game.
    """

    kind: Kind
    name: str
    index: IndexList | None
    type: Type | None
    value: Expression | None
    source_file: Text | None
    doc: str
    span: Span
    name_span: Span
    potential: bool = False


class FamilyKind(Enum):
    SET = "set"
    NODE = "node"
    NODES = "nodes"
    LAYERS = "layers"
    LINKS = "links"


@dataclass(frozen=True, slots=True)
class ReadMembers:
    """The names of the members that a file lists, and what an index over them is called."""

    names: tuple[str, ...]
    index: str


@dataclass(frozen=True, slots=True)
class Family:
    """set, node, nodes, layers or links. `members` is the right-hand side of `set S = ...`.

    `layer_file`: what the file of `layers net from "net.csv"` says. `read`: the names of the
    members that the file of `nodes server from "servers.csv"` or `set place from "places.csv"`
    lists.
    """

    kind: FamilyKind
    name: str
    index: IndexList | None
    members: Expression | None
    condition: Expression | None
    ends: tuple[Expression, Expression] | None
    declarations: tuple[Declaration, ...]
    source_file: Text | None
    doc: str
    span: Span
    name_span: Span
    ordered: bool = False
    layer_file: LayerFile | None = None
    read: ReadMembers | None = None


@dataclass(frozen=True, slots=True)
class Objective:
    sense: str
    name: str
    value: Expression
    doc: str
    span: Span
    name_span: Span
    type: Type | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Players:
    """`players n in device: minimize cost[n] choosing x[n]`, or `player operator: ...` of one.

    `name`: that of a single player, "" of a family. `index`: of a family. `choosing`: the variables
    that are a player's own.
    """

    name: str
    index: IndexList | None
    sense: str
    value: Expression
    choosing: tuple["Target", ...]
    doc: str
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class Constraint:
    """`left op right` or `low op middle op high`, only where the variable of `when` says so."""

    name: str
    index: IndexList | None
    operands: tuple[Expression, ...]
    operators: tuple[str, ...]
    doc: str
    span: Span
    name_span: Span
    when: Expression | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A name with optional index patterns on the left of fix, set and start: `learner.batch[k]`."""

    name: str
    indices: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Start:
    target: Target
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Relax:
    targets: tuple[Target, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Fix:
    target: Target
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class SetValue:
    """`set total = 5 s`: another value of a parameter."""

    target: Target
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Drop:
    targets: tuple[Target, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Linearize:
    """`linearize x*y`, two targets, or `linearize all`, one called `all`."""

    targets: tuple[Target, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Add:
    """`add` or `replace` of a declaration; a member has its qualified name
    (`add var learner.used`).
    """

    statement: "Declaration | Constraint | Objective"
    replace: bool
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    name: str
    doc: str
    parents: tuple[Name, ...]
    changes: tuple["Relax | Fix | SetValue | Drop | Add | Linearize", ...]
    span: Span
    name_span: Span
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """`model name "title"`."""

    name: str
    title: str
    span: Span


@dataclass(frozen=True, slots=True)
class Cite:
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Include:
    """`include "shared.mec"`; the parser puts the statements of the file in its place."""

    file: Text
    span: Span


@dataclass(frozen=True, slots=True)
class UnitDeclaration:
    """`unit token`, `dimension request`, or `unit GiB = 2^30 byte`: without a value something new
    that is counted.
    """

    name: str
    value: Expression | None
    doc: str
    span: Span
    name_span: Span


Statement = (
    Header
    | Cite
    | Include
    | UnitDeclaration
    | Declaration
    | Family
    | Objective
    | Players
    | Constraint
    | Start
    | Form
)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole `.mec` file."""

    statements: tuple[Statement, ...]
    span: Span
