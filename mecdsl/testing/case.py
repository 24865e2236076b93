"""What a conformance case is: a small model, its class, and the answer every backend must give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mecdsl.model.classes import ProblemClass

FOLDER = Path(__file__).resolve().parent / "models"

Values = Mapping[str, float | tuple[float, ...]]

OPTIMAL, INFEASIBLE, UNBOUNDED = "optimal", "infeasible", "unbounded"

TAGS: Mapping[str, str] = {
    "convex": "an NLP or MINLP convex within its bounds, so that a local method finds the optimum",
    "nonconvex": "an NLP or MINLP that is not convex: a local method may stop at a worse point, or "
    "find none",
    "nonsmooth": "abs, min or max of variables",
    "tie": "several optima; `values` holds only what they have in common",
    "scaling": "coefficients or values of very different size",
    "no columns": "nothing left to decide: no variable, or all fixed by the form",
    "no rows": "no constraint but bounds",
    "redundant": "more equations than variables",
    "fixed": "the form fixes variables",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One problem with its answer.

    `form`: "" for the base model. `outcome`: OPTIMAL, INFEASIBLE or UNBOUNDED. `objective`: None
    unless optimal. `values`: by qualified name, what every optimum has in common, None if nothing
    is claimed. `why`: the reason, in a few words. `tags`: keys of TAGS. `point`: one optimum in
    full where `values` is not enough, or a feasible point of an unbounded problem. `ray`: a
    direction from there in which that problem stays feasible and gains. All numbers are in SI; the
    values of a family are in the order of its rows.
    """

    name: str
    file: str
    form: str
    problem_class: ProblemClass
    outcome: str
    objective: float | None = None
    values: Values | None = None
    why: str = ""
    tags: frozenset[str] = frozenset()
    point: Values = field(default_factory=dict)
    ray: Values = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        """Where the model stands."""
        return FOLDER / self.file

    @property
    def full_point(self) -> Values:
        """A value for every variable; empty for an infeasible problem."""
        return {**self.point, **(self.values or {})}


def optimal(
    model: str,
    problem_class: ProblemClass,
    objective: float,
    values: Values | None,
    why: str,
    *tags: str,
    form: str = "",
    point: Values | None = None,
) -> Case:
    """A case with an optimum; it is named after its model and form."""
    name = f"{model}-{form}" if form else model
    return Case(
        name=name,
        file=f"{model}.mec",
        form=form,
        problem_class=problem_class,
        outcome=OPTIMAL,
        objective=objective,
        values=values,
        why=why,
        tags=frozenset(tags),
        point=point or {},
    )


def infeasible(
    model: str, problem_class: ProblemClass, why: str, *tags: str, form: str = ""
) -> Case:
    """A case without a feasible point."""
    name = f"{model}-{form}" if form else model
    return Case(
        name=name,
        file=f"{model}.mec",
        form=form,
        problem_class=problem_class,
        outcome=INFEASIBLE,
        why=why,
        tags=frozenset(tags),
    )


def unbounded(
    model: str, problem_class: ProblemClass, point: Values, ray: Values, why: str, *tags: str
) -> Case:
    """A case whose objective has no limit."""
    return Case(
        name=model,
        file=f"{model}.mec",
        form="",
        problem_class=problem_class,
        outcome=UNBOUNDED,
        why=why,
        tags=frozenset(tags),
        point=point,
        ray=ray,
    )
