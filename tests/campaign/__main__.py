"""The campaign as a command: `python -m tests.campaign --models 5000 --seed 1`.

Exit code 1 if any label is false or any model ends in an exception. `--kind K --number N` shows one
model again.
"""

import argparse
import sys
import time
from collections.abc import Sequence

import mecdsl
from mecdsl.solve import takes
from tests.campaign.judge import false_claims
from tests.campaign.kinds import KINDS, make
from tests.campaign.report import finding, rates, table
from tests.campaign.run import jobs, run
from tests.campaign.trial import BACKENDS, TIME_LIMIT, Outcome


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.number is not None:
        return show(given.seed, given.kind[0], given.number, given.backend)
    started = time.monotonic()
    outcomes: list[Outcome] = []
    for number, found in enumerate(
        run(given.seed, jobs(given.models, given.kind), given.processes, given.backend)
    ):
        outcomes += found
        for outcome in found:
            if outcome.false:
                text = make(given.seed, outcome.kind, outcome.number).text
                print(finding(given.seed, outcome, text), flush=True)
        if (number + 1) % 500 == 0:
            print(
                f"{number + 1} models, {time.monotonic() - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    print(table(outcomes))
    print(", ".join(f"{name} {share:.2%}" for name, share in rates(outcomes).items()))
    print(f"{given.models} models, seed {given.seed}, {time.monotonic() - started:.0f} s")
    return 1 if any(outcome.false for outcome in outcomes) else 0


def show(seed: int, kind: str, number: int, backends: Sequence[str]) -> int:
    """One model, what is right, and what each backend says."""
    case = make(seed, kind, number)
    truth = case.truth
    print(
        f"{case.text}\n\nright: {truth.status}, {float(truth.best):.15g}, at stake "
        f"{float(truth.size):.3g}\n"
    )
    model = mecdsl.loads(case.text)
    instance, wrong = model.instance(), False
    for name in backends:
        if takes(name, instance):
            result = model.solve(name, time_limit=TIME_LIMIT)
            told = false_claims(case, result)
            wrong |= bool(told)
            print(result, *(f"FALSE: {claim}" for claim in told), "", sep="\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--kind", nargs="+", choices=sorted(KINDS), default=list(KINDS), metavar="KIND"
    )
    parser.add_argument("--number", type=int, help="show one model of the kind")
    parser.add_argument("--backend", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--processes", type=int, default=2)
    return parser


if __name__ == "__main__":
    sys.exit(main())
