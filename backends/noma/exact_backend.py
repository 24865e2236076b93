"""`exact` as a backend: which problems it takes.

It proves its optimum for all forms, with a cut for each user or one for all. Bounds are lowered by
what rounding may have added to them at most (`mecdsl.backends.noma.log_powers`); no interval
arithmetic is behind that.
"""

from mecdsl.backends.noma.backends import Noma
from mecdsl.backends.noma.exact import exact, unfit
from mecdsl.backends.noma.recognise import PAPER, Recognised
from mecdsl.backends.noma.system import Form, Plan, System
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.solution import Guarantee, SolveOptions


class NomaExact(Noma):
    """Dynamic programme over sets of users."""

    name = "noma-exact"
    module = "exact"
    capabilities = PAPER.offers(
        "dynamic programme over sets of users, bounds lowered by what rounding may add",
        Guarantee.GLOBAL,
        exact=True,
        time_limit=True,
    )

    def refusal(self, problem: Recognised) -> str:
        return super().refusal(problem) or unfit(problem.system)

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        return exact(system, form, options.gap, options.time_limit)
