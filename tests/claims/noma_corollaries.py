"""Corollaries 2 and 5 of the NOMA paper, and how far the methods are from proven optima."""

import math
from dataclasses import replace

import numpy as np

import mecdsl
from mecdsl.backends.noma.assignment import candidates, greedy_channels
from mecdsl.backends.noma.closed_forms import lower_bound
from mecdsl.backends.noma.exact import exact
from mecdsl.backends.noma.ligd import Loop, loop_over_cuts, rounded_and_polished, without_subchannel
from mecdsl.backends.noma.log_powers import Groups, prices
from mecdsl.backends.noma.polish import Polish
from mecdsl.backends.noma.system import Form
from mecdsl.backends.shared.record import Record
from mecdsl.convexity.sampling import refute
from tests.claims.noma_cases import ACCESS, MODEL, Case, Studies, drawn
from tests.claims.tables import percent, spread

DRAWS = 10_000


def methods(studies: Studies) -> list[list[str]]:
    """Cost of the methods above the proven optimum, 2 access points with 3 users each."""
    names = ("greedy", "ligd", "improved")
    lines = [["", "M", "wE", *(f"noma-{name}" for name in names), "noma-bound below"]]
    for scheme in ACCESS:
        for subchannels, weight in ((1, 0.1), (2, 0.1), (2, 0.0)):
            best = Case(
                access_points=2,
                users_each=3,
                subchannels=subchannels,
                most=6,
                energy_weight=weight,
                method="exact",
            )
            costs = studies.values(best, scheme, "cost")
            shown = [
                percent(studies.values(replace(best, method=name), scheme, "cost") / costs - 1.0)
                if name != "ligd" or scheme == "ECC-NOMA"
                else "-"  # there is no (22) with OMA
                for name in names
            ]
            bound = studies.values(replace(best, method="greedy"), scheme, "bound")
            lines.append(
                [scheme, str(subchannels), f"{weight:g}", *shown, percent(1.0 - bound / costs)]
            )
    return lines


def li_gd(studies: Studies) -> list[list[str]]:
    """ECC-NOMA by `noma-ligd`, 5 access points with 12 users each."""
    lines = [["M", "network", "wE", "cost of noma-greedy over it", *_AGAINST, "gap"]]
    for subchannels in (12, 4):
        for network, weight in (("nin", 0.0), ("nin", 0.1), ("vgg16", 0.02)):
            greedy = Case(subchannels=subchannels, network=network, energy_weight=weight)
            case = replace(greedy, method="ligd")
            costs = [studies.values(one, "ECC-NOMA", "cost") for one in (greedy, case)]
            ratios = [studies.ratio(case, *_AGAINST[name]) for name in _AGAINST]
            lines.append(
                [
                    *(str(subchannels), network, f"{weight:g}"),
                    *(spread(ratio) for ratio in (costs[0] / costs[1], *ratios)),
                    percent(studies.gap(case, "ECC-NOMA")),
                ]
            )
    return lines


_AGAINST = {
    f"{short} against {base}": (base, "ECC-NOMA", what)
    for base in ("Device-Only", "Neurosurgeon")
    for short, what in (("latency", "time"), ("energy", "energy"))
}


def corollary_2(studies: Studies) -> list[list[str]]:
    """Cost half-way between two points and on the chord between them; the paper says convex."""

    def alone(power: float) -> float:
        return (0.05 + 0.95 * power) / math.log2(1.0 + 1000.0 * power)

    def delay(strong: float, weak: float) -> float:
        return 1.0 / math.log2(1.0 + strong / (1.0 + weak)) + 0.01 / math.log2(1.0 + weak)

    lines = [["function", "along", "half-way", "chord", "above it"]]
    ends = 0.05, 0.3162
    middle, chord = alone(sum(ends) / 2.0), sum(map(alone, ends)) / 2.0
    lines.append(["price of one user", "p", *_halves(middle, chord)])
    middle, chord = delay(100.0, 155.0), (delay(100.0, 10.0) + delay(100.0, 300.0)) / 2.0
    lines.append(["delay of two users", "p", *_halves(middle, chord)])
    shares = [_above_chord(seed, logarithms=False) for seed in studies.seeds]
    lines.append(["sums of prices, random", "p", "", "", percent(shares)])
    shares = [_above_chord(seed, logarithms=True) for seed in studies.seeds]
    lines.append(["sums of prices, random", "ln p", "", "", percent(shares)])
    lines.append(["`mecdsl check`: cost", "p", *_checked()])
    return lines


