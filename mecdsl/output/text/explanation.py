"""`mecdsl check --explain`: what became of every product, whether that is exact, and what it
costs.
"""

from mecdsl.diagnostics import count
from mecdsl.instances.instance import Instance
from mecdsl.instances.reformulations import LimitRange, Reformulation, big_ms, reformulations
from mecdsl.output.text.layout import index_text, paragraph, quantity, table, unit_of


def explanation_text(instance: Instance) -> str:
    """The reformulations of an instance as tables of at most 80 columns."""
    parts = [_products_text(instance)]
    if instance.model.switched:
        parts.append(_switches_text(instance))
    return "\n\n".join(parts)


def _switches_text(instance: Instance) -> str:
    """The constraints with a switch, and the computed numbers that switch them off."""
    rows: list[list[str]] = []
    for switched in big_ms(instance):
        fact = switched.fact
        unit = unit_of(instance, instance.model.symbols[fact.big_m[0]])
        low, high = quantity(switched.smallest, unit), quantity(switched.largest, unit)
        shown = low if low == high else f"{low} .. {high}"
        name = fact.constraint.name + index_text(fact.constraint.space)
        rows.append(
            [name, fact.switch.span.text, f"M = {shown}", f"exact; {count(switched.rows, 'row')}"]
        )
    return "conditions\n" + table(rows, ("", "when", "off by", "which is"))


def _products_text(instance: Instance) -> str:
    replaced = reformulations(instance)
    if not replaced:
        return "products  none is reformulated in this form"
    lines = [
        "products",
        table([_row(instance, one) for one in replaced], ("", "became", "which is", "because")),
    ]
    made = [one for one in replaced if one.ranges]
    if made:
        lines += ["", "limits in their rows"]
        lines.append(
            table([_limit_row(instance, one, limits) for one in made for limits in one.ranges])
        )
    columns, rows = (sum(getattr(one, name) for one in replaced) for name in ("columns", "rows"))
    before = (
        f"{count(instance.columns - columns, 'variable')} and {count(instance.rows - rows, 'row')}"
    )
    after = f"{count(instance.columns, 'variable')} and {count(instance.rows, 'row')}"
    lines += ["", f"size   before {before}, after {after}"]
    if not instance.model.exact:
        lines.append(
            paragraph("worth  a relaxation: its optimum is a bound for the model, not a plan")
        )
    else:
        lines.append("worth  exact: the same plans as before, and the same optimum")
    return "\n".join(lines)


def _row(instance: Instance, one: Reformulation) -> list[str]:
    fact = one.fact
    space = instance.model.symbols[fact.variable].space
    verdict = "exact" if fact.exact else "a relaxation"
    because = f"{fact.method}; in {', '.join(fact.places)}"
    if one.rows:
        because += f"; {count(one.columns, 'variable')}, {count(one.rows, 'row')}"
    return [fact.product, fact.variable + index_text(space), verdict, because]


def _limit_row(instance: Instance, one: Reformulation, limits: LimitRange) -> list[str]:
    unit = unit_of(instance, instance.model.symbols[limits.symbol])

    def extent(values: tuple[float, float]) -> str:
        low, high = values
        shown = quantity(low, unit)
        return shown if low == high else f"{shown} .. {quantity(high, unit)}"

    return [
        one.fact.variable,
        limits.symbol,
        f"from {extent(limits.lower)}",
        f"to {extent(limits.upper)}",
    ]
