"""The algorithms for fog nodes as backends: which problems they take, and their plans as solutions.

They take problem (31) and (24) of the paper with any data, recognised by objective and rows
(`recognise`). The dual bound of (31) holds for (24) too, so both get a proven optimum. Where rows
are given, as in form `equal`, the exact methods and `fog-equal` find the optimum of that form.
Where they are free, `fog-equal`, `fog-rule`, `fog-latency` and `fog-algorithm1` give feasible
points; beside them stands the bound of `fog-newton`, found after the clock has stopped.
"""

from dataclasses import replace
from importlib import import_module
from types import ModuleType

from mecdsl.backend import Capabilities
from mecdsl.backends.derived.base import Answer, Derived
from mecdsl.backends.fog.columns import columns, multipliers
from mecdsl.backends.fog.recognise import PAPER, Recognised
from mecdsl.backends.fog.system import Plan
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.solution import Guarantee, SolveOptions, Termination

GAP = 1e-8  # what the exact methods must close
# what they try: prices are only as good as the root of the gap, and the last digits cost few steps
ASKED = 1e-11


class Fog(Derived[Recognised, Plan]):
    """What the backends share; `needs` SciPy, whose linear programme proves infeasibility."""

    paper = PAPER
    needs = ("numpy", "scipy")
    module = ""  # where the algorithm is; imported before the clock starts
    takes_given_rows = True
    takes_equal_rows_only = False  # and is exact where they are given

    def refusal(self, problem: Recognised) -> str:
        if problem.rows is not None and not self.takes_given_rows:
            return "chooses the rows, and they are fixed"
        if self.takes_equal_rows_only and problem.rows is not None and not problem.equal_rows:
            return "takes equal rows, and others are fixed"
        return ""

    def imported(self) -> ModuleType:
        """Where the algorithm is."""
        return import_module(f"mecdsl.backends.fog.{self.module}")

    def prepare(self) -> None:
        self.imported()

    def answer(self, problem: Recognised, outcome: Plan, options: SolveOptions) -> Answer:
        """The plan of an exact method with its prices; any other beside the proven bound."""
        exact = self.capabilities.exact or (problem.rows is not None and self.takes_equal_rows_only)
        plan = outcome if exact else _beside_bound(problem, outcome)
        values = columns(problem, plan)
        steps = {"iterations": float(len(plan.iterations))} if plan.iterations else {}
        return Answer(
            plan.termination,
            plan.label,
            values=values,
            objective=plan.objective,
            bound=None if values is None else plan.bound,
            multipliers=multipliers(problem, plan) if exact else {},
            certificate={**plan.certificate, **steps},
            iterations=plan.iterations,
            message=plan.message,
            guarantee=_guarantee(plan, exact, options.gap),
        )


def _guarantee(plan: Plan, exact: bool, gap: float) -> Guarantee:
    if plan.termination is Termination.INFEASIBLE:
        return Guarantee.INFEASIBLE
    if plan.rows is None:
        return Guarantee.NONE
    return Guarantee.GLOBAL if exact and plan.gap <= max(gap, GAP) else Guarantee.FEASIBLE


def _beside_bound(found: Recognised, plan: Plan) -> Plan:
    """A heuristic's plan with the bound of the problem it was asked for; without a point, what the
    exact method proves.

    The plan's own bound may be one for its own rows only.
    """
    from mecdsl.backends.fog.newton import newton

    best = newton(found.system, found.rows, GAP)
    ending = plan.termination
    if plan.rows is not None:
        ending = Termination.FINISHED if ending is Termination.OPTIMAL else ending
        own = {
            "gap_for_its_rows" if name == "gap" else name: value
            for name, value in plan.certificate.items()
        }
        return replace(plan, termination=ending, bound=best.bound, certificate=own)
    if best.termination is Termination.INFEASIBLE:
        return replace(best, label=plan.label)
    return replace(
        plan,
        termination=Termination.NOT_FOUND if ending is Termination.INFEASIBLE else ending,
        bound=best.bound,
    )


def _asked(options: SolveOptions) -> float:
    """The gap an exact method is asked for; no gap of 0 can be closed in floating point."""
    return min(max(options.gap, 1e-13), ASKED)


def _closed(plan: Plan, options: SolveOptions) -> Plan:
    """A plan whose gap is small enough is optimal, though more was asked for."""
    if plan.termination is Termination.FINISHED and plan.gap <= max(min(options.gap, GAP), 1e-12):
        return replace(plan, termination=Termination.OPTIMAL, message="")
    return plan


class Exact(Fog):
    """An exact method: the function that is called as its module."""

    def run(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        method = getattr(self.imported(), self.module)
        plan: Plan = method(problem.system, problem.rows, _asked(options), options.time_limit)
        return _closed(plan, options)


def _exact(title: str) -> Capabilities:
    return PAPER.offers(title, Guarantee.GLOBAL, exact=True, multipliers=True, time_limit=True)


class FogNewton(Exact):
    """Barrier method over rows and layer times."""

    name = "fog-newton"
    module = "newton"
    capabilities = _exact("barrier method over rows and layer times")


class FogDual(Exact):
    """Decomposition by prices."""

    name = "fog-dual"
    module = "dual"
    capabilities = _exact("decomposition by prices")


class FogAlgorithm1(Fog):
    """The paper's Algorithm 1."""

    name = "fog-algorithm1"
    module = "algorithm1"
    capabilities = PAPER.offers(
        "the paper's Algorithm 1",
        Guarantee.FEASIBLE,
        (
            "reading",
            "how the external problem is read: `frozen` (default), `printed`, `gradient` or "
            "`alternating`",
        ),
        ("steps", "the most iterations, 500 by default"),
        (
            "tolerance",
            "relative change of rows and times below which nothing changes any more, 1e-7 by "
            "default",
        ),
        bounds=True,
    )
    takes_given_rows = False

    def run(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.algorithm1 import Reading, algorithm1

        reading = Reading(own.word("reading", tuple(kind.value for kind in Reading)))
        return algorithm1(
            problem.system, reading, own.count("steps", 500), own.number("tolerance", 1e-7)
        )


class FogEqual(Fog):
    """NoOptDist: equal rows, all else optimal."""

    name = "fog-equal"
    module = "baselines"
    capabilities = PAPER.offers(
        "equal rows, all else optimal (NoOptDist)",
        Guarantee.FEASIBLE,
        bounds=True,
        time_limit=True,
    )
    takes_equal_rows_only = True

    def run(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.baselines import equal

        return _closed(equal(problem.system, _asked(options), options.time_limit), options)


class FogRule(Fog):
    """Rows by a rule, all else optimal."""

    name = "fog-rule"
    module = "baselines"
    capabilities = PAPER.offers(
        "rows ~ kappa^(-1/2) c^(-3/2), all else optimal",
        Guarantee.FEASIBLE,
        bounds=True,
        time_limit=True,
    )
    takes_given_rows = False

    def run(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.baselines import rule

        return rule(problem.system, _asked(options), options.time_limit)


class FogLatency(Fog):
    """The plan of the smallest deadline."""

    name = "fog-latency"
    module = "baselines"
    capabilities = PAPER.offers(
        "the smallest deadline, a linear programme", Guarantee.FEASIBLE, bounds=True
    )

    def run(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.baselines import latency

        plan = latency(problem.system, problem.rows)
        if plan.rows is None or plan.message:
            return plan
        return replace(
            plan, message=f"the smallest deadline is {plan.certificate['smallest_deadline']:.6g} s"
        )
