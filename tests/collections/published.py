"""Published problems with the values their authors list, and what an answer to one is worth.

A folder holds one `.mec` file for each problem and `values.csv`:

| column | what | |---|---| | `problem` | the name of the file | | `listed` | the optimum as the
collection lists it | | `tolerance` | how far a value may lie from it: a share of the larger of the
value and 1 | | `proof` | why nothing lower exists; empty where the collection lists the best value
known to its authors | | `better` | a better value known since, or the right one where the listed
one is wrong | | `note` | the source of `better`, or what is special |
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mecdsl.results.result import Result
from mecdsl.solution import Guarantee

HOCK_SCHITTKOWSKI = Path(__file__).with_name("hs")


class Verdict(Enum):
    """What an answer is, beside the listed value."""

    MATCHES = "matches"
    BETTER = "better than listed"
    LOCAL = "local"
    UNFINISHED = "no proof in time"
    UNVERIFIED = "NOT VERIFIED"
    NO_POINT = "no point"
    CONTRADICTION = "CONTRADICTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A problem and its listed value, to minimise."""

    name: str
    path: Path
    listed: float
    tolerance: float
    proof: str
    better: float | None
    note: str

    @property
    def best(self) -> float:
        """The best value known."""
        return self.listed if self.better is None else self.better

    def judge(self, result: Result) -> Verdict:
        """What a result is worth beside the listed value and the best one known."""
        margin = self.tolerance * max(1.0, abs(self.best))
        if result.termination.value.startswith(("infeasible", "unbounded")):
            return Verdict.CONTRADICTION
        if result.bound is not None and result.bound > self.best + margin:
            return Verdict.CONTRADICTION
        if result.objective is None:
            return Verdict.NO_POINT
        if not result.verified:
            return Verdict.UNVERIFIED
        if result.objective < self.best - margin:
            return Verdict.CONTRADICTION
        if result.objective > self.best + margin:
            return self._behind(result)
        return Verdict.MATCHES if self.listed <= self.best + margin else Verdict.BETTER

    def _behind(self, result: Result) -> Verdict:
        """The verdict on a verified point that is worse than the best one known."""
        if result.guarantee is Guarantee.GLOBAL:
            return Verdict.CONTRADICTION
        return Verdict.LOCAL if result.guarantee is Guarantee.LOCAL else Verdict.UNFINISHED


def published(folder: Path = HOCK_SCHITTKOWSKI, names: Iterable[str] = ()) -> tuple[Published, ...]:
    """The problems of a folder, or those of the names, in the order of its table."""
    wanted = frozenset(names)
    with (folder / "values.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        Published(
            name=row["problem"],
            path=folder / f"{row['problem']}.mec",
            listed=float(row["listed"]),
            tolerance=float(row["tolerance"]),
            proof=row["proof"],
            better=float(row["better"]) if row["better"] else None,
            note=row["note"],
        )
        for row in rows
        if not wanted or row["problem"] in wanted
    )
