"""Split inference over NOMA: the powers of users on one subchannel when their cuts are given, for
many such groups at once.

Source: derived here. A user's price of a nat is (a + e p)/ln(1 + x), x = g p/D, where D = 1 + sum
of cross gains times powers. In y = ln p it is log-convex, so sums of prices are convex:

- ln(a + e exp(y)) is a logarithm of a sum of exponentials;
- ln ln(1 + exp(u)) has the second derivative s ((1 - s) L - s)/L^2 with L = ln(1 + exp(u)) and
  s = x/(1 + x), where (1 - s) L < s as ln(1 + x) < x, and it rises in u;
- u = ln g + y - ln D is concave in y, and convex falling of concave is convex.

So a plane that touches the sum anywhere lies below it, and its least value over the box is a bound
on the optimum that does not depend on how well the optimum was found.
"""

from dataclasses import dataclass, fields

import numpy as np

from mecdsl.backends.noma.system import Flags, Integers, Reals

TOLERANCE = 1e-10  # relative, between value and bound
MOST_STEPS = 60
MOST_HALVINGS = 30
ARMIJO = 1e-4
NEAR = 1e-3  # of a bound, in ln p: there a coordinate that is driven on takes a step of its own
LONGEST = 30.0  # step in ln p
# A bound is lowered by this part of all it was added up from. With n users D and its quotients take
# n + 4 roundings of 2^-53 each, and a price some 12 more, as ln(1 + x) passes on no more than the
# relative error of x. A slope adds up n such terms and the bound n slopes times logarithms: below
# 4 n + 40 roundings together, 104 of them with the 16 users that are taken at most.
ROUNDING = 256 * 2.0**-53


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Groups:
    """B groups of n users each; prices are (`fixed` + `per_watt` p)/ln(1 + `own` p/D).

    `cross` [B, n, n]: what a watt of user j adds to D of user i, 0 where i = j. The rest [B, n]:
    `own` in 1/W; `fixed`, `per_watt`, a load times weights; the box `least`, `most` in W. Users
    without a load stay at `least`; for all others `least` is above 0.
    """

    cross: Reals
    own: Reals
    fixed: Reals
    per_watt: Reals
    least: Reals
    most: Reals

    def part(self, rows: Integers | Flags) -> "Groups":
        """Some of the groups."""
        return Groups(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class Powers:
    """Of each group the powers in W [B, n], the sum of prices there and a bound on it [B]."""

    power: Reals
    value: Reals
    bound: Reals


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """Prices and what slopes and curvatures consist of, at some powers; `share` [B, n, n]: part of
    D of user i that comes from user j.
    """

    price: Reals
    paid: Reals  # elasticity of a + e p
    gained: Reals  # of ln(1 + x) in x
    bent: Reals  # second derivative of -ln ln(1 + exp(u))
    share: Reals


def heard(groups: Groups, power: Reals) -> Reals:
    """D, [B, n]."""
    found: Reals = 1.0 + (groups.cross @ power[..., None])[..., 0]
    return found


def prices(groups: Groups, power: Reals) -> Reals:
    """The price of each user, [B, n]; 0 without a load, else infinite at power 0."""
    nats = np.log1p(groups.own * power / heard(groups, power))
    weighted = groups.fixed + groups.per_watt * power
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Reals = np.where(weighted > 0.0, weighted / nats, 0.0)
    return found


def minimise(groups: Groups, start: Reals, target: Reals) -> Powers:
    """The least sum of prices of each group by projected Newton steps in ln p, from powers [B, n].

    A group is done when value and bound meet, or when its bound reaches its `target` [B].
    """
    power = np.where(_free(groups), np.clip(start, groups.least, groups.most), groups.least)
    value = np.full(len(power), np.inf)
    bound = np.zeros(len(power))
    live = np.arange(len(power))
    for _ in range(MOST_STEPS):
        part = groups.part(live)
        terms = _terms(part, power[live])
        value[live] = terms.price.sum(axis=1)
        slope = _slopes(terms)
        lowest = _lowest(part, power[live], terms, slope)
        bound[live] = np.maximum(bound[live], lowest)
        open_ = (value - bound > TOLERANCE * value)[live] & (bound < target)[live]
        if not open_.any():
            break
        live, part, slope = live[open_], part.part(open_), slope[open_]
        step = _direction(part, power[live], _only(terms, open_), slope)
        power[live], moved = _search(part, power[live], value[live], slope, step)
        live = live[moved]
        if not len(live):
            break
    return Powers(power, prices(groups, power).sum(axis=1), bound)


def _only(terms: _Terms, rows: Flags) -> _Terms:
    return _Terms(*(getattr(terms, f.name)[rows] for f in fields(terms)))


def _terms(groups: Groups, power: Reals) -> _Terms:
    around = heard(groups, power)
    ratio = groups.own * power / around
    nats = np.log1p(ratio)
    weighted = groups.fixed + groups.per_watt * power
    with np.errstate(divide="ignore", invalid="ignore"):
        price = np.where(weighted > 0.0, weighted / nats, 0.0)
        paid = np.where(weighted > 0.0, groups.per_watt * power / weighted, 0.0)
        gained = np.where(nats > 0.0, ratio / (1.0 + ratio) / nats, 1.0)
    bent = gained * np.maximum(gained - 1.0 / (1.0 + ratio), 0.0)
    share = groups.cross * power[:, None, :] / around[:, :, None]
    return _Terms(price, paid, gained, bent, share)


def _slopes(terms: _Terms) -> Reals:
    """Derivative of the sum in each ln p, [B, n]."""
    harm = ((terms.price * terms.gained)[:, None, :] @ terms.share)[:, 0]
    found: Reals = terms.price * (terms.paid - terms.gained) + harm
    return found


def _lowest(groups: Groups, power: Reals, terms: _Terms, slope: Reals) -> Reals:
    """The least value over the box of the plane that touches here, lowered by what rounding may
    have added.
    """
    harm = ((terms.price * terms.gained)[:, None, :] @ terms.share)[:, 0]
    size = terms.price * (terms.paid + terms.gained) + harm
    free = _free(groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.where(free, np.log(power / groups.least), 0.0)
        up = np.where(free, np.log(groups.most / power), 0.0)
    fall = np.where(slope > 0.0, slope * down, -slope * up)
    doubt = terms.price.sum(axis=1) + (size * (1.0 + down + up) * free).sum(axis=1)
    found: Reals = terms.price.sum(axis=1) - fall.sum(axis=1) - ROUNDING * doubt
    return found


def _free(groups: Groups) -> Flags:
    return (groups.fixed + groups.per_watt > 0.0) & (groups.least < groups.most)


def _direction(groups: Groups, power: Reals, terms: _Terms, slope: Reals) -> Reals:
    """The Newton step in ln p; coordinates that a bound holds are left out of the others' step."""
    free = _free(groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = (np.log(power / groups.least) <= NEAR) & (slope > 0.0)
        high = (np.log(groups.most / power) <= NEAR) & (slope < 0.0)
    inner = free & ~low & ~high
    matrix = _curvature(terms)
    own = np.einsum("bii->bi", matrix).copy()
    matrix *= inner[:, :, None] & inner[:, None, :]
    ridge = 1e-13 * own.max(axis=1, keepdims=True, initial=0.0) + np.finfo(np.float64).tiny
    np.einsum("bii->bi", matrix)[...] = np.where(free, own, 1.0) + ridge
    step = np.linalg.solve(matrix, -np.where(free, slope, 0.0)[..., None])[..., 0]
    found: Reals = np.clip(step, -LONGEST, LONGEST)
    return found


def _curvature(terms: _Terms) -> Reals:
    """Second derivatives of the sum in ln p, [B, n, n]."""
    price, share = terms.price, terms.share
    weight = price * terms.gained
    one = np.eye(price.shape[1])
    rest = one - share
    slope = one * terms.paid[..., None] - terms.gained[..., None] * rest
    found: Reals = np.swapaxes(slope, 1, 2) @ (price[..., None] * slope)
    found += np.swapaxes(rest, 1, 2) @ ((price * terms.bent)[..., None] * rest)
    found -= np.swapaxes(share, 1, 2) @ (weight[..., None] * share)
    harm = (weight[:, None, :] @ share)[:, 0]
    found += one * (price * terms.paid * (1.0 - terms.paid) + harm)[..., None]
    return found


def _search(
    groups: Groups, power: Reals, value: Reals, slope: Reals, step: Reals
) -> tuple[Reals, Flags]:
    """The first of the halved steps that lowers the sum enough, and which groups it moved."""
    found = power.copy()
    pending = np.arange(len(power))
    length = 1.0
    for _ in range(MOST_HALVINGS):
        part = groups.part(pending)
        at = power[pending]
        trial = np.clip(at * np.exp(length * step[pending]), part.least, part.most)
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where(_free(part), np.log(trial / at), 0.0)
        wanted = ARMIJO * np.minimum((slope[pending] * change).sum(axis=1), 0.0)
        reached = prices(part, trial).sum(axis=1)
        good = reached <= value[pending] * (1.0 + ROUNDING) + wanted
        found[pending[good]] = trial[good]
        pending = pending[~good]
        length *= 0.5
        if not len(pending):
            break
    moved = (found != power).any(axis=1)
    return found, moved
