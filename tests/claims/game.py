"""The claims of the paper of the game, figure by figure, on the values of `models/game.mec`.

    uv run python -m tests.claims.game [figure ...] [--seeds 1..5]

Figures are `5` to `10`, `prices` (from which price on nobody offloads) and `equilibria` (all of
them, of a small game). Case 1 is Algorithm 2 with two neighbours on a ring, anticipated prices and
the stop that waits for everybody; Case 2 the exact schedule; Case 3 everything at the server, in
slots ("slots": exact mean) and without them ("lists"); Case 4 all local. Numbers of Case 1 are
medians over the seeds, in brackets their range; "epsilon" is the largest gain of one device in
money.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mecdsl.backends.game.clocks import Pricing, Rules, Stop
from mecdsl.backends.game.equilibria import enumerate_equilibria
from mecdsl.backends.game.profile import Evaluation
from mecdsl.solution import Termination
from tests import game_literal
from tests.claims.game_cases import (
    DELAY,
    ENERGY,
    FIG_5,
    FIG_7,
    RING,
    Case,
    late_alone,
    listed_delay,
    local_delay_and_energy,
    offloaded_delay,
    offloaded_energy,
    outcome,
    played,
    schedule_energy,
    scheduled,
    system_of,
)
from tests.claims.tables import print_figures, spread

BANDS = (0.2e3, 0.4e3, 1e3, 2e3, 20e3, 50e3, 100e3, 200e3, 500e3, 2e6)  # Hz; the paper's first
NETWORKS = ("vgg16", "vgg13", "alexnet", "lenet")
PATIENT = 200.0  # s; VGG misses 5 s even alone
Seeds = Sequence[int]


def figure_5(seeds: Seeds) -> list[list[str]]:
    """Convergence: ticks until nobody changes any more, moves, and the mean cost in money."""
    lines = [
        ["gamma", "W kHz", "N", "algorithm", "ticks", "moves", "mean cost", "epsilon", "settled"]
    ]
    ways: Mapping[str, Rules] = {
        "1": Rules(ticks=500),
        "2, ring": RING,
        "2, ring, substitute": Rules(neighbours=2, pricing=Pricing.SUBSTITUTE, ticks=500),
        "1, printed": Rules(pricing=Pricing.TAKER, stop=Stop.MEAN_CHANGE, ticks=500),
        "2, printed": Rules(neighbours=2, pricing=Pricing.TAKER, stop=Stop.MEAN_CHANGE, ticks=500),
    }
    for weights in (FIG_5, DELAY):
        for count in (5, 10, 20, 40):
            case = Case(networks=("alexnet",) * count, weights=weights)
            for name, rules in ways.items():
                plans = [played(case, seed, rules) for seed in seeds]
                columns = [
                    [plan.certificate.get(key, np.nan) for plan in plans]
                    for key in ("ticks", "moves")
                ]
                columns.append([(plan.objective or np.nan) / count for plan in plans])
                columns.append([plan.certificate.get("epsilon", np.nan) for plan in plans])
                settled = sum(plan.termination is Termination.FINISHED for plan in plans)
                start = [f"{weights[2]:g}", "100", str(count), name]
                lines.append([*start, *map(spread, columns), f"{settled} of {len(plans)}"])
    return lines


def over_seeds(case: Case, seeds: Seeds, what: Callable[[Evaluation], float]) -> tuple[str, float]:
    """Case 1 as text and its median, which is nan where nothing is feasible."""
    found = [outcome(case, seed) for seed in seeds]
    values = [np.nan if one is None else what(one) for one in found]
    known = [value for value in values if np.isfinite(value)]
    return spread(values), float(np.median(known)) if known else np.nan


def over_bands(seeds: Seeds, case: Case, what: str) -> list[list[str]]:
    """Four cases over the band."""
    cases = [replace(case, price_scale=scale) for scale in (1.0, 0.01)]
    cases = [replace(scaled, bandwidth=band) for scaled in cases for band in BANDS]
    return [_head(what), *(_line(one, seeds, what) for one in cases)]


def _head(what: str) -> list[str]:
    first = ["W kHz", "price", "Case 1", "settled", "offload", "Case 2", "Case 3 slots"]
    return [*first, *(["lists"] if what == "delay" else []), "Case 4", "least"]


def _line(case: Case, seeds: Seeds, what: str) -> list[str]:
    said, first = over_seeds(case, seeds, lambda one: float(getattr(one, what).mean()))
    many, _ = over_seeds(case, seeds, lambda one: float((one.last_slot > 0).sum()))
    local = local_delay_and_energy(case)[what == "energy"]
    second, third = schedule_energy(case), offloaded_energy(case)
    if what == "delay":
        second = scheduled(case).schedule.total / len(case.networks)
        third = offloaded_delay(case)
    numbers = {"1": first, "2": second, "3": third, "4": local}
    least = min(value for value in numbers.values() if np.isfinite(value))
    best = "=".join(name for name, value in numbers.items() if value <= least * (1 + 1e-9))
    proven = "" if scheduled(case).termination is Termination.OPTIMAL else " (not proven)"
    lists = [f"{listed_delay(case, seeds[0]):.4g}"] if what == "delay" else []
    settled = sum(played(case, seed).termination is Termination.FINISHED for seed in seeds)
    return [
        f"{case.bandwidth / 1e3:g}",
        f"{case.price_scale:g}",
        said,
        f"{settled} of {len(seeds)}",
        many,
        f"{second:.4g}{proven}",
        f"{third:.4g}",
        *lists,
        f"{local:.4g}" + (" (late)" if late_alone(case) else ""),
        best,
    ]


def figure_6(seeds: Seeds) -> list[list[str]]:
    """Mean delay in s over the band, five AlexNets, weights of Fig. 6."""
    return over_bands(seeds, Case(weights=DELAY), "delay")


def figure_7(seeds: Seeds) -> list[list[str]]:
    """Mean energy in J over the band, five AlexNets, weights of Fig. 7."""
    return over_bands(seeds, Case(weights=FIG_7), "energy")


def over_networks(seeds: Seeds, case: Case, what: str) -> list[list[str]]:
    """Four cases for five devices with the same network."""
    lines = [["network", *_head(what)]]
    for network in NETWORKS:
        for band in (1e3, 100e3, 2e6):
            for scale in (1.0, 0.01):
                five = replace(case, networks=(network,) * 5, bandwidth=band, price_scale=scale)
                lines.append([network, *_line(five, seeds, what)])
    return lines


def figure_8(seeds: Seeds) -> list[list[str]]:
    """Mean delay in s by network, deadline 200 s."""
    return over_networks(seeds, Case(weights=DELAY, deadline=PATIENT), "delay")


def figure_9(seeds: Seeds) -> list[list[str]]:
    """Mean energy in J by network, deadline 200 s."""
    return over_networks(seeds, Case(weights=ENERGY, deadline=PATIENT), "energy")


def figure_10(seeds: Seeds) -> list[list[str]]:
    """Who offloads from which layer on; VGG13 by slot. Devices: VGG16, VGG13, 2 AlexNet, LeNet."""
    mixed = ("vgg16", "vgg13", "alexnet", "alexnet", "lenet")
    lines = [["W kHz", "price", "seed", "local layers", "VGG13 in slots 1..5", "epsilon"]]
    for band in (1e3, 20e3, 100e3, 500e3, 2e6):
        for scale in (1.0, 0.01):
            case = Case(networks=mixed, bandwidth=band, price_scale=scale, deadline=PATIENT)
            seen = set[tuple[str, str]]()
            for seed in seeds:
                plan, found = played(case, seed), outcome(case, seed)
                assert plan.places is not None
                assert found is not None
                cuts = " ".join(map(str, found.cut))
                places = plan.places[system_of(case).layers_of(1)]
                said = ", ".join(_range(np.flatnonzero(places == h) + 1) for h in range(1, 6))
                if (cuts, said) not in seen:
                    gain = f"{plan.certificate['epsilon']:.3g}"
                    lines.append([f"{band / 1e3:g}", f"{scale:g}", str(seed), cuts, said, gain])
                seen.add((cuts, said))
    return lines


def _range(layers: np.ndarray) -> str:
    return f"{layers[0]}-{layers[-1]}" if len(layers) else "-"


def prices(seeds: Seeds) -> list[list[str]]:
    """How many of five AlexNets offload, by price and band; the printed units last."""
    scales = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
    lines = [["W kHz", *(f"x {scale:g}" for scale in scales), "printed"]]
    for band in (1e3, 20e3, 100e3, 2e6):
        cases = [Case(bandwidth=band, price_scale=scale) for scale in scales]
        cases.append(Case(bandwidth=band, printed=True))
        counts = [
            over_seeds(case, seeds, lambda one: float((one.cut < 21).sum())) for case in cases
        ]
        lines.append([f"{band / 1e3:g}", *(said for said, _ in counts)])
    return lines


def equilibria(seeds: Seeds) -> list[list[str]]:
    """Small random games: feasible profiles, pure equilibria, prices of anarchy and stability."""
    lines = [["seed", "B", "feasible", "equilibria", "anarchy", "stability"]]
    for seed in seeds:
        for parallel in (1, 2, 3):
            case = game_literal.draw_case(seed, [3, 3, 3], 2, parallel, deadline=20.0, gamma=0.003)
            census = enumerate_equilibria(game_literal.system_of(case))
            numbers = (census.price_of_anarchy, census.price_of_stability)
            counts = (seed, parallel, census.feasible.sum(), census.equilibria)
            lines.append([*map(str, counts), *(f"{number:.4f}" for number in numbers)])
    return lines


FIGURES: dict[str, Callable[[Seeds], list[list[str]]]] = {
    "5": figure_5,
    "6": figure_6,
    "7": figure_7,
    "8": figure_8,
    "9": figure_9,
    "10": figure_10,
    "prices": prices,
    "equilibria": equilibria,
}


def seeds_of(text: str) -> list[int]:
    """`1..5` as numbers."""
    first, _, last = text.partition("..")
    try:
        found = list(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected seeds such as 1..5, found {text}") from error
    if not found:
        raise argparse.ArgumentTypeError(f"expected seeds such as 1..5, found {text}")
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", nargs="*", help=", ".join(FIGURES))
    parser.add_argument("--seeds", type=seeds_of, default=range(1, 6), metavar="1..5")
    asked = parser.parse_args(words)
    unknown = [name for name in asked.figures if name not in FIGURES]
    if unknown:
        parser.error(f"no figure `{unknown[0]}`, there are {', '.join(FIGURES)}")
    print_figures(FIGURES, asked.figures or list(FIGURES), asked.seeds)


if __name__ == "__main__":
    main()
