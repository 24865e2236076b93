"""Multipliers and the certificate of an answer, as text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mecdsl.analysis.display_units import multiplier_display
from mecdsl.analysis.member_units import with_unit
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.output.json.kkt import CONDITIONS
from mecdsl.output.text.layout import index_text, members, named_values, number, table

if TYPE_CHECKING:
    from mecdsl.certificates.kkt import Condition, Kkt


def multipliers_text(
    instance: Instance, multipliers: Mapping[str, FloatArray], kkt: "Kkt | None"
) -> str:
    """The families with a multiplier that matters, each with its values; empty if there is none.

    Interior point methods leave 1e-18 where 0 is meant: a family whose multipliers are no share of
    the objective to the tolerance of the conditions is left out.
    """
    rows = []
    for family in instance.constraints:
        values = np.asarray(multipliers.get(family.name, ()), dtype=np.float64)
        if len(values) and values.any() and (kkt is None or kkt.matters(family.name)):
            unit = multiplier_display(instance, family.constraint)
            rows.append(
                [
                    f"{family.name}{index_text(family.constraint.space)}",
                    members(values + 0.0, unit),
                    "",
                ]
            )
    return named_values(rows) if rows else ""


def certificate_text(kkt: "Kkt | None", bound_by: str, claimed: Mapping[str, float]) -> str:
    """A line for the origin of the bound, each condition, and each number the solver gave; empty if
    there is none.
    """
    rows = [["bound", f"by {bound_by}"]] if bound_by else []
    if kkt is not None:
        rows += [[name, _condition_text(getattr(kkt, name))] for name in CONDITIONS]
    stated = {name for name, *_ in rows}
    rows += [
        [f"{name} (claimed)" if name in stated else name, number(value)]
        for name, value in claimed.items()
    ]
    return table(rows)


def _condition_text(condition: "Condition") -> str:
    """`3e-09 of the objective, 2.1e-10 J/s at layer_pack.time[2]`."""
    if condition.relative == 0.0:
        return "0"
    amount = with_unit(f"{condition.amount:.2g}", condition.unit)
    state = "" if condition.accepted else ": NOT MET"
    return f"{condition.relative:.1e} of the objective, {amount} at {condition.member}{state}"
