"""The algorithms for cooperative computing as backends: which problems they take, and their plans
as solutions.

All of them but the exact method and the local search choose the depths by (21) anyway, so they take
the forms with one depth per server as they are.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mecdsl.backends.cooperative.system import Layers, Limits, Plan, Reals, System
from mecdsl.backends.derived.base import Answer, Derived
from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.paper import Paper
from mecdsl.backends.derived.recognise import problem_of
from mecdsl.backends.derived.reference import Shipped
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.instances.instance import Instance
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, Iteration, SolveOptions

LIMITS = {"rate_floor": "rate", "latency_limit": "latency", "task_limit": "load"}
SEARCHED = "other_depths"  # the rows that leave one depth per server
ATTRIBUTES: Mapping[str, str] = {
    "task_size": "device.task_size",
    "min_rate": "device.min_rate",
    "max_latency": "device.max_latency",
    "power": "device.power",
    "cpu": "device.cpu",
    "work": "device.work",
    "bandwidth": "server.bandwidth",
    "server_cpu": "server.cpu",
    "capacity": "backhaul.capacity",
    "max_tasks": "server.max_tasks",
    "gain": "uplink.gain",
    "distance": "uplink.distance",
    "output_ratio": "server.output_ratio",
    "cumulative_work": "server.cumulative_work",
}


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """Problem (19) found in an instance, with the limits that are on and the depths that are
    allowed.
    """

    system: System
    limits: Limits
    layers: Layers = Layers.FREE


def read(found: Found) -> Recognised:
    """The paper's data and the limits that are on; raises ValueError where the data leave its
    ranges.
    """
    tasks, servers, layers = (found.size(family) for family in ("device", "server", "cnn"))
    shapes = dict.fromkeys(("gain", "distance"), (tasks, servers))
    shapes |= dict.fromkeys(("output_ratio", "cumulative_work"), (servers, layers))
    data = {name: found.data(qualified) for name, qualified in ATTRIBUTES.items()}
    shaped = {name: own.reshape(shapes.get(name, own.shape)) for name, own in data.items()}
    present = found.rows.present
    return Recognised(
        System(**shaped, noise_power=found.number("noise_power")),
        Limits(**{limit: family in present for family, limit in LIMITS.items()}),
        Layers.SEARCHED if SEARCHED in present else Layers.FREE,
    )


PAPER = Paper(
    title="cooperative computing",
    reference="Chai, Song, Chen, Joint Task Offloading, CNN Layer Scheduling, and Resource "
    "Allocation, problem (19)",
    problems=(Shipped("cooperative", "load_limit+searched_layers", "(19)"),),
    reads=frozenset({*ATTRIBUTES.values(), "noise_power"}),
    sizes=(("device_count", "device"), ("server_count", "server"), ("layer_count", "cnn")),
    read=read,
    classes=frozenset({ProblemClass.MINLP}),
    optional=frozenset({*LIMITS, SEARCHED}),
)


def recognise(instance: Instance) -> Recognised | str:
    """Problem (19) with its limits, or the reason why the instance is none of its forms."""
    return problem_of(instance, PAPER)


class Cooperative(Derived[Recognised, Plan]):
    """What the backends share; `needs` HiGHS, which solves masters and relaxations."""

    paper = PAPER
    needs = ("numpy", "highspy")
    takes_load = False
    takes_limits = True

    def refusal(self, problem: Recognised) -> str:
        if problem.limits.load and not self.takes_load:
            return "has no rule for a load limit (`task_limit`)"
        if (problem.limits.rate or problem.limits.latency) and not self.takes_limits:
            return "knows neither `rate_floor` nor `latency_limit`"
        return ""

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        """The algorithm itself."""
        raise TypeError(f"{type(self).__name__} has no algorithm")

    def run(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        started = time.perf_counter()
        plan = self.plan(problem, options, own)
        return replace(plan, iterations=_with_plan(plan, time.perf_counter() - started))

    def answer(self, problem: Recognised, outcome: Plan, options: SolveOptions) -> Answer:
        return Answer(
            outcome.termination,
            outcome.label,
            values=_values(problem.system, outcome),
            objective=outcome.objective,
            bound=outcome.bound,
            certificate=outcome.certificate,
            iterations=outcome.iterations,
            message=outcome.message,
        )


def _with_plan(plan: Plan, seconds: float) -> tuple[Iteration, ...]:
    """The steps an algorithm recorded, and the plan it ended with if none of them has its
    objective.
    """
    if not plan.iterations or plan.objective is None:
        return plan.iterations
    last = plan.iterations[-1].objective
    if last is not None and np.isclose(last, plan.objective, rtol=1e-9, atol=0.0):
        return plan.iterations
    number = plan.iterations[-1].number + 1
    return (
        *plan.iterations,
        Iteration(
            number=number,
            objective=plan.objective,
            bound=plan.bound,
            residual=None,
            seconds=seconds,
            note="plan",
        ),
    )


def _values(system: System, plan: Plan) -> dict[str, Reals] | None:
    """A plan as values by variable family; None where the plan has no point."""
    if plan.server is None or plan.depth is None or plan.shares is None:
        return None
    _, servers, layers = system.shape
    assign = plan.server[:, None] == np.arange(servers)[None, :]
    schedule = assign[:, :, None] & (
        plan.depth[:, None, None] == np.arange(1, layers + 1)[None, None, :]
    )
    parts = {"device.local": plan.local, "uplink.assign": assign, "uplink.schedule": schedule}
    for position, share in enumerate(("bandwidth", "cpu", "backhaul")):
        parts[f"uplink.{share}_share"] = plan.shares[:, :, position]
    return {name: np.asarray(part, dtype=np.float64) for name, part in parts.items()}


EPS = ("eps", "the constant of (23), 0.001 by default")
ROUNDING = ("rounding", "`relaxation` (default) or `limit`, its limit for eps to 0")


class CooperativeExact(Cooperative):
    """Outer approximation over assignments."""

    name = "cooperative-exact"
    capabilities = PAPER.offers(
        "outer approximation", Guarantee.GLOBAL, exact=True, time_limit=True
    )
    takes_load = True

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.exact import exact

        return exact(
            problem.system,
            problem.limits,
            layers=problem.layers,
            gap=options.gap,
            time_limit=options.time_limit,
            threads=options.threads,
            seed=options.seed,
        )


class CooperativePa(Cooperative):
    """The paper's Algorithm 3."""

    name = "cooperative-pa"
    capabilities = PAPER.offers(
        "the paper's three stages, Algorithm 3", Guarantee.FEASIBLE, EPS, ROUNDING
    )

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.pa import Rounding, proposed

        rounding = Rounding(own.word("rounding", tuple(kind.value for kind in Rounding)))
        return proposed(problem.system, problem.limits, rounding, own.number("eps", 1e-3))


