"""The algorithms for mobile edge learning as backends: which problems they take, and their answers
as solutions.

An algorithm is asked only for a problem that has exactly the rows it was derived for: names alone
are not believed, the coefficients of the instance are compared with those the algorithm reads. So
an edited model gets a reason instead of a wrong optimum.
"""

import time
from dataclasses import dataclass
from enum import Enum

import numpy as np

from mecdsl.analysis.coefficients import constraint_coefficients, objective_coefficients
from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends.mel.integer import integer
from mecdsl.backends.mel.polynomial import polynomial
from mecdsl.backends.mel.rounding import equal, equal_real, rounding
from mecdsl.backends.mel.system import Allocation, Learners, Reals, root
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.instances.instance import Instance
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, Solution, Termination

PAPER = "Mohammad and Sorour, Adaptive Task Allocation for Mobile Edge Learning, 2018"
FAMILIES = {"cycle", "all_samples"}
NEEDED = ("compute", "transfer", "overhead", "cycle_time", "total_samples")


class Kind(Enum):
    """The problems of the paper."""

    INTEGER = "(12)"
    RELAXED = "(13)"
    EQUAL = "equal task allocation"


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """A problem of the paper found in an instance."""

    kind: Kind
    drop_out: bool
    integer_updates: bool
    learners: Learners | None  # None: there are no learners at all


def recognise(instance: Instance) -> Recognised | str:
    """The problem of the paper that an instance is, or the reason why it is none of them."""
    missing = [name for name in NEEDED if name not in instance.world.values]
    variables = {family.name for family in instance.variables}
    if missing or not {"updates", "learner.batch"} <= variables:
        lacking = missing or sorted({"updates", "learner.batch"} - variables)
        return f"the model has no `{lacking[0]}`"
    drop_out = "learner.used" in variables
    families = {family.name for family in instance.constraints}
    wanted = FAMILIES | ({"takes_part"} if drop_out else set())
    if families != wanted or variables != {"updates", "learner.batch"} | (
        {"learner.used"} if drop_out else set()
    ):
        odd = sorted(families ^ wanted) or sorted(variables)
        return f"`{odd[0]}` is not part of the problem it was derived for"
    return _with_rows(instance, drop_out)


def _with_rows(instance: Instance, drop_out: bool) -> Recognised | str:
    updates, batch = instance.variable("updates"), instance.variable("learner.batch")
    if drop_out and not instance.integral[instance.variable("learner.used").columns].all():
        return "`learner.used` is relaxed"
    fault = _bounds_fault(instance) or _objective_fault(instance)
    if fault:
        return fault
    fixed = ~instance.free[batch.columns]
    if not fixed.any():
        fault = _rows_fault(instance, drop_out)
    elif (
        not fixed.all() or instance.fixed[updates.columns][0] == instance.fixed[updates.columns][0]
    ):
        fault = "some variables are fixed"
    elif not _equal_batches(instance, instance.fixed[batch.columns]):
        fault = "the batches are fixed, but not to equal shares"
    if fault:
        return fault
    integers = instance.integral[batch.columns]
    integer_updates = bool(instance.integral[updates.columns][0])
    kind = Kind.EQUAL if fixed.any() else Kind.INTEGER if integer_updates else Kind.RELAXED
    if kind is not Kind.EQUAL and not (integers == integer_updates).all():
        return "only some of `updates` and `learner.batch` are relaxed"
    try:
        return Recognised(
            kind, drop_out, integer_updates, _learners(instance) if batch.size else None
        )
    except ValueError as error:
        return str(error)


def _learners(instance: Instance) -> Learners:
    data = instance.data
    cycle_time, total = float(data("cycle_time")[0]), float(data("total_samples")[0])
    return Learners(data("compute"), data("transfer"), data("overhead"), cycle_time, total)


def _bounds_fault(instance: Instance) -> str:
    names = {"updates": np.inf, "learner.batch": np.inf, "learner.used": 1.0}
    for family in instance.variables:
        part = family.columns
        if (instance.lower[part] != 0).any() or (instance.upper[part] != names[family.name]).any():
            return f"`{family.name}` has other bounds"
    return ""


