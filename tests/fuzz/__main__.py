"""`python -m tests.fuzz --inputs 100000 --seed 1`: draw, run, print a table; 1 if there is a
finding.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.fuzz.draw import draw
from tests.fuzz.stages import STAGES, Finding
from tests.fuzz.workers import Done, Settings, least_text, run_all


@dataclass(slots=True)
class Tally:
    """Counts over the inputs; `kinds`: the findings under each signature."""

    inputs: int = 0
    valid: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    kinds: dict[tuple[str, str], list[Finding]] = field(default_factory=dict)

    def add(self, done: Done) -> None:
        self.inputs += 1
        self.valid += ("instantiate", "fine") in done.outcomes
        self.outcomes.update(done.outcomes)
        for finding in done.findings:
            key = finding.stage, finding.signature
            if key not in self.kinds:
                print(f"input {done.number}: {': '.join(key)}", file=sys.stderr, flush=True)
            self.kinds.setdefault(key, []).append(finding)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run inputs and say what was found."""
    wanted = _arguments(arguments)
    settings = Settings(wanted.seed, wanted.clock, wanted.solve_share)
    first = wanted.first if wanted.input is None else wanted.input
    last = first + wanted.inputs if wanted.input is None else first + 1
    numbers = range(first, last if wanted.last is None else wanted.last)
    if wanted.input is not None:
        print(draw(wanted.seed, wanted.input).text, "\n" + "-" * 40)
    tally, started = Tally(), time.monotonic()
    for done in run_all(settings, numbers, wanted.processes):
        tally.add(done)
        if time.monotonic() - started > wanted.seconds:
            break
        if tally.inputs % 1000 == 0:
            seconds = time.monotonic() - started
            print(
                f"{tally.inputs} inputs, {seconds:.0f} s, {len(tally.kinds)} kinds", file=sys.stderr
            )
    print(_table(tally, settings, time.monotonic() - started))
    for key, findings in sorted(tally.kinds.items(), key=lambda pair: -len(pair[1])):
        print(_finding_text(key, findings, settings, not wanted.whole))
    return 1 if tally.kinds else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    add = parser.add_argument
    add("--inputs", type=int, default=1000, help="how many")
    add("--seed", type=int, default=1)
    add("--from", type=int, default=0, dest="first", help="number of the first input")
    add("--to", type=int, default=None, dest="last", help="number after the last input")
    add("--input", type=int, default=None, help="run one input alone, and print it")
    add("--processes", type=int, default=2)
    add("--clock", type=float, default=10.0, help="seconds of processor time for a stage")
    add("--solve-share", type=float, default=0.03, help="share of the inputs that solvers see")
    add("--seconds", type=float, default=float("inf"), help="draw no more after that time")
    add("--whole", action="store_true", help="print failing inputs as they are, not shrunk")
    return parser.parse_args(arguments)


def _table(tally: Tally, settings: Settings, seconds: float) -> str:
    """Inputs, how many are valid, and how each stage ended."""
    head = f"seed {settings.seed}: {tally.inputs} inputs, {tally.valid} valid, {seconds:.0f} s"
    lines = [head, f"{'stage':12}{'fine':>9}{'refused':>9}{'other':>7}{'FAILED':>8}"]
    for stage in STAGES:
        counts = {outcome: n for (name, outcome), n in tally.outcomes.items() if name == stage}
        fine, refused, failed = (counts.pop(word, 0) for word in ("fine", "refused", "FAILED"))
        lines.append(f"{stage:12}{fine:9}{refused:9}{sum(counts.values()):7}{failed:8}")
    return "\n".join([*lines, f"{len(tally.kinds)} kinds of findings"])


def _finding_text(
    key: tuple[str, str], findings: Sequence[Finding], settings: Settings, least: bool
) -> str:
    """One kind: where, how often, the shortest input shrunk, and how to see it again."""
    shortest = min(findings, key=lambda finding: len(finding.text))
    given = draw(settings.seed, shortest.number, settings.solve_share)
    text = least_text(settings, shortest, given) if least else shortest.text
    again = f"python -m tests.fuzz --seed {settings.seed} --input {shortest.number}"
    lines = ["", f"=== {len(findings)} times in {key[0]}: {key[1]}", f"    {again}"]
    lines += [f"    | {line}" for line in text.split("\n")]
    tail = shortest.detail.strip().split("\n")[-7:]
    return "\n".join([*lines, *(f"    {line}" for line in tail)])


if __name__ == "__main__":
    sys.exit(main())
