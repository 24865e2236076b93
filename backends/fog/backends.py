"""The algorithms for fog nodes as backends: which problems they take, and their plans as solutions.

They take problem (31) and (24) of the paper with any data, recognised by objective and rows
(`recognise`). The dual bound of (31) holds for (24) too, so both get a proven optimum. Where rows
are given, as in form `equal`, the exact methods and `fog-equal` find the optimum of that form.
Where they are free, `fog-equal`, `fog-rule`, `fog-latency` and `fog-algorithm1` give feasible
points; beside them stands the bound of `fog-newton`, found after the clock has stopped.
"""

import time
from dataclasses import replace
from importlib import import_module

import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends.fog.columns import columns, multipliers
from mecdsl.backends.fog.recognise import Recognised, recognise
from mecdsl.backends.fog.system import Plan
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination

PAPER = "Kilcioglu, Mirghasemi, Stupia, Vandendorpe, IEEE Access 2021, problems (31) and (24)"
GAP = 1e-8  # what the exact methods must close
# what they try: prices are only as good as the root of the gap, and the last digits cost few steps
ASKED = 1e-11


class _Fog:
    """What the backends share."""

    name = ""
    capabilities: Capabilities
    module = ""  # where the algorithm is; imported before the clock starts
    takes_given_rows = True
    takes_equal_rows_only = False  # and is exact where they are given

    def availability(self) -> Availability:
        """Whether SciPy, whose linear programme proves infeasibility, can be imported."""
        try:
            import scipy
        except ImportError as error:
            return Availability(False, reason=str(error))
        return Availability(True, {"numpy": np.__version__, "scipy": scipy.__version__})

    def accepts(self, request: Request) -> Acceptance:
        """Only problems (31) and (24), recognised by objective and rows."""
        found = recognise(request.instance)
        if isinstance(found, str):
            return Acceptance(
                False, f"`{self.name}` was derived for fog nodes, problem (31): {found}"
            )
        if found.rows is not None and not self.takes_given_rows:
            return Acceptance(False, f"`{self.name}` chooses the rows, and they are fixed")
        if self.takes_equal_rows_only and found.rows is not None and not found.equal_rows:
            return Acceptance(False, f"`{self.name}` takes equal rows, and others are fixed")
        return Acceptance(True)

    def plan(self, found: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        """The algorithm itself."""
        raise TypeError(f"{type(self).__name__} has no algorithm")

    def solve(self, request: Request) -> Solution:
        """Run the algorithm and put its plan into the columns of the instance."""
        found = recognise(request.instance)
        if isinstance(found, str):
            raise ValueError(found)
        own = OwnOptions(self.name, dict(self.capabilities.options), dict(request.options.raw))
        import_module(f"mecdsl.backends.fog.{self.module}")
        started = time.perf_counter()
        plan = self.plan(found, request.options, own)
        seconds = {"solve": time.perf_counter() - started}
        exact = self.capabilities.exact or (found.rows is not None and self.takes_equal_rows_only)
        if not exact:
            plan = _beside_bound(found, plan)
        return self._solution(request, found, plan, exact, seconds)

    def _solution(
        self,
        request: Request,
        found: Recognised,
        plan: Plan,
        exact: bool,
        seconds: dict[str, float],
    ) -> Solution:
        values = columns(request.instance, found, plan)
        objective, bound = (plan.objective, plan.bound) if values is not None else (None, None)
        if found.charge and values is not None and objective is not None:  # the same for every plan
            charge = request.instance.objective(values) - objective
            objective, bound = objective + charge, None if bound is None else bound + charge
        return Solution(
            self.name,
            plan.termination,
            _guarantee(plan, exact, request.options.gap),
            values,
            objective,
            bound,
            multipliers(found, plan) if exact else {},
            plan.iterations,
            {**plan.certificate, "iterations": float(len(plan.iterations))}
            if plan.iterations
            else plan.certificate,
            plan.message,
            plan.label,
            dict(self.availability().versions),
            seconds,
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


def _capabilities(
    title: str,
    guarantee: Guarantee,
    *options: tuple[str, str],
    exact: bool = False,
    limit: bool = False,
) -> Capabilities:
    return Capabilities(
        title,
        frozenset({ProblemClass.NLP}),
        guarantee,
        PAPER,
        ("fog", "fog_powers"),
        bounds=True,
        multipliers=exact,
        time_limit=limit,
        exact=exact,
        options=options,
    )


def _asked(options: SolveOptions) -> float:
    """The gap an exact method is asked for; no gap of 0 can be closed in floating point."""
    return min(max(options.gap, 1e-13), ASKED)


def _closed(plan: Plan, options: SolveOptions) -> Plan:
    """A plan whose gap is small enough is optimal, though more was asked for."""
    if plan.termination is Termination.FINISHED and plan.gap <= max(min(options.gap, GAP), 1e-12):
        return replace(plan, termination=Termination.OPTIMAL, message="")
    return plan


class FogNewton(_Fog):
    """Barrier method over rows and layer times."""

    name = "fog-newton"
    module = "newton"
    capabilities = _capabilities(
        "barrier method over rows and layer times", Guarantee.GLOBAL, exact=True, limit=True
    )

    def plan(self, found: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.newton import newton

        return _closed(
            newton(found.system, found.rows, _asked(options), options.time_limit), options
        )


class FogDual(_Fog):
    """Decomposition by prices."""

    name = "fog-dual"
    module = "dual"
    capabilities = _capabilities(
        "decomposition by prices", Guarantee.GLOBAL, exact=True, limit=True
    )

    def plan(self, found: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.dual import dual

        return _closed(dual(found.system, found.rows, _asked(options), options.time_limit), options)


class FogAlgorithm1(_Fog):
    """The paper's Algorithm 1."""

    name = "fog-algorithm1"
    module = "algorithm1"
    capabilities = _capabilities(
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
    )
    takes_given_rows = False

    def plan(self, found: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.algorithm1 import Reading, algorithm1

        reading = Reading(own.word("reading", tuple(kind.value for kind in Reading)))
        return algorithm1(
            found.system, reading, own.count("steps", 500), own.number("tolerance", 1e-7)
        )


class FogEqual(_Fog):
    """NoOptDist: equal rows, all else optimal."""

    name = "fog-equal"
    module = "baselines"
    capabilities = _capabilities(
        "equal rows, all else optimal (NoOptDist)", Guarantee.FEASIBLE, limit=True
    )
    takes_equal_rows_only = True

    def plan(self, found: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.baselines import equal

        return _closed(equal(found.system, _asked(options), options.time_limit), options)


class FogRule(_Fog):
    """Rows by a rule, all else optimal."""

    name = "fog-rule"
    module = "baselines"
    capabilities = _capabilities(
        "rows ~ kappa^(-1/2) c^(-3/2), all else optimal", Guarantee.FEASIBLE, limit=True
    )
    takes_given_rows = False

    def plan(self, found: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.baselines import rule

        return rule(found.system, _asked(options), options.time_limit)


class FogLatency(_Fog):
    """The plan of the smallest deadline."""

    name = "fog-latency"
    module = "baselines"
    capabilities = _capabilities("the smallest deadline, a linear programme", Guarantee.FEASIBLE)

    def plan(self, found: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.fog.baselines import latency

        plan = latency(found.system, found.rows)
        if plan.rows is None or plan.message:
            return plan
        return replace(
            plan, message=f"the smallest deadline is {plan.certificate['smallest_deadline']:.6g} s"
        )