def _objective_fault(instance: Instance) -> str:
    if not instance.maximize:
        return "the objective is minimised"
    shape = instance.checked.shapes.shape(instance.model.objective.value)
    if shape.degree != 1:
        return "the objective is not `updates`"
    found = objective_coefficients(instance)
    column = instance.variable("updates").first
    plain = (
        len(found.value) == 1
        and found.column[0] == column
        and found.value[0] == 1
        and found.constant[0] == 0
    )
    return "" if plain else "the objective is not `updates`"


def _rows_fault(instance: Instance, drop_out: bool) -> str:
    """Whether the rows are those of (12b) and (12c), compared at two random points with the
    algorithm's own.
    """
    generator = np.random.default_rng(0)
    data = instance.data
    batch = instance.variable("learner.batch")
    relations = {family.name: family.relation for family in instance.constraints}
    if (
        relations["cycle"] != "<="
        or relations["all_samples"] != "=="
        or relations.get("takes_part", "<=") != "<="
    ):
        return "a constraint has another relation"
    if any(family.shape.degree > 2 for family in instance.constraints):
        return "a constraint is not quadratic"
    sizes = {family.name: family.size for family in instance.constraints}
    if (
        sizes["cycle"] != batch.size
        or sizes["all_samples"] != 1
        or sizes.get("takes_part", batch.size) != batch.size
    ):
        return "`cycle` does not have one row for every learner"
    coefficients = constraint_coefficients(instance, instance.constraints)
    total, cycle_time = data("total_samples")[0], data("cycle_time")[0]
    for _ in range(2):
        x = generator.uniform(0.5, 1.5, instance.columns)
        x[batch.columns] *= max(total / max(batch.size, 1), 1.0)
        tau, d = x[instance.variable("updates").first], x[batch.columns]
        used = x[instance.variable("learner.used").columns] if drop_out else np.ones(batch.size)
        own = {
            "cycle": data("compute") * tau * d
            + data("transfer") * d
            + data("overhead") * used
            - cycle_time,
            "all_samples": np.array([d.sum() - total]),
            "takes_part": d - total * used,
        }
        found = coefficients.value_at(x)
        for family in instance.constraints:
            expected = own[family.name]
            scale = np.abs(expected).max(initial=0.0) + (
                cycle_time if family.name == "cycle" else total
            )
            if not np.allclose(found[family.rows], expected, rtol=1e-9, atol=1e-9 * scale):
                return f"`{family.name}` is not the constraint it was derived for"
    return ""


def _equal_batches(instance: Instance, fixed: Reals) -> bool:
    total = instance.data("total_samples")[0]
    return bool(np.allclose(fixed, total / max(len(fixed), 1), rtol=1e-12))


class _Mel:
    """What the five backends share."""

    name = ""
    capabilities: Capabilities
    kinds: tuple[Kind, ...] = ()

    def availability(self) -> Availability:
        """Always there: NumPy is all it needs."""
        return Availability(True, {"numpy": np.__version__})

    def accepts(self, request: Request) -> Acceptance:
        """Only a problem of the paper, recognised by its rows."""
        found = recognise(request.instance)
        if isinstance(found, str):
            return Acceptance(False, f"`{self.name}` was derived for mobile edge learning: {found}")
        if found.kind not in self.kinds:
            solves = " or ".join(kind.value for kind in self.kinds)
            return Acceptance(False, f"`{self.name}` solves {solves}, this is {found.kind.value}")
        return Acceptance(True)

    def run(self, found: Recognised, learners: Learners, own: OwnOptions) -> Allocation:
        """The algorithm itself."""
        raise TypeError(f"{type(self).__name__} has no algorithm")

    def solve(self, request: Request) -> Solution:
        """Run the algorithm and put its answer into the columns of the instance."""
        found = recognise(request.instance)
        if isinstance(found, str):
            raise ValueError(found)
        own = OwnOptions(self.name, dict(self.capabilities.options), dict(request.options.raw))
        started = time.perf_counter()
        if found.learners is None:
            message = "there are no learners to take the samples"
            return Solution(
                self.name, Termination.INFEASIBLE, Guarantee.INFEASIBLE, message=message
            )
        allocation = self.run(found, found.learners, own)
        seconds = {"solve": time.perf_counter() - started}
        return _solution(self.name, request.instance, allocation, seconds)


