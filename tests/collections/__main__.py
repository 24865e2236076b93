"""Solve the published problems of this folder and compare with what their authors list.

    uv run python -m tests.collections [hs001 ...] [--backends auto ipopt scip] [--limit 10]

Each problem is solved from its listed start by `auto` and by every general backend that takes it.
The exit code is 1 where a label is false: a "globally optimal" worse than the best value known, a
bound above it, a proof of infeasibility, or a point below a value that is proven or that nobody has
explained.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mecdsl.api import load
from mecdsl.results.result import Result
from mecdsl.solve import takes
from tests.collections.published import Published, Verdict, published

BACKENDS = ("auto", "ipopt", "scip")
HEADER = (
    f"{'problem':8} {'asked':6} {'by':6} {'listed':>16} {'found':>16}  {'label':40} "
    f"{'verified':9} verdict"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One answer and what it is worth."""

    problem: Published
    asked: str
    result: Result
    verdict: Verdict


def rows(problems: Sequence[Published], backends: Sequence[str], limit: float) -> Iterator[Row]:
    """Every problem by every backend that takes it; `limit`: seconds of each solve."""
    for problem in problems:
        model = load(problem.path)
        for name in backends:
            if name != "auto" and not takes(name, model.instance()):
                continue
            result = model.solve(name, time_limit=limit)
            yield Row(problem=problem, asked=name, result=result, verdict=problem.judge(result))


def text(row: Row) -> str:
    """The row of the table; the note where the verdict needs one."""
    problem, result = row.problem, row.result
    found = "" if result.objective is None else f"{result.objective:.9g}"
    label = result.guarantee.value
    verified = "yes" if result.verified else "NO"
    note = f" ({problem.note})" if row.verdict is Verdict.BETTER else ""
    return (
        f"{problem.name:8} {row.asked:6} {result.backend:6} {problem.listed:16.9g} {found:>16}  "
        f"{label:40} {verified:9} {row.verdict.value}{note}"
    )


def summary(done: Sequence[Row]) -> str:
    """For each backend how many answers end verified, and how many are of each verdict."""
    lines = []
    for name in dict.fromkeys(row.asked for row in done):
        own = [row for row in done if row.asked == name]
        verified = sum(row.result.verified for row in own)
        counts = {verdict: sum(row.verdict is verdict for row in own) for verdict in Verdict}
        kinds = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
        share = 100 * verified / len(own)
        lines.append(f"{name}: {verified} of {len(own)} verified ({share:.1f} %): {kinds}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a label is false."""
    parser = argparse.ArgumentParser(prog="tests.collections", description=__doc__.split("\n")[0])
    parser.add_argument("problems", nargs="*", help="names such as hs071; by default all")
    parser.add_argument("--backends", nargs="+", default=BACKENDS, metavar="NAME")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds of each solve")
    options = parser.parse_args(arguments)
    done = []
    print(HEADER)
    for row in rows(published(names=options.problems), options.backends, options.limit):
        done.append(row)
        print(text(row), flush=True)
    print(summary(done))
    return int(any(row.verdict is Verdict.CONTRADICTION for row in done))


if __name__ == "__main__":
    sys.exit(main())
