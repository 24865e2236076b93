"""What `check` and `show` say of the statement that solvers get where it has no kinks any more."""

from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import count
from mecdsl.instances.instance import Instance
from mecdsl.lowering.lower import Lowered, lowered
from mecdsl.output.text.layout import paragraph, table


def lowering_text(instance: Instance) -> str:
    """The class after lowering and what was lowered; why a kink stays; empty for a model without
    kinks.
    """
    twin = lowered(instance)
    lines = [_class_line(twin)] if twin.changed else []
    for step in twin.steps:
        if not step.method:
            text = (
                f"`{' '.join(step.span.text.split())}` in `{step.where}` stays as it is: "
                f"{step.reason}"
            )
            lines.append(paragraph(text))
    return "\n".join(dict.fromkeys(lines))


def _class_line(twin: Lowered) -> str:
    problem, before = analyse(twin.instance), twin.original
    columns, rows = twin.instance.columns - before.columns, twin.instance.rows - before.rows
    sizes = (
        f"{count(columns, 'variable')} and {count(rows, 'row')} more"
        if columns or rows
        else "no variable more"
    )
    return paragraph(
        f"solved as  {problem.class_name}: {', '.join(twin.words)}; {sizes}", further=11
    )


def steps_text(instance: Instance) -> str:
    """Every kink and what became of it, as a table; empty if there is none."""
    steps = lowered(instance).steps
    if not steps:
        return ""
    rows = [
        [" ".join(s.span.text.split()), s.where, s.words if s.method else f"stays: {s.reason}"]
        for s in steps
    ]
    return "kinks\n" + table(rows, ("", "in", "became"))
