"""The table of a campaign, and its findings."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from tests.campaign.trial import Outcome

LABELS: Final = (
    "global",
    "to gap",
    "local",
    "infeasible",
    "unbounded",
    "weak",
    "limit",
    "NOT VERIFIED",
    "crash",
)
HEADINGS: Final = ("kind", "backend", "models", "verified", *LABELS, "false", "s/model")


def table(outcomes: Iterable[Outcome]) -> str:
    """Rows of kind and backend with what was said how often; the last ones are the sums."""
    groups: defaultdict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.kind, outcome.backend].append(outcome)
        groups["~all", outcome.backend].append(outcome)
    lines = [list(HEADINGS)]
    for (kind, backend), found in sorted(groups.items()):
        labels = Counter(outcome.label for outcome in found)
        false = sum(1 for outcome in found if outcome.false and outcome.label != "crash")
        seconds = sum(outcome.seconds for outcome in found) / len(found)
        verified = sum(outcome.verified for outcome in found)
        counts = (len(found), verified, *(labels[name] for name in LABELS), false)
        lines.append(
            [kind.strip("~"), backend, *(str(n) if n else "." for n in counts), f"{seconds:.2f}"]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def rates(outcomes: Iterable[Outcome]) -> Mapping[str, float]:
    """Shares of all answers by label, and of those with something false."""
    found = list(outcomes)
    labels = Counter(outcome.label for outcome in found)
    shares = {name: labels[name] / max(1, len(found)) for name in LABELS}
    return shares | {"false": sum(1 for o in found if o.false) / max(1, len(found))}


def finding(seed: int, outcome: Outcome, text: str) -> str:
    """What is false, the model, and the command that shows it again."""
    chosen = f"--seed {seed} --kind {outcome.kind} --number {outcome.number}"
    command = f"uv run python -m tests.campaign {chosen}"
    told = "\n".join(f"  {claim}" for claim in outcome.false)
    return f"{outcome.kind} {outcome.number}, {outcome.backend}:\n{told}\n{text}\n  {command}"
