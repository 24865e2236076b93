"""Split inference over NOMA: the paper's Li-GD, Algorithm 1, as it can work, `ligd`.

The relaxation (22) is descended at one cut for all users after the other, each from where the last
one ended. The paper steps out of the boxes and has no rule for step sizes; here every step is
projected. Shares become subchannels by assignment problems that keep K, not by beta > 0.5, which
can leave users without one; how many is in the certificate. Then powers, cuts and edge units are
polished.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from mecdsl.backends.noma.assignment import rounded
from mecdsl.backends.noma.plans import planned
from mecdsl.backends.noma.polish import Finished, Polish
from mecdsl.backends.noma.projected import Descent, Relaxed, Rules, descend
from mecdsl.backends.noma.system import NONE, Form, Plan, Reals, System
from mecdsl.backends.shared.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """How Li-GD loops over the cuts: from `first_cut` to `last_cut`, F where it is None; `warm`:
    each from the end of the last, not from the start.
    """

    first_cut: int = 0
    last_cut: int | None = None
    warm: bool = True
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True, eq=False)
class Looped:
    """The value and the steps at each cut from `first_cut` on; `best`: the best end, but not that
    at cut F with form `silent`, where shares mean nothing.
    """

    relaxed: Relaxed
    first_cut: int
    values: Reals
    steps: Reals
    best: Descent


def ligd(system: System, form: Form, loop: Loop, common: bool = False) -> Plan:
    """Li-GD, rounding by assignment and polish; `common`: one cut for all, also where the form asks
    for none.

    An iteration is a step; its objective is the value of (22), which is neither a bound nor that of
    a point. Certificate: `steps` and `steps_at_cut_...`; `relaxed_value` and `best_cut` of (22);
    `without_uplink`, `without_downlink`: the share of users whom beta > 0.5 would have left without
    a subchannel.
    """
    label = "noma-ligd: " + ("warm starts" if loop.warm else "a cold start for each cut")
    record = Record()
    looped = loop_over_cuts(system, form.silent, loop, record)
    finished = rounded_and_polished(system, replace(form, common=form.common or common), looped)
    numbers = certificate(looped)
    return planned(system, form, finished, label, certificate=numbers, iterations=record.steps)


def loop_over_cuts(system: System, silent: bool, loop: Loop, record: Record) -> Looped:
    """The descents at all cuts, and the best."""
    relaxed = Relaxed(system, silent)
    best: Descent | None = None
    x, size = relaxed.start(), None
    values, steps = [], []
    last_cut = system.layers if loop.last_cut is None else loop.last_cut
    for cut in range(loop.first_cut, last_cut + 1):
        ended = descend(relaxed, x, cut, size, loop.rules, record)
        values.append(ended.value)
        steps.append(float(ended.steps))
        if loop.warm:
            x, size = ended.x, ended.size
        if best is None or (ended.value < best.value and not (silent and cut == system.layers)):
            best = ended
    assert best is not None
    return Looped(relaxed, loop.first_cut, np.array(values), np.array(steps), best)


def rounded_and_polished(system: System, form: Form, looped: Looped) -> Finished:
    """Subchannels from the shares of the best cut, polished from the powers there."""
    x = looped.best.x
    parts, every = looped.relaxed.parts(x), np.arange(system.shape[1])
    channels = rounded(system, form, (parts[0], parts[2]))
    powers = tuple(
        np.where(channel == NONE, link.least_power, power[every, channel])
        for link, channel, power in zip(
            system.links, channels, looped.relaxed.powers(x), strict=True
        )
    )
    return Polish(system, form).finish(channels, (powers[0], powers[1]))


def certificate(looped: Looped) -> dict[str, float]:
    """Numbers of the loop; see `ligd`."""
    parts = looped.relaxed.parts(looped.best.x)
    found = {"steps": float(looped.steps.sum())}
    for cut, steps in enumerate(looped.steps, looped.first_cut):
        found[f"steps_at_cut_{cut}"] = float(steps)
    found["relaxed_value"] = float(looped.values.min())
    found["best_cut"] = float(looped.first_cut + looped.values.argmin())
    found["without_uplink"] = without_subchannel(parts[0])
    found["without_downlink"] = without_subchannel(parts[2])
    return found


def without_subchannel(shares: Reals) -> float:
    """The share of users without a beta > 0.5."""
    return float(np.mean(~(shares > 0.5).any(axis=1))) if len(shares) else 0.0
