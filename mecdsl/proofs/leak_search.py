"""Solve once more where a switch leaks: with the switch at one value and at the others, so that
nothing can leak.

A point that misses a row beside a big M (`mecdsl.results.leaks`) is worth nothing, but the bound of
the solver is: its problem has every point of the model, and more. So this is a branch and bound
whose relaxation is the solver's own problem, and which branches on the switches that leak alone. At
each node

- bounds are propagated through the rows with the switches at their values: most nodes end here;
- the whole columns are fixed at the values of the point that leaks, and the rest is solved,
  rescaled by what matters;
- the column that leaks most is given its value, those below and those above.

What is found is the best point that the rule of violations accepts, and the least bound of all
nodes that are left: it is optimal only if the two agree. A claim that a node is empty counts only
where it is confirmed.
"""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.proofs.narrowed import Ranges, narrowed
from mecdsl.results.leaks import leaks, switches_of
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, Solution, Termination

MOST: Final = 200  # solves
SECONDS: Final = 10.0  # s for all of them
SOLVES: Final = "solves_with_switches_fixed"

Ask = Callable[[Instance, float], Result]
"""Solves a part of the problem within a time in s, and judges the answer on the model."""


@dataclass(order=True, slots=True)
class _Node:
    """A part of the problem whose point leaks; `bound`: of its objective, minimised."""

    bound: float
    number: int
    ranges: Ranges = field(compare=False)
    point: FloatArray = field(compare=False)