def _checked() -> list[str]:
    """What the objective of the shipped example is refuted by."""
    example = mecdsl.load(MODEL.parent / "examples" / "noma_convexity.mec")
    found = refute(example.instance(), None)
    return _halves(found.middle, found.chord) if found is not None else ["-", "-", "no"]


def _halves(middle: float, chord: float) -> list[str]:
    return [f"{middle:.6g}", f"{chord:.6g}", "yes" if middle > chord else "no"]


def _above_chord(seed: int, logarithms: bool) -> float:
    """The share of random pairs of points between which the cost of one to four users on one
    subchannel is above its chord half-way, in powers or in their logarithms.
    """
    draw = np.random.default_rng(seed)
    users = 4
    weights = draw.uniform(0.0, 1.0, (DRAWS, users))
    load = 10.0 ** draw.uniform(-1.0, 1.0, (DRAWS, users))
    cross = 10.0 ** draw.uniform(-1.0, 4.0, (DRAWS, users, users))
    cross[:, np.arange(users), np.arange(users)] = 0.0
    groups = Groups(
        cross=cross,
        own=10.0 ** draw.uniform(1.0, 6.0, (DRAWS, users)),
        fixed=load * (1.0 - weights),
        per_watt=load * weights,
        least=np.full((DRAWS, users), 1e-3),
        most=np.full((DRAWS, users), 0.3162),
    )
    first, second = (groups.least * 316.2 ** draw.uniform(size=(DRAWS, users)) for _ in range(2))
    middle = np.sqrt(first * second) if logarithms else 0.5 * (first + second)
    value, *ends = (prices(groups, power).sum(axis=1) for power in (middle, first, second))
    return float(np.mean(value > 0.5 * (ends[0] + ends[1]) * (1.0 + 1e-12)))


def corollary_5(studies: Studies) -> list[list[str]]:
    """Li-GD: users whom beta > 0.5 leaves without a subchannel, and costs if assigned instead."""
    lines = [
        ["users", "M", "without up", "without down", "Li-GD over", "greedy over", "what", "hit"]
    ]
    few = [Case(access_points=2, users_each=4, subchannels=m, most=8) for m in (2, 4)]
    more = [
        Case(access_points=2, users_each=6, subchannels=m, most=12) for m in (2, 6, 12, 25, 250)
    ]
    for case in (*few, *more):
        proven = case in few
        found = np.array([_rounded(case, seed, proven) for seed in studies.seeds]).T
        lines.append(
            [
                str(case.access_points * case.users_each),
                str(case.subchannels),
                *(percent(part) for part in found[:2]),
                *(percent(part) for part in found[2:]),
                "optimum" if proven else "bound",
                f"{np.sum(found[:2].max(axis=0) > 0.0)} of {found.shape[1]}",
            ]
        )
    return lines


def _rounded(case: Case, seed: int, proven: bool) -> list[float]:
    """Shares of users without a subchannel up and down; how far Li-GD, rounded by assignment, and
    the greedy assignment are above the optimum or the bound, in the paper's (18).
    """
    system, form = drawn(case, seed), Form()
    looped = loop_over_cuts(system, False, Loop(), Record())
    parts = looped.relaxed.parts(looped.best.x)
    plan = exact(system, form) if proven else None
    least = lower_bound(system, form) if plan is None else plan.objective
    greedy = Polish(system, form).finish(greedy_channels(system, candidates(system, form)))
    costs = rounded_and_polished(system, form, looped).cost, greedy.cost
    assert least is not None
    return [
        *(without_subchannel(part) for part in (parts[0], parts[2])),
        *(cost / least - 1.0 for cost in costs),
    ]
