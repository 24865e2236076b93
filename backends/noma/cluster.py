"""Split inference over NOMA: what users cost that share one subchannel of one link, across all
access points, as a proven bound and as a point; many such clusters at once.

Source: derived here. A user costs the least of some lines of its price, one for each cut, and for
given cuts the powers are a convex problem (`mecdsl.backends.noma.log_powers`). So the branch and
bound goes over cuts: in a node every user has a range of lines that follow each other. Their
minimum is concave in the price, and so it lies above its chord between the least price, that of a
user alone, and the largest that a cheaper cluster can have. Prices weighted with the slopes of the
chords are convex again and give the bound. Once each user has one line the chord is that line, so
there are finitely many nodes, few in practice.
"""

import time
from dataclasses import dataclass, fields

import numpy as np

from mecdsl.backends.noma.air import OUTWARDS, Air, Alone, scaled, with_floor
from mecdsl.backends.noma.log_powers import ROUNDING, Groups, heard, minimise, prices
from mecdsl.backends.noma.system import Flags, Integers, Reals


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Clusters:
    """B clusters of n users. `groups` with load 1; `constant`, `slope` [B, n, L] and `last` [B, n]
    of the lines; `lowest`, `highest` [B, n]: bounds on the price of each user; `start` [B, n],
    powers in W.
    """

    groups: Groups
    constant: Reals
    slope: Reals
    last: Integers
    lowest: Reals
    highest: Reals
    start: Reals


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """Of each cluster a bound on its cost, the cost at some powers [B], and these in W [B, n];
    `finished` [B]: no node is left. `nodes`: how many convex problems were solved.
    """

    bound: Reals
    cost: Reals
    power: Reals
    finished: Flags
    nodes: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Nodes:
    """K nodes: of which cluster [K], from which line to which [K, n], with which bound [K], and
    where the search for powers begins [K, n].
    """

    owner: Integers
    first: Integers
    last: Integers
    bound: Reals
    start: Reals

    def part(self, rows: Integers | Flags) -> "_Nodes":
        return _Nodes(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Chords:
    """Of each user in each node the chord under its lines, and the lines it spans."""

    constant: Reals
    slope: Reals
    first: Integers
    last: Integers


def clusters(medium: Air, lone: Alone, channel: Integers, members: Integers) -> Clusters:
    """Clusters of users [B, n], all with n users, on channels [B] of one link or of both."""
    groups = medium.groups(channel, members)
    down = (channel >= medium.shape[0] // 2)[:, None, None]
    width = max(lines.slope.shape[1] for lines in medium.lines)
    place = [np.minimum(np.arange(width), lines.slope.shape[1] - 1) for lines in medium.lines]
    up, other = medium.lines
    constant = np.where(
        down, other.constant[members][..., place[1]], up.constant[members][..., place[0]]
    )
    slope = np.where(down, other.slope[members][..., place[1]], up.slope[members][..., place[0]])
    most = heard(groups, groups.most)
    ends = [_price(groups, power, most) for power in (groups.least, groups.most)]
    return Clusters(
        groups=groups,
        constant=constant,
        slope=slope,
        last=np.where(down[..., 0], other.last[members], up.last[members]),
        lowest=lone.bound[channel[:, None], members],
        highest=np.maximum(*ends) * (1.0 + OUTWARDS),
        start=lone.power[channel[:, None], members],
    )


def _price(groups: Groups, power: Reals, around: Reals) -> Reals:
    """Prices where everything that is heard besides is given; quasi-convex in the power."""
    weighted = groups.fixed + groups.per_watt * power
    with np.errstate(divide="ignore", invalid="ignore"):
        found = weighted / np.log1p(groups.own * power / around)
    return np.where(groups.fixed + groups.per_watt > 0.0, np.where(power > 0.0, found, np.inf), 0.0)


def least_costs(wanted: Clusters, target: Reals, gap: float, deadline: float) -> Costs:
    """The least cost of each cluster to a relative gap; a cluster whose bound reaches its `target`
    [B] is left as it is. `deadline` by `time.perf_counter`: bounds hold after it too.
    """
    size, users = wanted.start.shape
    power = wanted.start.copy()
    cost = np.full(size, np.inf)
    bound = np.full(size, np.inf)
    nodes = _Nodes(
        owner=np.arange(size),
        first=np.zeros((size, users), dtype=np.int64),
        last=wanted.last,
        bound=np.zeros(size),
        start=wanted.start,
    )
    _improve(wanted, np.arange(size), power, cost, power)
    count = 0
    while len(nodes.owner) and time.perf_counter() < deadline:
        count += len(nodes.owner)
        limit = np.minimum(cost, target)
        nodes, chords, reached = _bounded(wanted, nodes, limit)
        _improve(wanted, nodes.owner, nodes.start, cost, power)
        goal = np.minimum(cost * (1.0 - gap), target)
        whole = (chords.first == chords.last).all(axis=1)
        done = whole | (nodes.bound >= goal[nodes.owner])
        np.minimum.at(bound, nodes.owner[done], nodes.bound[done])
        nodes = _split(wanted, nodes.part(~done), _rows(chords, ~done), reached[~done])
    np.minimum.at(bound, nodes.owner, nodes.bound)
    finished = np.bincount(nodes.owner, minlength=size) == 0
    return Costs(np.minimum(bound, np.minimum(cost, target)), cost, power, finished, count)


def _improve(wanted: Clusters, owner: Integers, at: Reals, cost: Reals, power: Reals) -> None:
    """Keep the cheapest point of each cluster among some, [K, n]."""
    found = _costs(wanted, owner, prices(wanted.groups.part(owner), at))
    order = np.lexsort((found, owner))
    first = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
    better = first[found[first] < cost[owner[first]]]
    cost[owner[better]] = found[better]
    power[owner[better]] = at[better]


def _costs(wanted: Clusters, owner: Integers, price: Reals) -> Reals:
    """The cost of clusters at prices [K, n]."""
    lines = _on_lines(wanted.constant[owner], wanted.slope[owner], price)
    found: Reals = lines.min(axis=2, initial=np.inf).sum(axis=1)
    return found


def _on_lines(constant: Reals, slope: Reals, price: Reals) -> Reals:
    """All lines of users at a price each."""
    found: Reals = constant + scaled(slope, price[..., None])
    return found


def _bounded(wanted: Clusters, nodes: _Nodes, limit: Reals) -> tuple[_Nodes, _Chords, Reals]:
    """The nodes with their bounds and the best powers of their chords, and the prices there. A
    bound holds for all points that cost less than the limit of the cluster.
    """
    limits = limit[nodes.owner]
    chords, highest, hopeless = _chords(wanted, nodes, limits)
    groups = wanted.groups.part(nodes.owner)
    unloaded = chords.slope == 0.0
    groups = with_floor(groups, np.where(unloaded, np.inf, highest))
    loaded = Groups(
        cross=groups.cross,
        own=groups.own,
        fixed=groups.fixed * chords.slope,
        per_watt=groups.per_watt * chords.slope,
        least=groups.least,
        most=groups.most,
    )
    base = chords.constant.sum(axis=1)
    found = minimise(loaded, nodes.start, np.where(hopeless, -np.inf, limits - base))
    lowered = found.bound + base - ROUNDING * (found.value + np.abs(chords.constant).sum(axis=1))
    bound = np.where(hopeless, limits, np.maximum(nodes.bound, np.minimum(lowered, limits)))
    solved = _Nodes(
        owner=nodes.owner, first=nodes.first, last=nodes.last, bound=bound, start=found.power
    )
    return solved, chords, prices(groups, found.power)


def _chords(wanted: Clusters, nodes: _Nodes, limit: Reals) -> tuple[_Chords, Reals, Flags]:
    """The chords of each node, the largest price of each user in it, and whether nothing in it can
    cost less than the limit [K].
    """
    owner = nodes.owner
    constant, slope = wanted.constant[owner], wanted.slope[owner]
    number = np.arange(constant.shape[2])
    inside = (number >= nodes.first[..., None]) & (number <= nodes.last[..., None])
    lowest = wanted.lowest[owner]
    left = np.where(inside, _on_lines(constant, slope, lowest), np.inf)
    least = left.min(axis=2)
    spare = limit[:, None] - (least.sum(axis=1, keepdims=True) - least)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = spare[..., None] - constant
        most = np.where(slope > 0.0, room / slope, np.where(room >= 0.0, np.inf, -np.inf))
    most = np.where(inside, most, -np.inf).max(axis=2)
    more = most + OUTWARDS * np.where(np.isfinite(most), np.abs(most), 0.0)
    highest = np.minimum(more, wanted.highest[owner])
    hopeless = (highest < lowest * (1.0 - OUTWARDS)).any(axis=1)
    highest = np.maximum(highest, lowest)
    right = np.where(inside, _on_lines(constant, slope, highest), np.inf)
    first, last = left.argmin(axis=2), right.shape[2] - 1 - right[..., ::-1].argmin(axis=2)
    last = np.where(np.isinf(highest), nodes.last, np.maximum(first, last))
    return _between(constant, slope, first, last, (lowest, highest), least), highest, hopeless


def _between(
    constant: Reals,
    slope: Reals,
    first: Integers,
    last: Integers,
    ends: tuple[Reals, Reals],
    least: Reals,
) -> _Chords:
    """The chord under the lines from first to last between two prices; over an infinite stretch it
    is level. One line is its own chord.
    """
    lowest, highest = ends
    top = _at(constant, last) + scaled(_at(slope, last), highest)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = (top - least) / (highest - lowest)
    rise = np.where(np.isfinite(highest) & (highest > lowest), np.maximum(rise, 0.0), 0.0)
    one = first == last
    return _Chords(
        constant=np.where(one, _at(constant, first), least - rise * lowest),
        slope=np.where(one, _at(slope, first), rise),
        first=first,
        last=last,
    )


def _at(values: Reals, place: Integers) -> Reals:
    found: Reals = np.take_along_axis(values, place[..., None], axis=2)[..., 0]
    return found


def _rows(chords: _Chords, rows: Flags) -> _Chords:
    return _Chords(**{f.name: getattr(chords, f.name)[rows] for f in fields(chords)})


def _split(wanted: Clusters, nodes: _Nodes, chords: _Chords, price: Reals) -> _Nodes:
    """Two nodes for each: the lines of the user whose chord is furthest below them are parted
    behind the line that is lowest at its price [K, n].
    """
    constant, slope = wanted.constant[nodes.owner], wanted.slope[nodes.owner]
    number = np.arange(constant.shape[2])
    inside = (number >= chords.first[..., None]) & (number <= chords.last[..., None])
    lines = np.where(inside, _on_lines(constant, slope, price), np.inf)
    on_chord = scaled(chords.slope, price) + chords.constant
    below = np.where(chords.first < chords.last, lines.min(axis=2) - on_chord, -np.inf)
    row, user = np.arange(len(below)), below.argmax(axis=1)
    behind = np.minimum(lines.argmin(axis=2), chords.last - 1)[row, user]
    last, first = chords.last.copy(), chords.first.copy()
    last[row, user], first[row, user] = behind, behind + 1
    return _Nodes(
        owner=np.tile(nodes.owner, 2),
        first=np.concatenate([chords.first, first]),
        last=np.concatenate([last, chords.last]),
        bound=np.tile(nodes.bound, 2),
        start=np.tile(nodes.start, (2, 1)),
    )