@dataclass(slots=True, kw_only=True)
class LeakSearch:
    """The search. `instance`: what the solver is given, whose columns begin with those of
    `refuted.instance`.

    `linear`: parts may be scaled by what matters at a point; a nonlinear one goes by its start.
    """

    instance: Instance
    refuted: Result
    ask: Ask
    gap: float
    linear: bool
    seconds: float = SECONDS
    best: Result | None = None
    left: list[float] = field(default_factory=list)
    solves: int = 0
    numbers: "count[int]" = field(default_factory=count)
    ends: float = 0.0

    def run(self) -> Solution | None:
        """The best point with what is proven of it, or a proof that there is none; None where
        nothing was found.
        """
        self.ends = time.perf_counter() + self.seconds
        nodes = [self._node(self._whole(), self.refuted, -np.inf)]
        while nodes and not self._closed(nodes[0].bound):
            if self.solves >= MOST or time.perf_counter() >= self.ends:
                break
            for child in self._branched(heapq.heappop(nodes)):
                heapq.heappush(nodes, child)
        self.left += [node.bound for node in nodes]
        return self._solution()

    def _whole(self) -> Ranges:
        return Ranges(self.instance.lower, self.instance.upper)

    def _branched(self, node: _Node) -> list[_Node]:
        """What is left of a node: its parts whose points leak, too."""
        whole = self._free_whole(node.ranges)
        leaking = self._leaking(node, whole)
        if whole.any():
            settled = self._asked(node.ranges.at(whole, node.point), node)
            if settled is not None:
                self._improve(settled)
        if self._closed(node.bound):
            self.left.append(node.bound)
            return []
        parts = (
            node.ranges.split(leaking[0], float(np.round(node.point[leaking[0]])))
            if leaking
            else [node.ranges]
        )
        children = [self._child(ranges, node) for ranges in parts]
        kept = [child for child in children if child is not None]
        if not leaking:  # solved once more and no better
            self.left += [child.bound for child in kept]
            return []
        return kept

    def _leaking(self, node: _Node, whole: NDArray[np.bool_]) -> list[int]:
        """Columns to branch on: of the missed rows, else of the rows that these have a column in
        common with.
        """
        original = self.refuted.instance
        columns = [leak.column for leak in leaks(original, node.point[: self._columns])]
        in_rows = [column for column in columns if whole[column]]
        if in_rows or not whole.any():
            return in_rows
        return [
            column
            for column in switches_of(original, np.array(columns, dtype=np.int64)).tolist()
            if whole[column]
        ]

    @property
    def _columns(self) -> int:
        return self.refuted.instance.columns

    def _free_whole(self, ranges: Ranges) -> NDArray[np.bool_]:
        whole = self.instance.integral & self.instance.free & (ranges.lower < ranges.upper)
        whole[self._columns :] = False  # what was lowered follows the rest
        return np.asarray(whole)

    def _child(self, ranges: Ranges, parent: _Node) -> _Node | None:
        """A part that is solved; None where that settles it, or where nothing more is known of
        it.
        """
        solved = self._asked(ranges, parent)
        if solved is None or (
            solved.guarantee is Guarantee.INFEASIBLE
            and solved.termination is Termination.INFEASIBLE
        ):
            return None
        if solved.objective is None or (not solved.verified and not missed_alone(solved)):
            self.left.append(parent.bound)
            return None
        node = self._node(ranges, solved, parent.bound)
        if solved.verified:
            self._improve(solved)
            self.left.append(node.bound)
            return None
        return node

    def _asked(self, ranges: Ranges, parent: _Node) -> Result | None:
        """The answer for a part; None where there is no point in it."""
        part = narrowed(self.instance, ranges, parent.point if self.linear else None)
        if part is None:
            return None
        self.solves += 1
        return self.ask(part, max(0.1, self.ends - time.perf_counter()))

    def _node(self, ranges: Ranges, found: Result, known: float) -> _Node:
        bound = found.solution.bound
        own = -np.inf if bound is None or not np.isfinite(bound) else self._sense * bound
        return _Node(max(own, known), next(self.numbers), ranges, self._point(found))

    def _point(self, found: Result) -> FloatArray:
        """The judged point, with the columns of the solver's problem behind it as the solver left
        them.
        """
        judged = found.point()
        extra = self.instance.first_point()[self._columns :]
        return np.concatenate([judged, extra])

    @property
    def _sense(self) -> float:
        return -1.0 if self.refuted.instance.maximize else 1.0

    def _improve(self, found: Result) -> None:
        if not found.verified or found.objective is None:
            return
        known = None if self.best is None else self.best.objective
        if known is None or self._sense * found.objective < self._sense * known:
            self.best = found

    def _closed(self, bound: float) -> bool:
        """Whether the best point is as good as a bound to the gap."""
        if self.best is None or self.best.objective is None or not np.isfinite(bound):
            return False
        if self._sense * self.best.objective <= bound:
            return True
        apart = self.best.size.relative(self.best.objective, self._sense * bound)
        return apart is not None and apart <= self.gap

    def _missed(self) -> str:
        members = [
            violation.member for violation in self.refuted.violations if not violation.accepted
        ]
        return " and ".join(f"`{member}`" for member in members)

    def _solution(self) -> Solution | None:
        backend, versions = self.refuted.backend, self.refuted.solution.versions
        numbers = {SOLVES: float(self.solves)}
        if self.best is None or self.best.objective is None:
            if self.left:
                return None
            words = "proven: no value of the switches that leak leaves a point"
            return Solution(
                backend=backend,
                termination=Termination.INFEASIBLE,
                guarantee=Guarantee.INFEASIBLE,
                message=words,
                versions=versions,
            )
        goal = self._sense * self.best.objective
        bound = min([goal, *self.left])
        proven = self._closed(bound)
        return Solution(
            backend=backend,
            termination=Termination.OPTIMAL if proven else Termination.FINISHED,
            guarantee=Guarantee.GLOBAL if proven else Guarantee.FEASIBLE,
            values=self.best.point(),
            objective=self.best.objective,
            bound=self._sense * bound if np.isfinite(bound) else None,
            certificate={**self.refuted.solution.certificate, **numbers},
            message=f"its point missed {self._missed()}, so switches were set one way and the "
            "other",
            versions=versions,
        )


def missed_alone(found: Result) -> bool:
    """Whether a point is refuted by the rows it misses and by nothing else, so that the solver's
    bound stands.
    """
    missed = sum(not violation.accepted for violation in found.violations)
    return found.objective is not None and 0 < missed == len(found.faults)


def searched(search: LeakSearch) -> Solution | None:
    """What a search finds; None also where a part cannot be stated."""
    try:
        with np.errstate(all="ignore"):
            return search.run()
    except ModelError:
        return None
