"""What `check` finds as text."""

from mecdsl.convexity.problem import analyse, sampled
from mecdsl.diagnostics import count
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.output.text.explanation import explanation_text
from mecdsl.output.text.game import game_text
from mecdsl.output.text.layout import headline, paragraph
from mecdsl.output.text.lowering import lowering_text, steps_text
from mecdsl.output.text.problem import problem_text


def check_text(
    path: str, model: sym.Model, instance: Instance | None, relaxed: bool, explain: bool
) -> str:
    """The class with its reasons, of a model without faults.

    `path`: of the model, to name it where its class is not known. `instance`: None where data are
    missing. `explain`: what became of every product, switch and kink too.
    """
    forms = [form.name for form in model.forms]
    if instance is None:
        also = f" and its {count(len(forms), 'form')}" if forms else ""
        return (
            f"{path}: no faults in the model{also}\n"
            "class  not known without data: give the parameters that have no value with --data"
        )
    parts = [headline(instance, relaxed)]
    if instance.model.players:  # nobody plays in the forms `social` and `potential`
        parts.append(game_text(instance))
    else:
        parts += [problem_text(sampled(instance, analyse(instance))), lowering_text(instance)]
    if explain:
        steps = steps_text(instance)
        parts += [explanation_text(instance), f"\n{steps}" if steps else ""]
    if forms:
        parts.append(paragraph(f"forms  {', '.join(forms)}: no faults", further=7))
    return "\n".join(part for part in parts if part)
