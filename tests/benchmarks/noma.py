"""What Li-GD of the NOMA paper is worth: warm against cold starts, rounding at 0.5, and how far from
the bound its points and those of the other methods are.

    uv run python -m tests.benchmarks.noma [--seeds 20]
    uv run python -m tests.benchmarks.noma --paper-size [--seed 0]

Data are drawn as `models/noma.mec` draws them, but straight as arrays: access points on a square grid,
users in discs around them, gains d^-5 times Exp(1), energy weight 0.1, network NiN. The first command
takes 2 access points with 6 users each, unless said otherwise; the second 5 with 250 each on 250
subchannels, as the paper does.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import resources
from itertools import chain

import numpy as np

from mecdsl.backends.noma.assignment import candidates, greedy_channels
from mecdsl.backends.noma.closed_forms import lower_bound
from mecdsl.backends.noma.ligd import (
    Loop,
    ligd,
    loop_over_cuts,
    rounded_and_polished,
    without_subchannel,
)
from mecdsl.backends.noma.polish import Polish
from mecdsl.backends.noma.system import Form, Link, Reals, System, Way
from mecdsl.backends.shared.record import Record

ENERGY_WEIGHT = 0.1  # 1/J
WIDTH = 40e3  # Hz, of a subchannel
NOISE = 1.592e-16  # W
GRID = 175.0  # m
INPUT = 8.0 * 32 * 32 * 3  # bit
SUBCHANNELS = (2, 6, 12, 25)


def network(name: str = "nin") -> tuple[Reals, Reals]:
    """Work in flop of each layer and size in bit at each cut."""
    table = resources.files("mecdsl.models").joinpath("data", "noma_networks.csv").read_text()
    rows = [line.split(",") for line in table.splitlines()[1:]]  # network, layer, flop, bit
    own = np.array([[float(number) for number in row[2:]] for row in rows if row[0] == name])
    own = own[: 1 + np.flatnonzero(own[:, 0]).max()]  # the table is padded
    return own[:, 0], np.append(INPUT, own[:, 1])


def draw(seed: int, access_points: int, users_each: int, subchannels: int, most: int = 3) -> System:
    """A network of the paper's kind; `most`: K."""
    generator = np.random.default_rng(seed)
    users = access_points * users_each
    side = int(np.ceil(np.sqrt(access_points)))
    places = np.arange(access_points)
    at = GRID * (places % side + 1j * (places // side))
    radius, angle = generator.uniform(0.02, 1.0, users), generator.uniform(0.0, 2.0 * np.pi, users)
    where = np.repeat(at, users_each) + 100.0 * np.sqrt(radius) * np.exp(1j * angle)
    distance = np.maximum(np.abs(at[:, None] - where), 5.0)
    home = distance.argmin(axis=0)

    def link(way: Way, least: float, largest: float) -> Link:
        fading = generator.exponential(1.0, (access_points, users, subchannels))
        return Link(
            way=way,
            gain=distance[:, :, None] ** -5.0 * fading,
            bandwidth=WIDTH * subchannels,
            noise=NOISE,
            power_min=least,
            power_max=largest,
            home=home,
        )

    work, size = network()
    every = np.ones(users)
    return System(
        home=home,
        cpu=generator.uniform(0.8e9, 1.2e9, users),
        capacitance=1e-27 * every,
        cycles_per_flop=every,
        time_weight=(1.0 - ENERGY_WEIGHT) * every,
        energy_weight=ENERGY_WEIGHT * every,
        layer_work=np.tile(work, (users, 1)),
        cut_size=np.tile(size, (users, 1)),
        result_size=size[-1] * every,
        unit_speed=np.full(access_points, 1e9),
        edge_capacitance=np.full(access_points, 1e-29),
        edge_cycles_per_flop=np.ones(access_points),
        edge_units_min=1.0,
        edge_units_max=32.0,
        edge_exponent=0.9,
        users_per_subchannel_max=most,
        uplink=link(Way.UP, 1e-3, 10**-0.5),
        downlink=link(Way.DOWN, 1e-2, 1.0),
    )


def with_places(system: System) -> System:
    """The same with a K that leaves a place to everybody."""
    needed = -(-int(system.cell_sizes.max()) // system.shape[2])
    return replace(system, users_per_subchannel_max=max(needed, system.users_per_subchannel_max))


def mixed(system: System, seed: int) -> System:
    """The same with another network for each user: work and sizes times 10^-1 to 10^1."""
    factor = 10.0 ** np.random.default_rng(seed).uniform(-1.0, 1.0, (system.shape[1], 1))
    sizes = system.cut_size * factor[::-1]
    return replace(
        system,
        layer_work=system.layer_work * factor,
        cut_size=sizes,
        result_size=sizes[:, -1],
    )


def starts(seeds: int) -> Iterator[str]:
    """Steps of warm and cold starts, and how much better the cold ones' best value of (22) is."""
    yield f"{'networks':>9} {'warm':>7} {'cold':>7} {'ratio':>6} {'cold is better by':>18}"
    for name, change in (("equal", lambda one, seed: one), ("different", mixed)):
        steps, better = [], []
        for seed in range(seeds):
            system = change(draw(seed, 2, 6, 6), seed)
            ends = [
                loop_over_cuts(system, False, Loop(warm=warm), Record()) for warm in (True, False)
            ]
            steps.append([end.steps.sum() for end in ends])
            warm, cold = (end.values.min() for end in ends)
            better.append(warm / cold - 1.0)
        warm_steps, cold_steps = np.mean(steps, axis=0)
        spread = (
            f"{100 * np.median(better):.2f} % ({100 * min(better):.1f} to {100 * max(better):.1f})"
        )
        yield (
            f"{name:>9} {warm_steps:7.0f} {cold_steps:7.0f} {cold_steps / warm_steps:6.2f} {spread:>18}"
        )


def rounding(seeds: int) -> Iterator[str]:
    """Users without a subchannel if beta > 0.5 decides, and the cost of rounding by assignment."""
    yield f"{'M':>4} {'up':>8} {'down':>8} {'runs hit':>9} {'Li-GD/bound':>12} {'greedy/bound':>13}"
    for subchannels in SUBCHANNELS:
        shares, costs = [], []
        for seed in range(seeds):
            system, form = with_places(draw(seed, 2, 6, subchannels)), Form()
            looped = loop_over_cuts(system, False, Loop(), Record())
            parts = looped.relaxed.parts(looped.best.x)
            shares.append([without_subchannel(part) for part in (parts[0], parts[2])])
            bound = lower_bound(system, form)
            greedy = Polish(system, form).finish(greedy_channels(system, candidates(system, form)))
            found = rounded_and_polished(system, form, looped)
            costs.append([found.cost / bound, greedy.cost / bound])
        up, down = np.mean(shares, axis=0)
        hit = np.mean(np.max(shares, axis=1) > 0.0)
        means = np.mean(costs, axis=0)
        yield (
            f"{subchannels:>4} {up:8.1%} {down:8.1%} {hit:9.0%} {means[0]:12.4f} {means[1]:13.4f}"
        )


def paper_size(seed: int) -> Iterator[str]:
    """Time, memory and cost of the methods at the paper's size, on arrays."""
    system, form = draw(seed, 5, 250, 250), Form()
    yield f"{'method':>20} {'s':>7} {'MB':>6} {'objective':>10} {'bound':>8} {'steps':>6}"

    def bound() -> tuple[float | None, float]:
        return None, 0.0

    def greedy() -> tuple[float | None, float]:
        channels = greedy_channels(system, candidates(system, form))
        return Polish(system, form).finish(channels).cost, 0.0

    def descent(common: bool) -> Callable[[], tuple[float | None, float]]:
        def run() -> tuple[float | None, float]:
            plan = ligd(system, form, Loop(), common)
            return plan.objective, plan.certificate["steps"]

        return run

    methods = {
        "noma-bound": bound,
        "noma-greedy": greedy,
        "noma-ligd": descent(common=False),
    }
    for name, method in methods.items():
        started = time.perf_counter()
        least = lower_bound(system, form)
        objective, steps = method()
        seconds = time.perf_counter() - started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
        shown = "-" if objective is None else f"{objective:.2f}"
        yield (f"{name:>20} {seconds:7.2f} {memory:6.0f} {shown:>10} {least:8.2f} {steps:6.0f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--paper-size", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    if chosen.paper_size:
        lines = paper_size(chosen.seed)
    else:
        lines = chain(starts(chosen.seeds), [""], rounding(chosen.seeds))
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
