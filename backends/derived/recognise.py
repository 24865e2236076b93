"""The problem of a paper found in an instance, whatever its text looks like.

Names are not believed. The shipped model of the paper is given the data of the instance, and then
columns, objective and every row of the two are compared. What comes out is the shipped model with
those data: an algorithm reads it and answers in its terms, and `Found` brings the answer into those
of the instance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from mecdsl.backends.derived.agreement import NOT_HERE
from mecdsl.backends.derived.as_written import as_written
from mecdsl.backends.derived.columns import columns_of, compare_bounds, compare_columns, odd_name
from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.paper import Paper, Problem
from mecdsl.backends.derived.reference import Differs, Shipped, checked, reference
from mecdsl.backends.derived.rows import match_objective, match_rows
from mecdsl.backends.derived.samples import Sample, random_points, sample, start_sizes
from mecdsl.backends.derived.sides import Side
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind


@dataclass(frozen=True, slots=True, eq=False)
class Recognised(Generic[Problem]):
    """A problem found in an instance, and the algorithm's own data of it."""

    found: Found
    problem: Problem


def recognise(instance: Instance, paper: Paper[Problem]) -> Recognised[Problem] | str:
    """The problem of a paper that an instance is, or the reason why it is none; looked for once per
    instance and paper.
    """
    return _recognised(instance, paper)


def problem_of(instance: Instance, paper: Paper[Problem]) -> Problem | str:
    """The algorithm's own data of an instance, or the reason why it is not the paper's problem."""
    recognised = recognise(instance, paper)
    return recognised if isinstance(recognised, str) else recognised.problem


@fact
def _recognised(instance: Instance, paper: Paper[Any]) -> Recognised[Any] | str:
    try:
        found = _found(instance, paper)
    except Differs as difference:
        return str(difference)
    try:
        return Recognised(found, paper.read(found))
    except ValueError as error:
        return str(error)


def _found(instance: Instance, paper: Paper[Any]) -> Found:
    """Raises `Differs`; what costs nothing is looked at first, since most instances are of another
    paper.

    Of several forms with the same variables the objective tells which is meant: where it agrees and
    a row does not, that is said.
    """
    missing = sorted(paper.reads - instance.world.values.keys())
    if missing:
        raise Differs(f"the model has no `{missing[0]}`")
    sizes = frozenset(name for name, _ in paper.sizes)
    for problem in paper.problems:
        found = as_written(instance, problem, paper.reads, sizes, paper.optional)
        if found is not None:
            return found
    said, sampled = None, dict[bytes, Sample]()
    for problem in _candidates(instance, paper.problems):
        try:
            beside = _beside(instance, problem, paper, sampled)
        except Differs as difference:
            said = said or difference
            continue
        try:
            return _with_rows(beside, paper)
        except Differs as difference:
            said = difference
    raise said or Differs("it has other variables")


@dataclass(frozen=True, slots=True, eq=False)
class _Beside:
    """An instance beside a shipped model that has its columns and its objective."""

    problem: Shipped
    own: Side
    wanted: Side
    columns: IntArray
    fixed: Mapping[str, FloatArray]
    has_constant: bool


def _beside(
    instance: Instance, problem: Shipped, paper: Paper[Any], sampled: dict[bytes, Sample]
) -> _Beside:
    """Raises `Differs` where columns or objective are others. `sampled`: the instance at points
    where it was looked at before.
    """
    wanted = reference(instance, problem, paper.reads, paper.sizes)
    columns = columns_of(instance, wanted)
    fixed = compare_columns(instance, wanted, columns, paper.may_be_fixed)
    own_side, wanted_side = _sides(instance, wanted, columns, sampled)
    objective = wanted.model.objective.doc or f"that of {problem.problem}"
    constant = match_objective(own_side, wanted_side, paper.may_add_constant, objective)
    return _Beside(problem, own_side, wanted_side, columns, fixed, constant)


def _with_rows(beside: _Beside, paper: Paper[Any]) -> Found:
    """Raises `Differs` where rows or bounds are others."""
    instance, wanted = beside.own.instance, beside.wanted.instance
    rows = match_rows(beside.own, beside.wanted, paper.optional)
    complete = bool((rows.place != NOT_HERE).all())
    compare_bounds(instance, wanted, beside.columns, complete=complete)
    return Found(
        problem=beside.problem,
        reads=paper.reads,
        reference=wanted,
        instance=instance,
        columns=beside.columns,
        rows=rows,
        fixed=beside.fixed,
        has_constant=beside.has_constant,
    )


def _sides(
    instance: Instance, wanted: Instance, columns: IntArray, sampled: dict[bytes, Sample]
) -> tuple[Side, Side]:
    """Both instances at the same points."""
    points = random_points(wanted, start_sizes(instance)[columns])
    own_points = np.empty_like(points)
    own_points[:, columns] = points
    own_names = np.empty_like(columns)
    own_names[columns] = np.arange(len(columns))
    place = own_points.tobytes() + own_names.tobytes()
    if place not in sampled:
        sampled[place] = sample(instance, own_points, own_names)
    return (
        Side(instance, sampled[place]),
        Side(wanted, sample(wanted, points, np.arange(len(columns)))),
    )


def _candidates(instance: Instance, problems: tuple[Shipped, ...]) -> list[Shipped]:
    """The problems with the variables and the integers of an instance, else the first with its
    variables.

    Raises `Differs` where none has its variables.
    """
    domains = {
        family.name: instance.integral[family.columns][instance.free[family.columns]]
        for family in instance.variables
    }
    same, whole = list[Shipped](), list[Shipped]()
    for problem in problems:
        wanted = _domains(problem)
        if wanted.keys() == domains.keys():
            same.append(problem)
            if all((own == wanted[name]).all() for name, own in domains.items()):
                whole.append(problem)
    if same:
        return whole or same[:1]
    nearest = min(problems, key=lambda problem: len(_domains(problem).keys() ^ domains.keys()))
    raise Differs(odd_name(domains.keys(), _domains(nearest).keys()))


def _domains(problem: Shipped) -> Mapping[str, bool]:
    """The variable families of a shipped model, and whether they are whole."""
    variables = checked(problem).model.of_kind(Kind.VAR)
    return {symbol.name: symbol.domain is not sym.NumberDomain.REAL for symbol in variables}
