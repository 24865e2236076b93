"""Whether a backend gives the answers that are known, and refuses what it does not solve."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.api import load
from mecdsl.backend import Backend
from mecdsl.backends import table
from mecdsl.diagnostics import ModelError, count
from mecdsl.model.classes import ProblemClass
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, Termination
from mecdsl.solve import find, takes
from mecdsl.testing.case import INFEASIBLE, UNBOUNDED, Case
from mecdsl.testing.cases import CASES

TIME_LIMIT: Final = 600.0  # s until a case is given up; all of them are small
RELATIVE, ABSOLUTE = 1e-6, 1e-9  # of objectives
OF_VALUES, OF_LARGEST = 2e-3, 1e-3  # objectives are flat near an optimum, so values are known less
CONVEX: Final = frozenset(
    {
        ProblemClass.LP,
        ProblemClass.MILP,
        ProblemClass.QP,
        ProblemClass.MIQP,
        ProblemClass.QCP,
        ProblemClass.MIQCP,
    }
)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all cases of the classes that a backend declares, by way it is fed.

    `solved`, `refused`: names of cases. `faults`: one line for each case that went wrong.
    """

    backend: str
    solved: tuple[str, ...]
    refused: tuple[str, ...]
    faults: tuple[str, ...]

    def __str__(self) -> str:
        found = f"{count(len(self.solved), 'case')} solved, {len(self.refused)} refused"
        first = f"{self.backend}: {found}, {count(len(self.faults), 'fault')}"
        return "\n".join([first, *self.faults])


def general_backends() -> tuple[str, ...]:
    """Every backend of the table, entry points of other packages among them, that solves one
    objective and was not derived for one model.
    """
    can = {name: table.load(name).capabilities for name in table.names()}
    return tuple(name for name in can if not can[name].models and not can[name].games)


def cases_for(backend: str | Backend) -> tuple[Case, ...]:
    """The cases of the classes that a backend declares. Raises `ModelError` for an unknown name."""
    classes = find(backend).capabilities.classes
    return tuple(case for case in CASES if case.problem_class in classes)


def ways(backend: str | Backend) -> tuple[str, ...]:
    """How a backend can be fed: the values of the option `via`."""
    return ("arrays", "pyomo") if find(backend).capabilities.pyomo else ("arrays",)


def check_backend(backend: str | Backend) -> Report:
    """Run every case of the classes that a backend declares, in every way it can be fed."""
    solved, refused, faults = list[str](), list[str](), list[str]()
    for case in cases_for(backend):
        for via in ways(backend):
            name = case.name if via == "arrays" else f"{case.name} via {via}"
            try:
                (solved if check_case(backend, case, via) else refused).append(name)
            except AssertionError as error:
                faults.append(f"{name}: {error}")
    return Report(find(backend).name, tuple(solved), tuple(refused), tuple(faults))


def check_case(backend: str | Backend, case: Case, via: str = "arrays") -> bool:
    """Whether a backend takes a case. Raises `AssertionError` where its answer is not that known.

    A backend that proves nothing may end without a point, or with a worse one, but not lie.
    """
    model, chosen = load(case.path), find(backend)
    there = chosen.availability()
    _require(there.available, f"`{chosen.name}` is not available: {there.reason}")
    taken = takes(chosen, model.instance(case.form))
    try:
        result = model.solve(chosen, case.form, via=via, time_limit=TIME_LIMIT)
    except ModelError as error:
        code = error.diagnostics[0].code
        # only Pyomo has no way to write a nonsmooth function
        allowed = not taken or (via == "pyomo" and "nonsmooth" in case.tags)
        _require(allowed and code in ("E502", "E504"), f"raised {code}: {error}")
        return False
    _require(taken, "was solved, though the backend does not accept it")
    words = "; ".join(_faults(chosen, case, result))
    _require(not words, words)
    return True


def is_convex(case: Case) -> bool:
    """Whether a local optimum of a case is its optimum, integrality aside."""
    return case.problem_class in CONVEX or "convex" in case.tags


def _require(holds: bool, words: str) -> None:
    if not holds:
        raise AssertionError(words)


def _faults(backend: Backend, case: Case, result: Result) -> Iterator[str]:
    """What is wrong with an answer, in words."""
    if case.outcome == INFEASIBLE:
        yield from _faults_of_infeasible(backend, result)
    elif case.outcome == UNBOUNDED:
        expected = (Termination.UNBOUNDED, Termination.INFEASIBLE_OR_UNBOUNDED)
        if result.termination not in expected:
            yield f"is unbounded, the answer is {result.termination.value}"
    else:
        yield from _faults_of_optimal(backend, case, result)


def _faults_of_infeasible(backend: Backend, result: Result) -> Iterator[str]:
    if result.verified:
        yield "is infeasible, the answer has a verified point"
    if result.guarantee is Guarantee.INFEASIBLE:
        return
    if "optimum" in backend.capabilities.proves:
        yield f"is infeasible, a global solver says {result.guarantee.value}"
    elif result.guarantee not in (Guarantee.LOCALLY_INFEASIBLE, Guarantee.NONE):
        yield f"is infeasible, the answer is {result.guarantee.value}"


def _faults_of_optimal(backend: Backend, case: Case, result: Result) -> Iterator[str]:
    searches = backend.capabilities.guarantee in (Guarantee.GLOBAL, Guarantee.LOCAL)
    if result.guarantee not in (Guarantee.GLOBAL, Guarantee.LOCAL) and not (
        searches and is_convex(case)
    ):
        if "optimum" in backend.capabilities.proves:
            yield f"has an optimum, a global solver says {result.guarantee.value}"
        if not result.verified and result.objective is not None:
            yield f"has a point that is not verified: {'; '.join(result.faults)}"
        return
    if not result.verified or result.objective is None:
        yield f"was not verified: {'; '.join(result.faults) or result.termination.value}"
        return
    assert case.objective is not None
    close = max(RELATIVE * abs(case.objective), ABSOLUTE)
    beyond = (result.objective - case.objective) * (1 if result.instance.maximize else -1)
    if beyond > close:
        yield f"has the optimum {case.objective}, the answer is better: {result.objective}"
    if result.guarantee is Guarantee.GLOBAL or is_convex(case):
        if abs(beyond) > close:
            yield f"has the optimum {case.objective}, the answer is {result.objective}"
        yield from _faults_of_values(case, result)


def _faults_of_values(case: Case, result: Result) -> Iterator[str]:
    for name, expected in (case.values or {}).items():
        given, right = np.ravel(result[name]), np.ravel(expected)
        if given.shape != right.shape:
            yield f"`{name}` has {given.size} values, expected {right.size}"
            continue
        largest = float(np.abs(right).max(initial=0.0)) or 1.0
        close = np.maximum(OF_VALUES * np.abs(right), OF_LARGEST * largest)
        if (np.abs(given - right) > close).any() or not all(map(math.isfinite, given.tolist())):
            yield f"`{name}` is {given.tolist()}, expected {right.tolist()}"
