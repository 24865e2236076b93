"""The algorithms for cooperative computing as backends: which problems they take, and their plans
as solutions.

All of them but the exact method and the local search choose the depths by (21) anyway, so they take
the forms with one depth per server as they are.

As for mobile edge learning, names alone are not believed: objective and constraints of the instance
are compared at random points with those the algorithms were derived for, so an edited model gets a
reason instead of a wrong optimum.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends.cooperative.depths import best_depth
from mecdsl.backends.cooperative.system import Layers, Limits, Plan, Reals, System
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.instances.algebra import Floats
from mecdsl.instances.instance import Instance, difference
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, Iteration, Solution, SolveOptions, Termination

PAPER = (
    "Chai, Song, Chen, Joint Task Offloading, CNN Layer Scheduling, and Resource "
    "Allocation, problem (19)"
)
ALWAYS = frozenset({"one_place", "one_depth", "bandwidth_budget", "cpu_budget", "backhaul_budget"})
OPTIONAL = {"rate_floor": "rate", "latency_limit": "latency", "task_limit": "load"}
SEARCHED = "other_depths"  # the rows that leave one depth per server
VARIABLES = frozenset(
    {
        "device.local",
        "uplink.assign",
        "uplink.schedule",
        "uplink.bandwidth_share",
        "uplink.cpu_share",
        "uplink.backhaul_share",
    }
)
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
}


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """Problem (19) found in an instance, with the limits that are on and the depths that are
    allowed.
    """

    system: System
    limits: Limits
    layers: Layers = Layers.FREE


def recognise(instance: Instance) -> Recognised | str:
    """Problem (19) with its limits, or the reason why the instance is none of its forms."""
    variables = {family.name for family in instance.variables}
    if variables != VARIABLES:
        odd = sorted(variables ^ VARIABLES)
        return (
            f"`{odd[0]}` is {'not part of' if odd[0] in variables else 'missing from'} the problem"
        )
    names = {family.name for family in instance.constraints}
    odd = sorted((names - ALWAYS - set(OPTIONAL) - {SEARCHED}) | (ALWAYS - names))
    if odd:
        return (
            f"`{odd[0]}` is {'not part of' if odd[0] in names else 'missing from'} the "
            "problem it was derived for"
        )
    wanted = {
        *ATTRIBUTES.values(),
        "uplink.gain",
        "uplink.distance",
        "server.output_ratio",
        "server.cumulative_work",
    }
    missing = sorted((wanted | {"noise_power"}) - set(instance.world.values))
    if missing:
        return f"the model has no `{missing[0]}`"
    binaries = (
        instance.variable(name).columns
        for name in ("device.local", "uplink.assign", "uplink.schedule")
    )
    if not all(instance.integral[columns].all() for columns in binaries) or not instance.free.all():
        return "some variables are relaxed or fixed"
    limits = Limits(**{field: name in names for name, field in OPTIONAL.items()})
    try:
        system = _system(instance)
    except ValueError as error:
        return str(error)
    fault = _fault(instance, system)
    return (
        fault
        if fault
        else Recognised(system, limits, Layers.SEARCHED if SEARCHED in names else Layers.FREE)
    )


def _system(instance: Instance) -> System:
    data = instance.data
    tasks, servers = len(data("device.task_size")), len(data("server.bandwidth"))
    layers = len(data("server.output_ratio")) // servers if servers else int(data("layer_count")[0])
    return System(
        **{field: data(name) for field, name in ATTRIBUTES.items()},
        gain=data("uplink.gain").reshape(tasks, servers),
        distance=data("uplink.distance").reshape(tasks, servers),
        output_ratio=data("server.output_ratio").reshape(servers, layers),
        cumulative_work=data("server.cumulative_work").reshape(servers, layers),
        noise_power=float(data("noise_power")[0]),
    )


def _fault(instance: Instance, system: System) -> str:
    """Compare objective and rows with (1) to (18) at two random points inside the bounds."""
    if instance.maximize:
        return "the objective is maximised"
    unit_box = (instance.lower == 0.0).all() and (instance.upper == 1.0).all()
    if not unit_box:
        return "a variable has other bounds"
    generator = np.random.default_rng(0)
    tasks, servers, layers = system.shape
    others = np.arange(1, layers + 1) != best_depth(system)[:, None]
    for _ in range(2):
        x = generator.uniform(0.2, 0.8, instance.columns)
        part = {family.name: x[family.columns] for family in instance.variables}
        assign = part["uplink.assign"].reshape(tasks, servers)
        schedule = part["uplink.schedule"].reshape(tasks, servers, layers)
        shares = [
            part[f"uplink.{name}_share"].reshape(tasks, servers)
            for name in ("bandwidth", "cpu", "backhaul")
        ]
        roots = [
            np.sqrt(system.send_time) * assign,
            (np.sqrt(system.compute_time) * schedule).sum(axis=2),
            (np.sqrt(system.forward_time) * schedule).sum(axis=2),
        ]
        offloaded = sum(
            (root**2 / share for root, share in zip(roots, shares, strict=True)), np.zeros(1)
        )
        latency = part["device.local"] * system.local_latency + np.broadcast_to(
            offloaded, assign.shape
        ).sum(axis=1)
        if not np.isclose(instance.objective(x), latency.sum(), rtol=1e-9):
            return "the objective is not (1)"
        own = {
            "one_place": part["device.local"] + assign.sum(axis=1) - 1.0,
            "one_depth": (schedule.sum(axis=2) - assign).ravel(),
            "bandwidth_budget": shares[0].sum(axis=0) - 1.0,
            "cpu_budget": shares[1].sum(axis=0) - 1.0,
            "backhaul_budget": shares[2].sum(axis=0) - 1.0,
            "rate_floor": (shares[0] - system.rate_share * assign).ravel(),
            "latency_limit": latency - system.max_latency,
            "task_limit": assign.sum(axis=0) - system.max_tasks,
            SEARCHED: schedule[:, others].ravel(),
        }
        fault = _rows_fault(instance, x, own)
        if fault:
            return fault
    return ""


def _rows_fault(instance: Instance, x: Reals, own: Mapping[str, Reals]) -> str:
    relations = {"one_place": "==", "one_depth": "==", "rate_floor": ">="}
    evaluator = instance.evaluator(Floats(x))
    for family in instance.constraints:
        found, expected = np.asarray(difference(evaluator, family)), own[family.name]
        same_shape = family.size == len(expected) and family.relation == relations.get(
            family.name, "<="
        )
        if not same_shape or not np.allclose(found, expected, rtol=1e-9, atol=1e-9):
            return f"`{family.name}` is not the constraint it was derived for"
    return ""


class _Cooperative:
    """What the backends share."""

    name = ""
    capabilities: Capabilities
    takes_load = False
    takes_limits = True

    def availability(self) -> Availability:
        """Whether HiGHS, which solves masters and relaxations, can be imported."""
        try:
            import highspy  # noqa: F401
        except ImportError as error:
            return Availability(False, reason=str(error))
        return Availability(True, {"numpy": np.__version__})

    def accepts(self, request: Request) -> Acceptance:
        """Only problem (19) and its forms, recognised by its rows."""
        found = recognise(request.instance)
        if isinstance(found, str):
            return Acceptance(
                False, f"`{self.name}` was derived for cooperative computing: {found}"
            )
        if found.limits.load and not self.takes_load:
            return Acceptance(False, f"`{self.name}` has no rule for a load limit (`task_limit`)")
        if (found.limits.rate or found.limits.latency) and not self.takes_limits:
            return Acceptance(
                False, f"`{self.name}` knows neither `rate_floor` nor `latency_limit`"
            )
        return Acceptance(True)

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        """The algorithm itself."""
        raise TypeError(f"{type(self).__name__} has no algorithm")

    def solve(self, request: Request) -> Solution:
        """Run the algorithm and put its plan into the columns of the instance."""
        found = recognise(request.instance)
        if isinstance(found, str):
            raise ValueError(found)
        raw = OwnOptions(self.name, dict(self.capabilities.options), dict(request.options.raw))
        started = time.perf_counter()
        plan = self.plan(found, request.options, raw)
        seconds = {"solve": time.perf_counter() - started}
        return _solution(self.name, request.instance, found.system, plan, seconds)


def _solution(
    name: str, instance: Instance, system: System, plan: Plan, seconds: dict[str, float]
) -> Solution:
    values = None
    if plan.server is not None and plan.depth is not None and plan.shares is not None:
        values = _columns(instance, system, plan)
    guarantees = {
        Termination.OPTIMAL: Guarantee.GLOBAL,
        Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    }
    fallback = Guarantee.NONE if values is None else Guarantee.FEASIBLE
    return Solution(
        name,
        plan.termination,
        guarantees.get(plan.termination, fallback),
        values,
        plan.objective if values is not None else None,
        plan.bound,
        iterations=_with_plan(plan, seconds["solve"]),
        certificate=plan.certificate,
        message=plan.message,
        label=plan.label,
        versions={"numpy": np.__version__},
        seconds=seconds,
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
    return (*plan.iterations, Iteration(number, plan.objective, plan.bound, None, seconds, "plan"))


def _columns(instance: Instance, system: System, plan: Plan) -> Reals:
    assert plan.server is not None
    assert plan.depth is not None
    assert plan.shares is not None
    _, servers, layers = system.shape
    assign = plan.server[:, None] == np.arange(servers)[None, :]
    schedule = assign[:, :, None] & (
        plan.depth[:, None, None] == np.arange(1, layers + 1)[None, None, :]
    )
    values = np.zeros(instance.columns)
    parts = {"device.local": plan.local, "uplink.assign": assign, "uplink.schedule": schedule}
    for position, share in enumerate(("bandwidth", "cpu", "backhaul")):
        parts[f"uplink.{share}_share"] = plan.shares[:, :, position]
    for family, part in parts.items():
        values[instance.variable(family).columns] = np.asarray(part, dtype=np.float64).ravel()
    return values


EPS = ("eps", "the constant of (23), 0.001 by default")
ROUNDING = ("rounding", "`relaxation` (default) or `limit`, its limit for eps to 0")


def _capabilities(
    title: str,
    guarantee: Guarantee,
    *options: tuple[str, str],
    exact: bool = False,
    limit: bool = False,
) -> Capabilities:
    classes = frozenset({ProblemClass.MINLP})
    return Capabilities(
        title,
        classes,
        guarantee,
        PAPER,
        ("cooperative",),
        bounds=exact,
        time_limit=limit,
        exact=exact,
        options=options,
    )


class CooperativeExact(_Cooperative):
    """Outer approximation over assignments."""

    name = "cooperative-exact"
    capabilities = _capabilities("outer approximation", Guarantee.GLOBAL, exact=True, limit=True)
    takes_load = True

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.exact import exact

        return exact(
            found.system,
            found.limits,
            found.layers,
            options.gap,
            options.time_limit,
            options.threads,
            options.seed,
        )


class CooperativePa(_Cooperative):
    """The paper's Algorithm 3."""

    name = "cooperative-pa"
    capabilities = _capabilities(
        "the paper's three stages, Algorithm 3", Guarantee.FEASIBLE, EPS, ROUNDING
    )

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.pa import Rounding, proposed

        rounding = Rounding(raw.word("rounding", tuple(kind.value for kind in Rounding)))
        return proposed(found.system, found.limits, rounding, raw.number("eps", 1e-3))


