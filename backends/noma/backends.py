"""The algorithms for split inference over NOMA as backends: which forms they take, and their plans
as solutions.

All but `noma-bound` promise a feasible point, if that; beside it stands the bound that holds at any
size.
"""

from collections.abc import Mapping
from importlib import import_module

import numpy as np

from mecdsl.backends.derived.base import Answer, Derived
from mecdsl.backends.noma.recognise import PAPER, Recognised
from mecdsl.backends.noma.system import Decisions, Form, Plan, Reals, System
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.solution import Guarantee, SolveOptions, Termination

FORMS: Mapping[tuple[bool, bool], str] = {
    (False, False): "the paper's (18)",
    (True, False): "form `silent`",
    (False, True): "form `oma`",
    (True, True): "form `oma_silent`",
}
EVERY = frozenset(FORMS)


class Noma(Derived[Recognised, Plan]):
    """What the backends share. `takes`: forms as pairs (silent, oma); `own_cuts`: each user has a
    cut of its own.
    """

    paper = PAPER
    needs = ("numpy", "scipy")
    module = ""  # where the algorithm is; imported before the clock starts
    takes = EVERY
    own_cuts = False

    def refusal(self, problem: Recognised) -> str:
        form = problem.form
        if (form.silent, form.oma) not in self.takes:
            takes = " or ".join(said for pair, said in FORMS.items() if pair in self.takes)
            return f"takes {takes}, this is {FORMS[form.silent, form.oma]}"
        if form.common and self.own_cuts:
            return "chooses a cut for each user, and `same_cut` asks for one"
        return ""

    def prepare(self) -> None:
        import_module(f"mecdsl.backends.noma.{self.module}")

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        """The algorithm itself."""
        raise TypeError(f"{type(self).__name__} has no algorithm")

    def run(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        words = problem.system.infeasible(problem.form)
        if words:
            return Plan(termination=Termination.INFEASIBLE, label=self.name, message=words)
        return self.plan(problem.system, problem.form, options, own)

    def answer(self, problem: Recognised, outcome: Plan, options: SolveOptions) -> Answer:
        values = outcome.values
        if outcome.decisions is not None:
            values = _values(problem.system, outcome.decisions)
        return Answer(
            outcome.termination,
            outcome.label,
            values=values,
            objective=outcome.objective,
            bound=outcome.bound,
            certificate=outcome.certificate,
            iterations=outcome.iterations,
            message=outcome.message,
        )


def _values(system: System, decisions: Decisions) -> dict[str, Reals]:
    """A point as values by variable family."""
    layers, subchannels = np.arange(system.layers + 1), np.arange(system.shape[2])
    found = {
        "cut": decisions.cut[:, None] == layers,
        "edge_units": decisions.edge_units,
        "uplink_assigned": decisions.up[:, None] == subchannels,
        "downlink_assigned": decisions.down[:, None] == subchannels,
        "uplink_power": decisions.up_power,
        "downlink_power": decisions.down_power,
    }
    return {f"user.{name}": np.asarray(part, dtype=np.float64) for name, part in found.items()}


WITHOUT_OMA = frozenset({(False, False), (True, False)})
SPLIT = (
    "split",
    "`user` (default): a cut for each user when powers are polished, or `common`: one for all",
)


class NomaLigd(Noma):
    """Li-GD as it can work."""

    name = "noma-ligd"
    module = "ligd"
    takes = WITHOUT_OMA
    capabilities = PAPER.offers(
        "the paper's Li-GD with projected steps and rounding by assignment",
        Guarantee.FEASIBLE,
        ("cuts", "`0..F` (default) or `1..F`, as the paper has it"),
        SPLIT,
        ("warm", "false: a cold start for each cut"),
        ("epsilon", "relative decrease that ends a descent, 1e-6 by default"),
        ("steps", "the most steps for each cut, 2000 by default"),
        bounds=True,
    )

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.noma.ligd import Loop, ligd
        from mecdsl.backends.noma.projected import EPSILON, MOST_STEPS, Rules

        rules = Rules(epsilon=own.number("epsilon", EPSILON), steps=own.count("steps", MOST_STEPS))
        first_cut = {"0..F": 0, "1..F": 1}[own.word("cuts", ("0..F", "1..F"))]
        loop = Loop(first_cut=first_cut, warm=own.flag("warm", True), rules=rules)
        words = ("common",) if form.common else ("user", "common")
        return ligd(system, form, loop, own.word("split", words) == "common")


class NomaLigdPrinted(Noma):
    """Li-GD as printed."""

    name = "noma-ligd-printed"
    module = "printed"
    takes = WITHOUT_OMA
    capabilities = PAPER.offers(
        "the paper's Li-GD, Algorithm 1, as printed",
        Guarantee.FEASIBLE,
        ("step", "the step size lambda, 1e-4 by default"),
        ("epsilon", "what counts as no change, 1e-6 by default"),
        ("steps", "the most steps for each cut, 2000 by default"),
        ("gradient", "`corrected` (default) or `printed`, (29) and (30)"),
        bounds=True,
    )

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.noma.printed import Printed, ligd_printed

        rules = Printed(
            step=own.number("step", 1e-4),
            epsilon=own.number("epsilon", 1e-6),
            steps=own.count("steps", 2000),
            printed=own.word("gradient", ("corrected", "printed")) == "printed",
        )
        return ligd_printed(system, form, rules)


class NomaGreedy(Noma):
    """Assignment by prices alone."""

    name = "noma-greedy"
    module = "baselines"
    capabilities = PAPER.offers(
        "assignment by interference-free prices, then powers and cuts",
        Guarantee.FEASIBLE,
        bounds=True,
    )

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.noma.baselines import greedy

        return greedy(system, form)


class NomaImproved(Noma):
    """Local search over subchannels."""

    name = "noma-improved"
    module = "improved"
    capabilities = PAPER.offers(
        "moves and swaps of subchannels from several starts",
        Guarantee.FEASIBLE,
        bounds=True,
        time_limit=True,
    )

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.noma.improved import improved

        return improved(system, form, options.seed, options.time_limit)


class NomaDeviceOnly(Noma):
    """All layers on the devices."""

    name = "noma-device-only"
    module = "baselines"
    takes = frozenset({(True, False), (True, True)})
    capabilities = PAPER.offers("all layers on the devices", Guarantee.FEASIBLE, bounds=True)

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.noma.baselines import device_only

        return device_only(system, form)


class Baseline(Noma):
    """A baseline that shares subchannels in equal parts."""

    module = "baselines"
    takes = frozenset({(True, True)})
    own_cuts = True

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.noma.baselines import Rule, baseline

        return baseline(system, form, Rule(self.name))


class NomaEdgeOnly(Baseline):
    """All layers at the edge."""

    name = "noma-edge-only"
    takes = frozenset({(False, True), (True, True)})
    own_cuts = False
    capabilities = PAPER.offers("all layers at the edge", Guarantee.FEASIBLE, bounds=True)


class NomaNeurosurgeon(Baseline):
    """The cut of least latency."""

    name = "noma-neurosurgeon"
    capabilities = PAPER.offers(
        "the cut of least latency at fixed rates", Guarantee.FEASIBLE, bounds=True
    )


class NomaDnnSurgeon(Baseline):
    """The same with a limited server."""

    name = "noma-dnn-surgeon"
    capabilities = PAPER.offers(
        "the cut of least latency at fixed rates, half of the edge units",
        Guarantee.FEASIBLE,
        bounds=True,
    )


class NomaBound(Noma):
    """The bound of users who are alone."""

    name = "noma-bound"
    module = "baselines"
    capabilities = PAPER.offers(
        "every user alone on its best subchannels: a bound, no point",
        Guarantee.NONE,
        bounds=True,
    )

    def plan(self, system: System, form: Form, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.noma.baselines import bound

        return bound(system, form)