class CooperativeRlt0(Cooperative):
    """Shares straight from the relaxation."""

    name = "cooperative-rlt0"
    capabilities = PAPER.offers(
        "shares of the relaxation (27), not unique", Guarantee.FEASIBLE, EPS
    )

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import rlt0

        return rlt0(problem.system, problem.limits, own.number("eps", 1e-3))


class CooperativeEqual(Cooperative):
    """ARA: equal shares."""

    name = "cooperative-equal"
    capabilities = PAPER.offers(
        "places of Algorithm 3, equal shares", Guarantee.FEASIBLE, EPS, ROUNDING
    )

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import equal
        from mecdsl.backends.cooperative.pa import Rounding

        rounding = Rounding(own.word("rounding", tuple(kind.value for kind in Rounding)))
        return equal(problem.system, problem.limits, rounding, own.number("eps", 1e-3))


class CooperativeNearest(Cooperative):
    """MDO: the nearest server."""

    name = "cooperative-nearest"
    capabilities = PAPER.offers(
        "every task at its nearest server",
        Guarantee.FEASIBLE,
        ("shares", "`equal` (default) or `optimal`"),
    )

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import Sharing, nearest

        return nearest(
            problem.system, problem.limits, Sharing(own.word("shares", ("equal", "optimal")))
        )


class CooperativeLocalSearch(Cooperative):
    """Moves and swaps on the square form."""

    name = "cooperative-local-search"
    capabilities = PAPER.offers("moves and swaps from several starts", Guarantee.FEASIBLE)
    takes_load = True
    takes_limits = False

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.search import local_search

        return local_search(
            problem.system, np.random.default_rng(options.seed), problem.limits, problem.layers
        )


class CooperativeIhraSurrogate(Cooperative):
    """A surrogate of IHRA."""

    name = "cooperative-ihra-surrogate"
    capabilities = PAPER.offers(
        "one task per server: a surrogate of IHRA, not that paper's", Guarantee.FEASIBLE
    )

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import ihra_surrogate

        return ihra_surrogate(problem.system, problem.limits)


class CooperativeEejsSurrogate(Cooperative):
    """A surrogate of EEJS."""

    name = "cooperative-eejs-surrogate"
    capabilities = PAPER.offers(
        "least device energy: a surrogate of EEJS, not that paper's",
        Guarantee.FEASIBLE,
        ("kappa", "energy constant of the devices in J*s^2/cycle^3, must be given"),
    )

    def plan(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import eejs_surrogate

        return eejs_surrogate(problem.system, problem.limits, own.number("kappa", None))
