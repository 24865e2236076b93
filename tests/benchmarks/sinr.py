"""SCIP, Gurobi and Xpress on the sum rate of pairs that share one channel, with pairs switched off.

    uv run python -m tests.benchmarks.sinr [--pairs K ...] [--backends NAME ...] [--limit SECONDS]

All solve one and the same instance of `models/examples/sinr.mec`, with drawn gains: not convex, as
the power of one pair is the interference of the others. Each runs once, one after the other, and an
objective counts only where the verifier confirms it. Backends that are not there are left out with
the reason.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mecdsl
import mecdsl.models
from mecdsl.diagnostics import ModelError
from mecdsl.results.result import Result
from mecdsl.solve import find

MODEL = Path(mecdsl.models.__file__).parent / "examples" / "sinr.mec"
PAIRS = (4, 6, 8)
BACKENDS = ("scip", "gurobi", "xpress")
LIMIT = 60.0  # s
SEED = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One solver on one instance: time in s, objective and bound in bit/s, and how it ended."""

    pairs: int
    backend: str
    seconds: float
    objective: float | None
    bound: float | None
    ending: str


def measure(pairs: int, backend: str, limit: float) -> Row:
    """One solver on the instance of that size, at most half of the pairs and one more on."""
    model = mecdsl.load(MODEL, seed=SEED, pair_count=pairs, most_on=pairs // 2 + 1)
    try:
        return _row(pairs, model.solve(backend, time_limit=limit))
    except ModelError as error:  # a licence that does not allow that size
        return Row(pairs, backend, 0.0, None, None, error.diagnostics[0].message)


def _row(pairs: int, result: Result) -> Row:
    return Row(
        pairs=pairs,
        backend=result.backend,
        seconds=sum(result.seconds[stage] for stage in ("lower", "solve")),
        objective=result.objective if result.verified else None,
        bound=result.bound,
        ending=result.worth if result.verified else "NOT VERIFIED",
    )


def line(row: Row) -> str:
    """A row of the table."""
    rates = (
        f"{1e-6 * rate:.4f}" if rate is not None else "-" for rate in (row.objective, row.bound)
    )
    objective, bound = rates
    start = f"{row.pairs:>3} {row.backend:<7} {row.seconds:>8.2f} {objective:>10} {bound:>10}"
    return f"{start}  {row.ending}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, a line as it is measured."""
    parser = argparse.ArgumentParser(description="the sum rate of pairs on one channel")
    parser.add_argument("--pairs", type=int, nargs="+", default=list(PAIRS))
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS))
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for each")
    chosen = parser.parse_args(arguments)
    there = {name: find(name).availability() for name in chosen.backends}
    for name, found in there.items():
        if not found.available:
            print(f"{name} is left out: {found.reason}")
    print(f"{'K':>3} {'':<7} {'s':>8} {'Mbit/s':>10} {'bound':>10}")
    for pairs in chosen.pairs:
        for name in chosen.backends:
            if there[name].available:
                print(line(measure(pairs, name, chosen.limit)), flush=True)


if __name__ == "__main__":
    main()
