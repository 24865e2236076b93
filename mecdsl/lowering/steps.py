"""What became of the kinks of a model, one step for each."""

from dataclasses import dataclass

from mecdsl.diagnostics import Span
from mecdsl.model import symbolic as sym

LONGEST = 40  # characters of a part that is quoted

WORDS = {
    "rows": "as rows",
    "binaries": "as rows with binaries",
    "cone": "as a cone",
    "square": "squared",
    "settled": "as the part that the ranges leave",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one kink: `method` is a key of `WORDS`, or "" and `reason` says why it was
    kept.

    `kind`: `max`, `min`, `abs`, or `sqrt` of a root. `where`: the constraint or objective it stands
    in.
    """

    kind: str
    where: str
    method: str
    reason: str
    span: Span

    @property
    def words(self) -> str:
        """What it is and became, such as "`max` as rows"."""
        return f"`{self.kind}` {WORDS[self.method]}"


def kind_of(expression: sym.Expression) -> str:
    """`max`, `min`, `abs`; `sqrt` for what holds a root."""
    match expression:
        case sym.Function(name=name) | sym.Aggregate(function=name):
            return name
        case _:
            return "sqrt"


def short(expression: sym.Expression) -> str:
    """The text of an expression, cut where it is long."""
    text = " ".join(expression.span.text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