def _solution(
    name: str, instance: Instance, allocation: Allocation, seconds: dict[str, float]
) -> Solution:
    values = None
    if allocation.updates is not None and allocation.batch is not None:
        values = np.zeros(instance.columns)
        values[instance.variable("updates").columns] = allocation.updates
        values[instance.variable("learner.batch").columns] = allocation.batch
        if any(family.name == "learner.used" for family in instance.variables):
            values[instance.variable("learner.used").columns] = allocation.batch > 0
    guarantees = {
        Termination.OPTIMAL: Guarantee.GLOBAL,
        Termination.INFEASIBLE: Guarantee.INFEASIBLE,
        Termination.FINISHED: Guarantee.FEASIBLE,
    }
    return Solution(
        name,
        allocation.termination,
        guarantees.get(allocation.termination, Guarantee.NONE),
        values,
        allocation.updates if values is not None else None,
        allocation.bound,
        allocation.multipliers,
        allocation.iterations,
        allocation.certificate,
        allocation.message,
        allocation.label,
        {"numpy": np.__version__},
        seconds,
    )


def _capabilities(
    title: str,
    guarantee: Guarantee,
    *,
    exact: bool = False,
    options: tuple[tuple[str, str], ...] = (),
) -> Capabilities:
    classes = frozenset(
        {
            ProblemClass.NONCONVEX_MIQCP,
            ProblemClass.NONCONVEX_QCP,
            ProblemClass.LP,
            ProblemClass.MILP,
        }
    )
    return Capabilities(
        title, classes, guarantee, PAPER, ("mel",), exact=exact, bounds=exact, options=options
    )


class MelRoot(_Mel):
    """Problem (13) by the root of (24)."""

    name = "mel-root"
    capabilities = _capabilities("root of (24), real batches", Guarantee.GLOBAL, exact=True)
    kinds = (Kind.RELAXED,)

    def run(self, found: Recognised, learners: Learners, own: OwnOptions) -> Allocation:
        return root(learners, found.drop_out)


class MelPolynomial(_Mel):
    """Problem (13) by the paper's polynomial (16), literally."""

    name = "mel-polynomial"
    capabilities = _capabilities("the paper's polynomial (16), as printed", Guarantee.FEASIBLE)
    kinds = (Kind.RELAXED,)

    def run(self, found: Recognised, learners: Learners, own: OwnOptions) -> Allocation:
        return polynomial(learners, found.drop_out)


class MelInteger(_Mel):
    """Problem (12) by bisection over the number of updates."""

    name = "mel-integer"
    capabilities = _capabilities("bisection over whole updates", Guarantee.GLOBAL, exact=True)
    kinds = (Kind.INTEGER,)

    def run(self, found: Recognised, learners: Learners, own: OwnOptions) -> Allocation:
        return integer(learners, found.drop_out)


class MelRound(_Mel):
    """Problem (12) by rounding the relaxed batches."""

    name = "mel-round"
    capabilities = _capabilities(
        "rounded relaxed batches",
        Guarantee.FEASIBLE,
        options=(
            ("rounding", "`largest-remainder` (default) or `fastest`"),
            (
                "moves",
                "true: move single samples from the bottleneck afterwards, which makes it exact",
            ),
        ),
    )
    kinds = (Kind.INTEGER,)

    def run(self, found: Recognised, learners: Learners, own: OwnOptions) -> Allocation:
        rule = own.word("rounding", ("largest-remainder", "fastest"))
        return rounding(learners, rule, own.flag("moves"), found.drop_out)


class MelEqual(_Mel):
    """Equal task allocation (ETA), the paper's baseline."""

    name = "mel-equal"
    capabilities = _capabilities("equal task allocation", Guarantee.FEASIBLE)
    kinds = (Kind.INTEGER, Kind.EQUAL)

    def run(self, found: Recognised, learners: Learners, own: OwnOptions) -> Allocation:
        if found.kind is Kind.EQUAL:
            return equal_real(learners, found.integer_updates)
        return equal(learners, found.drop_out)