class CooperativeRlt0(_Cooperative):
    """Shares straight from the relaxation."""

    name = "cooperative-rlt0"
    capabilities = _capabilities(
        "shares of the relaxation (27), not unique", Guarantee.FEASIBLE, EPS
    )

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import rlt0

        return rlt0(found.system, found.limits, raw.number("eps", 1e-3))


class CooperativeEqual(_Cooperative):
    """ARA: equal shares."""

    name = "cooperative-equal"
    capabilities = _capabilities(
        "places of Algorithm 3, equal shares", Guarantee.FEASIBLE, EPS, ROUNDING
    )

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import equal
        from mecdsl.backends.cooperative.pa import Rounding

        rounding = Rounding(raw.word("rounding", tuple(kind.value for kind in Rounding)))
        return equal(found.system, found.limits, rounding, raw.number("eps", 1e-3))


class CooperativeNearest(_Cooperative):
    """MDO: the nearest server."""

    name = "cooperative-nearest"
    capabilities = _capabilities(
        "every task at its nearest server",
        Guarantee.FEASIBLE,
        ("shares", "`equal` (default) or `optimal`"),
    )

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import Sharing, nearest

        return nearest(
            found.system, found.limits, Sharing(raw.word("shares", ("equal", "optimal")))
        )


class CooperativeLocalSearch(_Cooperative):
    """Moves and swaps on the square form."""

    name = "cooperative-local-search"
    capabilities = _capabilities("moves and swaps from several starts", Guarantee.FEASIBLE)
    takes_load = True
    takes_limits = False

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.search import local_search

        return local_search(
            found.system, np.random.default_rng(options.seed), found.limits, found.layers
        )


class CooperativeIhraSurrogate(_Cooperative):
    """A surrogate of IHRA."""

    name = "cooperative-ihra-surrogate"
    capabilities = _capabilities(
        "one task per server: a surrogate of IHRA, not that paper's", Guarantee.FEASIBLE
    )

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import ihra_surrogate

        return ihra_surrogate(found.system, found.limits)


class CooperativeEejsSurrogate(_Cooperative):
    """A surrogate of EEJS."""

    name = "cooperative-eejs-surrogate"
    capabilities = _capabilities(
        "least device energy: a surrogate of EEJS, not that paper's",
        Guarantee.FEASIBLE,
        ("kappa", "energy constant of the devices in J*s^2/cycle^3, must be given"),
    )

    def plan(self, found: Recognised, options: SolveOptions, raw: OwnOptions) -> Plan:
        from mecdsl.backends.cooperative.baselines import eejs_surrogate

        return eejs_surrogate(found.system, found.limits, raw.number("kappa", None))
