"""Settings of `models/noma.mec`, the schemes of its paper on them, and what each comes to.

Data are those of the model with their seed, read as arrays; schemes run on the arrays. ECC is form
`oma_silent` and ECC-NOMA form `silent`, solved by one method for both. Baselines are judged on
`oma_silent`, which is never worse for them than what they claim.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import mecdsl
import mecdsl.models
from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.reference import Shipped
from mecdsl.backends.derived.rows import Rows
from mecdsl.backends.noma.baselines import Rule, baseline, device_only, greedy
from mecdsl.backends.noma.cost import spent
from mecdsl.backends.noma.exact import exact
from mecdsl.backends.noma.improved import improved
from mecdsl.backends.noma.ligd import Loop, ligd
from mecdsl.backends.noma.recognise import PAPER, read
from mecdsl.backends.noma.system import NONE, Form, Integers, Plan, Reals, System
from mecdsl.instances.instance import Instance

MODEL = Path(mecdsl.models.__file__).with_name("noma.mec")
OMA, NOMA = Form(silent=True, oma=True), Form(silent=True)
NOTHING = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A setting; all else is as in the model. `most`: K; `bandwidth`: the whole band in Hz, 40 kHz
    for each subchannel where it is None; `energy_weight` in 1/J; `workload`: what all work and
    sizes are multiplied by; `method`: of ECC and ECC-NOMA, a key of `METHODS`.
    """

    access_points: int = 5
    users_each: int = 12
    subchannels: int = 12
    most: int = 3
    bandwidth: float | None = None
    network: str = "nin"
    energy_weight: float = 0.1
    workload: float = 1.0
    method: str = "greedy"


METHODS: Mapping[str, Callable[[System, Form], Plan]] = {
    "greedy": greedy,
    "improved": improved,
    "ligd": lambda system, form: ligd(system, form, Loop()),  # not for OMA
    "exact": exact,
}
SCHEMES: Mapping[str, Callable[[System], Plan]] = {
    "Device-Only": lambda system: device_only(system, OMA),
    "Edge-Only": lambda system: baseline(system, OMA, Rule.EDGE_ONLY),
    "Neurosurgeon": lambda system: baseline(system, OMA, Rule.NEUROSURGEON),
    "DNN surgeon": lambda system: baseline(system, OMA, Rule.DNN_SURGEON),
}
ACCESS = {"ECC": OMA, "ECC-NOMA": NOMA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a scheme comes to: `cost`; `time` in s and `energy` in J of all users; the proven lower
    `bound` on the cost; the share of users that are `local`, and of those that send those that
    are `together` with others of their cell on a subchannel of a link.
    """

    cost: float
    time: float
    energy: float
    bound: float
    local: float
    together: float


def system_of(instance: Instance) -> System:
    """The arrays of an instance of the shipped model, which need not be recognised."""
    found = Found(
        problem=Shipped("noma", "", "(18)"),
        reads=PAPER.reads,
        reference=instance,
        instance=instance,
        columns=NOTHING,
        rows=Rows(NOTHING, np.empty(0), frozenset()),
        fixed={},
        has_constant=False,
    )
    return read(found).system


@cache
def _drawn(
    access_points: int, users: int, subchannels: int, band: float | None, seed: int
) -> System:
    """Places, speeds and gains, which depend on nothing else."""
    settings: dict[str, Any] = {
        "access_point_count": access_points,
        "user_count": users,
        "subchannel_count": subchannels,
    }
    if band is not None:
        settings |= {"uplink_bandwidth": band, "downlink_bandwidth": band}
    return system_of(mecdsl.load(MODEL, seed=seed, **settings).instance())


@cache
def _layers(network: str) -> System:
    """A system of one user that runs a network."""
    return system_of(mecdsl.load(MODEL, user_network=network, user_count=1).instance())


def drawn(case: Case, seed: int) -> System:
    """The data of a case."""
    users = case.access_points * case.users_each
    system = _drawn(case.access_points, users, case.subchannels, case.bandwidth, seed)
    every, own = np.ones(users), _layers(case.network)
    return replace(
        system,
        users_per_subchannel_max=case.most,
        time_weight=(1.0 - case.energy_weight) * every,
        energy_weight=case.energy_weight * every,
        layer_work=case.workload * np.tile(own.layer_work, (users, 1)),
        cut_size=case.workload * np.tile(own.cut_size, (users, 1)),
        result_size=case.workload * np.tile(own.result_size, users),
    )


@cache
def outcome(case: Case, seed: int, scheme: str) -> Outcome:
    """A scheme on a case."""
    system = drawn(case, seed)
    if scheme in ACCESS:
        plan = METHODS[case.method](system, ACCESS[scheme])
    else:
        plan = SCHEMES[scheme](system)
    return outcome_of(system, ACCESS.get(scheme, OMA), plan)


def outcome_of(system: System, form: Form, plan: Plan) -> Outcome:
    """What a plan comes to, counted anew."""
    decisions = plan.decisions
    if decisions is None or plan.bound is None:
        raise ValueError(f"{plan.label} found no point: {plan.message}")
    amounts = spent(system, form, decisions)
    sharers = [_sharers(system.home, channel) for channel in (decisions.up, decisions.down)]
    sends = decisions.up != NONE
    return Outcome(
        cost=float(amounts.weighted(system).sum()),
        time=float(amounts.time.sum()),
        energy=float(amounts.energy.sum()),
        bound=plan.bound,
        local=float(np.mean(decisions.cut == system.layers)),
        together=float(np.mean((np.maximum(*sharers) > 1)[sends])) if sends.any() else 0.0,
    )


def _sharers(home: Integers, channel: Integers) -> Integers:
    """How many of its cell are on the subchannel of each user, itself included."""
    same = (home[:, None] == home) & (channel[:, None] == channel)
    found: Integers = same.sum(axis=1).astype(np.int64)
    return found


@dataclass(frozen=True, slots=True)
class Studies:
    """The seeds."""

    seeds: Sequence[int]

    def values(self, case: Case, scheme: str, what: str) -> Reals:
        """A field of `Outcome` for each seed."""
        return np.array([getattr(outcome(case, seed, scheme), what) for seed in self.seeds])

    def ratio(self, case: Case, base: str, scheme: str, what: str) -> Reals:
        """What the base needs over what the scheme needs: above 1 the scheme is better."""
        return self.values(case, base, what) / self.values(case, scheme, what)

    def gap(self, case: Case, scheme: str) -> Reals:
        """How far the cost is above its bound, as a part of the bound."""
        found: Reals = self.values(case, scheme, "cost") / self.values(case, scheme, "bound") - 1.0
        return found
