"""The fog algorithms against Ipopt on the same instance, and what building it costs; fog nodes, K
nodes and N layers.

    uv run python -m tests.benchmarks.fog [--nodes K ...] [--layers N ...] [--repetitions R]

All solve one and the same instance of `models/fog.mec`, made by parse, check and instantiate from
drawn data. "slack" is ten times the smallest deadline, "tight" 1.01 times. Ipopt's time is that of
the solver (`solve`) and of handing the model over (`lower`); a time of the algorithms has
everything from the instance to the plan: recognising the problem, the algorithm, columns and
multipliers. The best of the repetitions counts (Ipopt runs once), verification does not. "off" is
the relative distance of an objective to the best bound of the algorithms; a solver that keeps its
constraints only to a tolerance may lie a little below.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mecdsl
import mecdsl.models
from mecdsl.api import LoadedModel
from mecdsl.backend import Request
from mecdsl.backends.fog.latency import fastest
from mecdsl.backends.fog.recognise import Recognised, recognise
from mecdsl.solution import Solution, SolveOptions
from mecdsl.solve import find

MODEL = Path(mecdsl.models.__file__).with_name("fog.mec")
NODES, LAYERS = (50, 200, 1000), (3, 5)
DEADLINES = (("slack", 10.0), ("tight", 1.01))  # times the smallest deadline
BACKENDS = ("fog-dual", "fog-newton", "ipopt")
SEED = 1


@dataclass(frozen=True, slots=True)
class Timing:
    """One solver on one instance: times in s, its steps, objective and bound in J."""

    seconds: float
    lower: float
    steps: int
    objective: float | None
    bound: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One instance; `build` in s from the text to the arrays."""

    nodes: int
    layers: int
    deadline: str
    build: float
    timings: tuple[Timing, ...]


def model(nodes: int, layers: int, latency: float) -> LoadedModel:
    """The model at that size, with drawn data and a deadline in s."""
    return mecdsl.load(MODEL, seed=SEED, node_count=nodes, layer_count=layers, latency=latency)


def smallest_deadline(nodes: int, layers: int) -> float:
    """The smallest deadline in s of the drawn data."""
    found = recognise(model(nodes, layers, 1.0).instance())
    if not isinstance(found, Recognised):
        raise ValueError(found)
    return fastest(found.system).deadline


def run(loaded: LoadedModel, backend: str, repetitions: int) -> Timing:
    """The best time of a backend on fresh instances of a model."""
    best: Timing | None = None
    for _ in range(repetitions):
        instance = loaded.instance()
        request = Request(instance, SolveOptions())
        started = time.perf_counter()
        solution = find(backend).solve(request)
        found = _timing(solution, time.perf_counter() - started)
        best = found if best is None or found.seconds < best.seconds else best
    if best is None:
        raise ValueError("expected a repetition")
    return best


def _timing(solution: Solution, seconds: float) -> Timing:
    lower = solution.seconds.get("lower", 0.0)
    return Timing(
        seconds - lower, lower, len(solution.iterations), solution.objective, solution.bound
    )


def measure(nodes: int, layers: int, repetitions: int) -> list[Row]:
    """All solvers at one size, slack and tight."""
    rows = []
    smallest = smallest_deadline(nodes, layers)
    for name, factor in DEADLINES:
        started = time.perf_counter()
        loaded = model(nodes, layers, smallest * factor)
        loaded.instance()
        build = time.perf_counter() - started
        timings = tuple(
            run(loaded, backend, repetitions if backend != "ipopt" else 1) for backend in BACKENDS
        )
        rows.append(Row(nodes, layers, name, build, timings))
    return rows


def table(rows: Sequence[Row]) -> str:
    """Times in ms, steps, ratios to Ipopt (below 1: ours is faster) and relative distances to the
    best bound.
    """
    lines = [
        f"{'K':>5} {'N':>2} {'':>5} {'build':>8} | {'fog-dual':^27} | {'fog-newton':^27} | "
        f"{'ipopt':^28}",
        f"{'':>5} {'':>2} {'':>5} {'ms':>8} | {'ms':>7} {'steps':>5} {'ratio':>6} {'off':>6}"
        f" | {'ms':>7} {'steps':>5} {'ratio':>6} {'off':>6} | {'lower':>6} {'solve':>7} "
        f"{'steps':>5} {'off':>7}",
    ]
    for row in rows:
        line = f"{row.nodes:>5} {row.layers:>2} {row.deadline:>5} {1e3 * row.build:8.0f}"
        bounds = [timing.bound for timing in row.timings[:-1] if timing.bound is not None]
        rival = row.timings[-1]
        for timing in row.timings[:-1]:
            ratio = timing.seconds / (rival.seconds + rival.lower)
            line += (
                f" | {1e3 * timing.seconds:7.1f} {timing.steps:>5} {ratio:6.3f} "
                f"{_off(timing, bounds):>6}"
            )
        line += (
            f" | {1e3 * rival.lower:6.0f} {1e3 * rival.seconds:7.0f} {rival.steps:>5} "
            f"{_off(rival, bounds):>7}"
        )
        lines.append(line)
    return "\n".join(lines)


def _off(timing: Timing, bounds: Sequence[float]) -> str:
    if timing.objective is None or not bounds:
        return "-"
    return f"{(timing.objective - max(bounds)) / timing.objective:.0e}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", nargs="*", type=int, default=NODES)
    parser.add_argument("--layers", nargs="*", type=int, default=LAYERS)
    parser.add_argument("--repetitions", type=int, default=3)
    chosen = parser.parse_args(arguments)
    for backend in BACKENDS:  # imports
        run(model(3, 2, 3.0), backend, 1)
    rows = [
        row
        for n in chosen.layers
        for k in chosen.nodes
        for row in measure(k, n, chosen.repetitions)
    ]
    print(table(rows))


if __name__ == "__main__":
    main()
