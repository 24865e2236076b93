"""Split inference over NOMA: the paper's Algorithm 1 as printed, `ligd_printed`, and its gradient
(29), (30).

No projection, one step size for shares, powers and edge units, cuts 1..F, beta > 0.5 counts as 1.
Where the paper gives no number, an option does. What comes out is returned as it is: outside of
boxes, without subchannels, or nothing if the steps diverged; the message says which.

The gradient is the exact one unless `printed` is asked for. Of that only (29) and (30) are printed,
the rest is "similar". It is read so: every user hears all others of its cell, whatever the order of
decoding; each subchannel has a rate of its own, R = beta L; the term of the user itself is line 2
of (29) with the weight of user 1 and the squared braces; the terms of the others are (30) without
weight, size and rate, times their power for the energy; other cells (Delta) do not change.
"""

from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.noma.closed_forms import lower_bound
from mecdsl.backends.noma.projected import Relaxed, Valued, edge_slope
from mecdsl.backends.noma.relaxation import Load, Sharing
from mecdsl.backends.noma.system import Form, Link, Plan, Reals, System
from mecdsl.backends.shared.record import Record
from mecdsl.diagnostics import count
from mecdsl.solution import Termination

FLOOR = 1e-12  # of shares, powers and edge units, so that logarithms exist
SPAN = 1e6  # times the first value: further up it has diverged


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """`step` and `epsilon` of Algorithm 1, `steps` at most for each cut; `printed`: (29), (30)."""

    step: float = 1e-4
    epsilon: float = 1e-6
    steps: int = 2000
    printed: bool = False


@dataclass(slots=True, eq=False)
class _Run:
    """What the loop over the cuts left behind."""

    values: list[float] = field(default_factory=list)
    ends: list[list[Reals]] = field(default_factory=list)
    unfinished: list[int] = field(default_factory=list)  # cuts
    diverged: int | None = None  # a cut


def ligd_printed(system: System, form: Form, rules: Printed) -> Plan:
    """Algorithm 1.

    An iteration is a step with the value of (22). Certificate: `steps`, `best_cut`,
    `relaxed_value`; `without_uplink`, `without_downlink`, `several_subchannels`: users;
    `outside_boxes`: powers and edge units of the point that are; `rows_off`: the largest
    |sum beta - 1|; `unfinished_cuts`.
    """
    label = "noma-ligd-printed: Algorithm 1" + (", gradient (29)" if rules.printed else "")
    record = Record()
    run = _loop(Relaxed(system, form.silent), rules, record)
    words = _words_of_run(run, rules)
    if not run.values:
        return Plan(
            termination=Termination.NOT_FOUND,
            label=label,
            bound=lower_bound(system, form),
            iterations=record.steps,
            message=words,
        )
    best = int(np.argmin(run.values))
    values, counts = _point(system, form, run.ends[best], best + 1)
    numbers = {
        "steps": float(len(record.steps)),
        "best_cut": float(best + 1),
        "relaxed_value": run.values[best],
        "unfinished_cuts": float(len(run.unfinished)),
        **counts,
    }
    return Plan(
        termination=Termination.FINISHED,
        label=label,
        values=values,
        bound=lower_bound(system, form),
        certificate=numbers,
        iterations=record.steps,
        message="; ".join(part for part in (words, _words_of_point(counts)) if part),
    )


def _loop(relaxed: Relaxed, rules: Printed, record: Record) -> _Run:
    run, x = _Run(), relaxed.start()
    parts = relaxed.unscaled(x)
    for cut in range(1, relaxed.system.layers + 1):
        ended = _descend(relaxed, parts, cut, rules, record)
        if ended is None:
            run.diverged = cut
            break
        parts, value, converged = ended
        if not converged:
            run.unfinished.append(cut)
        run.values.append(value)
        run.ends.append(parts)
    return run


def _descend(
    relaxed: Relaxed, parts: list[Reals], cut: int, rules: Printed, record: Record
) -> tuple[list[Reals], float, bool] | None:
    """Parts, value and whether a rule to stop was met; None where the value is no number or far
    above the first.
    """
    here = relaxed.at(relaxed.scaled(parts), cut)
    first = abs(here.value)
    for _ in range(rules.steps):
        slopes = _slopes(relaxed, here, parts, cut, rules.printed)
        norm = float(np.sqrt(sum(float((slope**2).sum()) for slope in slopes)))
        if norm < rules.epsilon:
            return parts, here.value, True
        moved = [
            np.maximum(part - rules.step * slope, FLOOR)
            for part, slope in zip(parts, slopes, strict=True)
        ]
        there = relaxed.at(relaxed.scaled(moved), cut)
        if not abs(there.value) <= SPAN * first:
            return None
        largest = max(
            float(np.abs(new - old).max(initial=0.0)) for new, old in zip(moved, parts, strict=True)
        )
        change = abs(there.value - here.value)
        parts, here = moved, there
        record.note(here.value, residual=norm, note=f"cut {cut}")
        if change < rules.epsilon or largest < rules.epsilon:
            return parts, here.value, True
    return parts, here.value, False


