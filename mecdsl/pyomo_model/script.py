"""A Pyomo model as a Python script of plain Pyomo statements that builds the same model without
this project.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyomo.environ as pyo
from pyomo.core.expr import expression_to_string

from mecdsl.pyomo_model.functions import WORDS
from mecdsl.pyomo_model.lower import PyomoModel
from mecdsl.pyomo_model.scale_map import ScaleMap
from mecdsl.pyomo_model.sets import free_name

CLASSES: Final = (
    "Binary Block ConcreteModel Constraint Integers Objective RangeSet Reals Set SolverFactory "
    "Suffix Var"
).split()
CALLED: Final = ["maximize", "minimize", "value", *WORDS.values()]
NAMES: Final = [*CLASSES, *sorted(CALLED)]

END = '''

def si(component):
    """The value of a variable or of the objective in SI units."""
    return value(component) * model.%(factor)s[component]


def solve(solver):
    """Solve with a solver of Pyomo's, and print objective and values in SI units."""
    results = SolverFactory(solver).solve(model)
    print(results.solver.termination_condition)
    print(%(objective)s.name, "=", si(%(objective)s), %(unit)r)
    for variable in model.component_data_objects(Var):
        if variable.value is not None:
            print(variable.name, "=", si(variable))


if __name__ == "__main__":
    import sys

    if len(sys.argv) > 1:
        solve(sys.argv[1])
    else:
        model.pprint()
'''


def script(lowered: PyomoModel, names: ScaleMap) -> str:
    """The text of the script; running it prints the model, or solves it with the solver that is
    named.
    """
    model = lowered.model
    unit = "" if names.objective.unit == "1" else names.objective.unit
    factor = free_name(model, "factor")
    body = "\n".join([*_statements(model), "", *_factors(lowered, names, f"model.{factor}")])
    end = END % {"objective": _path(lowered.objective), "unit": unit, "factor": factor}
    used = [name for name in NAMES if re.search(rf"(?<![.])\b{name}\b", body + end)]
    numbers = "scaled by powers of two" if names.scaled else "all numbers in SI units"
    return (
        f'"""Pyomo model {model.name}, {numbers}; `si(model.x)` is the value of `x` in SI '
        f"units, `model.{factor}` the\n"
        "factor that leads there. Run it to print the model, run it with the name of a "
        "solver to solve it.\n"
        f'"""\n\nfrom pyomo.environ import {", ".join(used)}\n\n{body}\n{end}'
    )


def _factors(lowered: PyomoModel, names: ScaleMap, suffix: str) -> Iterator[str]:
    """The suffix: one statement for a component whose members share their factor."""
    yield f"{suffix} = Suffix(direction=Suffix.LOCAL)"
    yield f"{suffix}[{_path(lowered.objective)}] = {names.objective.factor!r}"
    rows = [row for family in lowered.constraints.values() for row in family if row is not None]
    pairs = zip([*lowered.variables, *rows], [*names.columns, *names.rows], strict=True)
    families: dict[int, list[tuple[Any, float]]] = {}
    for component, mapped in pairs:
        families.setdefault(id(component.parent_component()), []).append((component, mapped.factor))
    for members in families.values():
        if len({factor for _, factor in members}) == 1:
            yield (
                f"{suffix}.set_value({_path(members[0][0].parent_component())}, {members[0][1]!r})"
            )
        else:
            yield from (
                f"{suffix}[{_path(component)}] = {factor!r}" for component, factor in members
            )


def _statements(model: Any) -> Iterator[str]:
    yield f"model = ConcreteModel({_arguments({'name': model.name, 'doc': model.doc})})"
    for block in model.component_objects(pyo.Block, descend_into=True):
        yield f"{_path(block)} = Block({_arguments({'doc': block.doc})})"
    for component in model.component_objects((pyo.Set, pyo.RangeSet), descend_into=True):
        yield f"{_path(component)} = {_set(component)}"
    for component in model.component_objects(pyo.Var, descend_into=True):
        yield ""
        yield from _variable(component)
    for component in model.component_objects(pyo.Objective, descend_into=True):
        sense = "maximize" if component.sense == pyo.maximize else "minimize"
        yield ""
        yield (
            f"{_path(component)} = Objective(expr={_text(component.expr)}, "
            f"sense={sense}{_doc(component)})"
        )
    for component in model.component_objects(pyo.Constraint, descend_into=True):
        yield ""
        yield from _constraint(component)


def _set(component: Any) -> str:
    if component.ctype is pyo.RangeSet:
        first, last = component.bounds()
        return f"RangeSet({first}, {last}{_doc(component)})"
    return f"Set(initialize={list(component)!r}, dimen={component.dimen}{_doc(component)})"


def _variable(component: Any) -> Iterator[str]:
    """The declaration with what all members share, then what each has of its own."""
    members = list(component.values())
    domain = members[0].domain.name if members else "Reals"
    bounds = {member.bounds for member in members}
    given: dict[str, Any] = {"bounds": next(iter(bounds))} if len(bounds) == 1 else {}
    starts = {member.value for member in members}
    start = next(iter(starts)) if len(starts) == 1 else None
    shared = start is not None and start in members[0].domain and not any(m.fixed for m in members)
    if shared:
        given["initialize"] = start
    arguments = [*_index(component), f"domain={domain}", *filter(None, [_arguments(given)])]
    yield f"{_path(component)} = Var({', '.join(arguments)}{_doc(component)})"
    for member in members:
        name = _path(member)
        if len(bounds) > 1:
            yield f"{name}.bounds = {member.bounds!r}"
        if member.fixed:
            yield f"{name}.fix({member.value!r}, skip_validation=True)"
        elif member.value is not None and not shared:
            yield f"{name}.set_value({member.value!r}, skip_validation=True)"


def _constraint(component: Any) -> Iterator[str]:
    if not component.is_indexed():
        for row in component.values():
            yield f"{_path(component)} = Constraint(expr={_relation(row)}{_doc(component)})"
        return
    yield f"{_path(component)} = Constraint({', '.join(_index(component))}{_doc(component)})"
    for row in component.values():
        yield f"{_path(row)} = {_relation(row)}"


def _relation(row: Any) -> str:
    lower, body, upper = row.to_bounded_expression(evaluate_bounds=True)
    if row.equality:
        return f"{_text(body)} == {upper!r}"
    return f"{_text(body)} <= {upper!r}" if lower is None else f"{_text(body)} >= {lower!r}"


def _text(expression: Any) -> str:
    """The expression in Python; Pyomo writes its functions as `log`, `exp`, `sqrt`, and numbers in
    full.
    """
    if isinstance(expression, int | float):
        return repr(expression)
    return str(expression_to_string(expression, labeler=_path, compute_values=False))


def _path(component: Any) -> str:
    """`model.learner.batch[3]`, labels that are names in quotes."""
    parent = component.parent_component()
    place = parent.name.replace("'", "")  # Pyomo quotes `inf` and other names that read as numbers
    if parent is component:
        return f"model.{place}"
    index = component.index()
    labels = index if isinstance(index, tuple) else (index,)
    return f"model.{place}[{', '.join(map(repr, labels))}]"


def _index(component: Any) -> list[str]:
    """The index set: one with a name, or a product of such."""
    if not component.is_indexed():
        return []
    return [" * ".join(_path(factor) for factor in component.index_set().subsets())]


def _arguments(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)


def _doc(component: Any) -> str:
    return f", doc={component.doc!r}" if component.doc else ""
