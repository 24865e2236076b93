"""Split inference over NOMA: a point as the answer of an algorithm, beside the bound that holds at
any size.
"""

from collections.abc import Mapping

from mecdsl.backends.noma.closed_forms import lower_bound
from mecdsl.backends.noma.cost import spent
from mecdsl.backends.noma.polish import Finished
from mecdsl.backends.noma.system import Decisions, Form, Plan, System
from mecdsl.solution import Iteration, Termination


def planned(
    system: System,
    form: Form,
    found: Finished | Decisions,
    label: str,
    *,
    certificate: Mapping[str, float] | None = None,
    iterations: tuple[Iteration, ...] = (),
    message: str = "",
) -> Plan:
    """The plan of a point, with its cost computed once more; the certificate also has
    `total_time` in s and `total_energy` in J.
    """
    decisions = found.decisions if isinstance(found, Finished) else found
    amounts = spent(system, form, decisions)
    numbers = dict(certificate or {})
    numbers |= {
        "total_time": float(amounts.time.sum()),
        "total_energy": float(amounts.energy.sum()),
    }
    return Plan(
        termination=Termination.FINISHED,
        label=label,
        decisions=decisions,
        objective=float(amounts.weighted(system).sum()),
        bound=lower_bound(system, form),
        certificate=numbers,
        iterations=iterations,
        message=message,
    )