def _slopes(
    relaxed: Relaxed, here: Valued, parts: list[Reals], cut: int, printed: bool
) -> list[Reals]:
    """The gradient in shares, W and units."""
    if not printed or (relaxed.silent and cut == relaxed.system.layers):
        return relaxed.slopes(here.gradient())
    system = relaxed.system
    found: list[Reals] = []
    sizes = system.cut_size[:, cut], system.result_size
    for way, (sharing, size) in enumerate(zip(relaxed.sharings, sizes, strict=True)):
        load = Load(size, system.time_weight, system.energy_weight)
        found += printed_gradient(sharing, load, parts[2 * way], parts[2 * way + 1])
    return [*found, edge_slope(system, parts[4], cut)]


@np.errstate(all="ignore")  # what overflows has diverged, which the caller sees
def printed_gradient(
    sharing: Sharing, load: Load, beta: Reals, power: Reals
) -> tuple[Reals, Reals]:
    """(29) and (30) as they are read here, in shares and in W, [U, M] each."""
    own, width = sharing.link.own, sharing.link.nats_to_bits
    sent, received = beta * power, beta * power * own
    heard = 1.0 + sharing.others(sent) + sharing.cell_sums(received) - received
    ratio = power * own / heard
    rate = width * np.log1p(ratio)  # L
    size = load.size[:, None]
    weight = load.time_weight[:1, None] + load.energy_weight[:, None] * power
    steep = beta * width * own / (heard * (1.0 + ratio))  # of beta L, in the own power
    energy = load.energy_weight[:, None] * size / (beta * rate)
    others = _others(sharing, beta * width / (1.0 + ratio) * power * own / heard**2, power)
    in_beta = -weight * size / (beta**2 * rate**2) + power * own * others
    in_power = energy - weight * size * steep / (beta * rate) ** 2 + beta * own * others
    return in_beta, in_power


def _others(sharing: Sharing, term: Reals, power: Reals) -> Reals:
    """The sums of (30) over the others of the cell, for time and for energy."""
    both = term * (1.0 + power)
    found: Reals = sharing.cell_sums(both) - both
    return found


# The point ---------------------------------------------------------------------------------------


def _point(
    system: System, form: Form, parts: list[Reals], cut: int
) -> tuple[dict[str, Reals], dict[str, float]]:
    """Values of the variable families, and what is wrong with them."""
    users = system.shape[1]
    sends = not (form.silent and cut == system.layers)
    cuts = np.zeros((users, system.layers + 1))
    cuts[:, cut] = 1.0
    values = {"user.cut": cuts, "user.edge_units": parts[4]}
    box = system.edge_units_min, system.edge_units_max
    outside = _outside(parts[4], *box)
    counts = {"several_subchannels": 0.0, "rows_off": 0.0}
    for way, link in enumerate(system.links):
        shares, power, name = parts[2 * way], parts[2 * way + 1], link.way.value
        chosen = (shares > 0.5) & sends
        spent = (chosen * power).sum(axis=1)
        values[f"user.{name}_assigned"] = chosen.astype(np.float64)
        values[f"user.{name}_power"] = spent
        counts[f"without_{name}"] = float((~chosen.any(axis=1)).sum()) if sends else 0.0
        counts["several_subchannels"] += float((chosen.sum(axis=1) > 1).sum())
        off = float(np.abs(shares.sum(axis=1) - 1.0).max(initial=0.0)) if sends else 0.0
        counts["rows_off"] = max(counts["rows_off"], off)
        outside += _outside_link(spent, link) if sends else 0
    counts["outside_boxes"] = float(outside)
    return values, counts


def _outside(values: Reals, least: float, most: float) -> int:
    return int(((values < least) | (values > most)).sum())


def _outside_link(power: Reals, link: Link) -> int:
    return _outside(power, link.power_min, link.power_max)


def _words_of_run(run: _Run, rules: Printed) -> str:
    """What went wrong on the way, in words."""
    if run.diverged is not None:
        return f"diverges at cut {run.diverged} with a step of {rules.step:g}"
    if run.unfinished:
        return f"not at rest after {rules.steps} steps at {len(run.unfinished)} of the cuts"
    return ""


def _words_of_point(counts: dict[str, float]) -> str:
    parts = [
        f"{count(int(counts[f'without_{way}']), 'user')} without a subchannel on the {way}"
        for way in ("uplink", "downlink")
        if counts[f"without_{way}"]
    ]
    if counts["several_subchannels"]:
        users = count(int(counts["several_subchannels"]), "user")
        parts.append(f"{users} with several subchannels on a link")
    if counts["outside_boxes"]:
        outside = count(int(counts["outside_boxes"]), "number")
        parts.append(f"{outside} outside of a box of powers or edge units")
    return ", ".join(parts)
