"""Up to how many users SCIP proves split inference over NOMA, as the paper states it and in the exact
form of the model, beside the exact method derived by hand.

    uv run python -m tests.benchmarks.noma_scip [--users 2 3 4 5 6] [--seed 1] [--limit 60]

Data are the defaults of `models/noma.mec`: two access points, two subchannels, network NiN.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mecdsl
from mecdsl.instances.instance import Instance
from mecdsl.results.result import Result
from mecdsl.solution import SolveOptions
from mecdsl.solve import solve

MODEL = Path(__file__).resolve().parents[2] / "models" / "noma.mec"


def as_stated(instance: Instance) -> Instance:
    """The same without its exact form: a changed copy has none."""
    return replace(instance, start=instance.start.copy())


def line(users: int, statement: str, result: Result) -> str:
    """One line of the table."""
    solution = result.solution
    gap = "none" if result.gap is None else f"{result.gap:.1e}"
    value = "-" if result.objective is None else f"{result.objective:.7f}"
    bound = "-" if result.bound is None else f"{result.bound:.7f}"
    seconds = f"{solution.seconds.get('solve', 0.0):.1f}"
    return f"{users:>5}  {statement:<12} {value:>10} {bound:>10} {gap:>8} {seconds:>7}  " + (
        result.guarantee.value
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, each line as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[2, 3, 4, 5, 6])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=60.0)
    wanted = parser.parse_args(arguments)
    options = SolveOptions(time_limit=wanted.limit, seed=wanted.seed)
    print("users  statement     objective      bound      gap seconds  guarantee")
    for users in wanted.users:
        instance = mecdsl.load(MODEL, seed=wanted.seed, user_count=users).instance()
        runs = (
            ("as stated", as_stated(instance), "scip"),
            ("exact form", instance, "scip"),
            ("noma-exact", instance, "noma-exact"),
        )
        for statement, problem, backend in runs:
            print(line(users, statement, solve(problem, backend, options)), flush=True)


if __name__ == "__main__":
    main()
