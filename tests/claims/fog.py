"""The claims of the fog paper, figure by figure, on the assumed values of `models/fog.mec`.

    uv run python -m tests.claims.fog [figure ...] [--seeds N]

Figures are `optimum`, `4` to `10`. Opt is the proven optimum (`auto`), NoOptDist that of form
`equal`. Numbers are medians over the seeds 1 to N, in brackets their range; a seed without an
answer, such as equal rows that cannot meet the deadline, is counted apart. "more" is NoOptDist/Opt
- 1, "saved" is 1 - Opt/NoOptDist, over the seeds with both.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import mecdsl
import mecdsl.models
from mecdsl.api import LoadedModel
from mecdsl.data_files.read import given_in_memory
from mecdsl.results.result import Result
from tests.claims.tables import percent, print_figures, spread

MODEL = Path(mecdsl.models.__file__).with_name("fog.mec")
READINGS = ("frozen", "printed", "gradient", "alternating")


@dataclass(frozen=True, slots=True)
class Studies:
    """The model and the seeds."""

    seeds: Sequence[int]
    model: LoadedModel = field(default_factory=lambda: mecdsl.load(MODEL))

    def results(
        self,
        settings: Mapping[str, Any],
        form: str = "",
        backend: str = "auto",
        raw: Mapping[str, str] | None = None,
    ) -> list[Result | None]:
        """A verified result for every seed, None where there is none; `raw`: options of the
        backend.
        """
        given = given_in_memory(settings, ())
        runs = (replace(self.model, seed=seed, given=given) for seed in self.seeds)
        found = (run.solve(backend, form, raw=raw or {}) for run in runs)
        return [result if result.verified else None for result in found]

    def pair(self, **settings: Any) -> tuple[list[float], list[float]]:
        """Energies per MAC in nJ of Opt and NoOptDist, nan where there is no plan."""
        return per_mac(self.results(settings)), per_mac(self.results(settings, "equal"))


def per_mac(results: Sequence[Result | None]) -> list[float]:
    """E^MAC in nJ."""
    return [np.nan if result is None else 1e9 * result["energy_per_mac"] for result in results]


def energies(results: Sequence[Result | None]) -> list[float]:
    """The objective in mJ."""
    return [
        np.nan if result is None or result.objective is None else 1e3 * result.objective
        for result in results
    ]


def compared(opt: Sequence[float], equal: Sequence[float]) -> list[str]:
    """Opt, NoOptDist, their absolute difference, "more" and "saved"."""
    best, other = np.array(opt), np.array(equal)
    return [
        spread(best),
        spread(other),
        spread(other - best),
        percent(other / best - 1.0),
        percent(1.0 - best / other),
    ]


HEADER = ["Opt nJ/mac", "NoOptDist nJ/mac", "difference", "more", "saved"]


def optimum(studies: Studies) -> list[list[str]]:
    """Whether the decomposition finds the optimum of a general solver, and what Algorithm 1
    finds.
    """
    lines = [["K N tau s", "method", "distance to the bound", "answers"]]
    for nodes, layers, latency in ((10, 3, 0.5), (10, 4, 0.5), (20, 3, 0.5), (10, 3, 0.25)):
        settings = {"node_count": nodes, "layer_count": layers, "latency": latency}
        best = studies.results(settings, backend="fog-newton")
        runs: list[tuple[str, list[Result | None]]] = [("fog-newton", best)]
        runs += [
            (name, studies.results(settings, backend=name))
            for name in ("fog-dual", "ipopt", "fog-rule")
        ]
        runs += [
            (
                f"fog-algorithm1 {reading}",
                studies.results(settings, backend="fog-algorithm1", raw={"reading": reading}),
            )
            for reading in READINGS
        ]
        bounds = [
            np.nan if result is None or result.bound is None else 1e3 * result.bound
            for result in best
        ]
        for name, results in runs:
            distance = np.array(energies(results)) / np.array(bounds) - 1.0
            answers = f"{sum(result is not None for result in results)} of {len(results)}"
            lines.append([f"{nodes} {layers} {latency:g}", name, spread(distance, ".1e"), answers])
    return lines


def figure_4(studies: Studies) -> list[list[str]]:
    """t_n over n."""
    lines = [["d^y", "t_n ms, n = 1..4", "t_2/t_1", "t_3/t_2", "t_4/t_3"]]
    for rows in (512, 768, 1024):
        results = studies.results({"layer_count": 4, "input_rows": rows})
        times = np.array(
            [1e3 * result["layer_pack.time"] for result in results if result is not None]
        )
        ratios = times[:, 1:] / times[:, :-1]
        middle = ", ".join(f"{value:.3g}" for value in np.median(times, axis=0))
        lines.append([str(rows), middle, *(spread(ratios[:, n]) for n in range(3))])
    return lines


def figure_5(studies: Studies) -> list[list[str]]:
    """Rows of the nodes against their processors; rank correlation over the nodes."""
    lines = [
        [
            "d^y",
            "most/fewest rows",
            "rank correlation with 1/c_k",
            "with v_k",
            "largest error of the rule",
        ]
    ]
    for rows in (512, 1024):
        found: list[list[float]] = []
        for result in studies.results({"layer_count": 4, "input_rows": rows}):
            if result is None:
                continue
            share, cycles = result["fog_node.rows"], result.instance.data("fog_node.cycles_per_mac")
            rule = cycles**-1.5 / (cycles**-1.5).sum() * rows
            speed = result.instance.data("fog_node.cpu_max")
            ranks = [_rank_correlation(share, 1.0 / cycles), _rank_correlation(share, speed)]
            found.append(
                [share.max() / share.min(), *ranks, float(np.abs(share / rule - 1.0).max())]
            )
        columns = np.array(found).T
        lines.append(
            [
                str(rows),
                spread(columns[0]),
                spread(columns[1]),
                spread(columns[2]),
                percent(columns[3]),
            ]
        )
    return lines


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(values)) - 0.5 * (len(values) - 1) for values in (first, second)]
    return float(ranks[0] @ ranks[1] / np.sqrt((ranks[0] @ ranks[0]) * (ranks[1] @ ranks[1])))


def figure_6(studies: Studies) -> list[list[str]]:
    """E^MAC over tau."""
    lines = [["d^x", "tau s", *HEADER]]
    for columns in (256, 512):
        for latency in (0.15, 0.2, 0.25, 0.3, 0.5, 1.0, 2.0):
            found = studies.pair(
                node_count=20, layer_count=3, input_columns=columns, latency=latency
            )
            lines.append([str(columns), f"{latency:g}", *compared(*found)])
    return lines


def figure_7(studies: Studies) -> list[list[str]]:
    """E^MAC over d^x."""
    lines = [["K", "d^x", *HEADER]]
    for nodes in (10, 20):
        for columns in (128, 256, 384, 512, 640):
            found = studies.pair(node_count=nodes, input_columns=columns)
            lines.append([str(nodes), str(columns), *compared(*found)])
    return lines


def figure_8(studies: Studies) -> list[list[str]]:
    """E^MAC over K."""
    lines = [["d^x", "K", *HEADER]]
    for columns in (256, 512):
        for nodes in range(4, 21, 2):
            found = studies.pair(node_count=nodes, input_columns=columns, latency=1.0)
            lines.append([str(columns), str(nodes), *compared(*found)])
    return lines


def figure_9(studies: Studies) -> list[list[str]]:
    """E^MAC over d^y."""
    lines = [["N", "d^y", *HEADER]]
    for layers in (2, 4):
        for rows in (256, 512, 768, 1024, 1280):
            found = studies.pair(layer_count=layers, input_rows=rows)
            lines.append([str(layers), str(rows), *compared(*found)])
    return lines


BACK_ENDS: tuple[tuple[str, str, Mapping[str, float]], ...] = (
    ("A", "back_end_joint", {}),
    ("B, f_b = v_m", "back_end_fixed", {}),
    ("B, 1 Gcycle/s", "back_end_fixed", {"back_end_frequency": 1e9}),
    ("B, 0.3 Gcycle/s", "back_end_fixed", {"back_end_frequency": 0.3e9}),
)


def figure_10(studies: Studies) -> list[list[str]]:
    """E_overall in both readings, against N; "saved" against one collaborative layer fewer."""
    lines = [
        ["reading", "d^y", "E_overall mJ, N = 3", "N = 4", "N = 5", "saved by N = 4", "by N = 5"]
    ]
    base: dict[str, Any] = {"input_columns": 256, "latency": 1.0}
    for rows in (512, 896, 1024):
        last = np.array(energies(studies.results({**base, "layer_count": 5, "input_rows": rows})))
        for reading, form, extra in BACK_ENDS:
            settings = {**base, **extra, "input_rows": rows}
            three = np.array(energies(studies.results({**settings, "layer_count": 3}, form)))
            four = np.array(energies(studies.results({**settings, "layer_count": 4}, form)))
            saved = [percent(1.0 - four / three), percent(1.0 - last / four)]
            lines.append([reading, str(rows), spread(three), spread(four), spread(last), *saved])
    return lines


FIGURES: Mapping[str, Callable[[Studies], list[list[str]]]] = {
    "optimum": optimum,
    "4": figure_4,
    "5": figure_5,
    "6": figure_6,
    "7": figure_7,
    "8": figure_8,
    "9": figure_9,
    "10": figure_10,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the studies of some figures and print their tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("figures", nargs="*", help=", ".join(FIGURES))
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.figures if name not in FIGURES]
    if unknown:
        parser.error(f"no figure `{unknown[0]}`; there are {', '.join(FIGURES)}")
    studies = Studies(range(1, chosen.seeds + 1))
    print_figures(FIGURES, chosen.figures or tuple(FIGURES), studies)


if __name__ == "__main__":
    main()
