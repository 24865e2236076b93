"""Bonmin: problems with integers whose relaxation is convex, by branch and bound over a local
solver.

- The problem goes in scaled, with inner parts of nonlinear functions of size 1
  (`mecdsl.analysis.scaling`, `mecdsl.backends.shared.combinations`); derivatives are CasADi's, one
  row at a time. How Bonmin is run, and which of its algorithms can be believed:
  `mecdsl.backends.bonmin.core`.
- The answer is a global optimum only if the relaxation is convex, which
  `mecdsl.convexity.problem.Problem.convex` proves or does not, and where its numbers are of like
  sizes (`mecdsl.backends.bonmin.sizes`). Elsewhere the point is what a heuristic finds: no bound is
  passed on.
- "Infeasible" means that a local solver found no feasible point: of `received >= 1 uW` beside a
  bound of 1 W it said so although there is one. Whether it is true is for others to prove
  (`mecdsl.proofs`).
- Bonmin starts at the start values, and between the bounds where there are none: at a bound `ln` or
  a quotient may have no value. It takes no other start, no seed and no number of threads.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mecdsl.analysis.origins import apart, origins
from mecdsl.analysis.poles import poles
from mecdsl.analysis.scaling import Scaling, reference_point, scale, unscaled
from mecdsl.backend import Acceptance, Availability, Capabilities, Request, accepts_class, prefer
from mecdsl.backends.bonmin.sizes import sizes_alike
from mecdsl.backends.nlp.words import WORDS
from mecdsl.backends.shared.constant_rows import crossed_bounds, false_row
from mecdsl.backends.shared.words import accepts_functions
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import SINGLE, FloatArray, IntArray
from mecdsl.model.classes import Degree, ProblemClass
from mecdsl.pyomo_model.functions import WORDS as PYOMO_WORDS
from mecdsl.solution import Guarantee, Solution, Termination

if TYPE_CHECKING:
    from mecdsl.backends.bonmin.core import BonminOutcome
    from mecdsl.backends.nlp.casadi_derivatives import SymbolicNlp
    from mecdsl.backends.nlp.problem import NlpProblem

SHORTEST: Final = 1e-3  # s; Bonmin takes no limit of 0
UNPROVEN: Final = (
    "a heuristic unless the problem without integrality is convex, which is not proven"
)
SINGULAR: Final = "a heuristic: within the bounds a function has no value but a limit, as 0^2/0"
UNLIKE: Final = (
    "a heuristic: the numbers are of such different sizes that a node may be cut off by a tolerance"
)
NONCONVEX: Final = "a heuristic on a nonconvex problem"


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """A minimisation in scaled columns, and what leads back."""

    problem: "NlpProblem"
    symbolic: "SymbolicNlp"
    columns: IntArray
    scaling: Scaling
    conflict: str
    kept_out: float = (
        0.0  # of the scaled objective, in its sense: a constant that Bonmin is not told
    )


class Bonmin:
    """Bonmin from arrays, or through Pyomo with `via="pyomo"`."""

    name = "bonmin"
    capabilities = Capabilities(
        title="Bonmin",
        classes=frozenset(kind for kind in ProblemClass if kind.integral),
        guarantee=Guarantee.GLOBAL,
        reference="Bonami et al., An algorithmic framework for convex mixed integer "
        "nonlinear programs, "
        "Discrete Optimization 5, 2008",
        bounds=True,
        warm_start=True,
        time_limit=True,
        pyomo=True,
        local_nodes=True,
        preferences=(
            prefer(20, "convex with integers", ProblemClass.MIQP, ProblemClass.MIQCP),
            prefer(
                20,
                "nonlinear with integers",
                ProblemClass.MINLP,
                where_convex="convex without integrality",
            ),
        ),
    )

    def availability(self) -> Availability:
        """Whether CasADi, which carries Bonmin, can be imported."""
        try:
            import casadi  # noqa: F401
        except ImportError as error:
            return Availability(False, reason=str(error))
        return Availability(True, {"casadi": version("casadi")})

    def accepts(self, request: Request) -> Acceptance:
        """Every class with integers, of smooth functions."""
        accepted = accepts_class(self, request.problem)
        if not accepted.accepted:
            return accepted
        for report in (request.problem.objective, *request.problem.families):
            if report.degree is Degree.NONSMOOTH and report.size:
                return Acceptance(
                    False, f"`bonmin` needs smooth functions: `{report.name}` holds {report.reason}"
                )
        if request.options.via == "pyomo":
            return accepts_functions(self.name, request.instance, PYOMO_WORDS, " through Pyomo")
        return accepts_functions(self.name, request.instance, WORDS)

    def solve(self, request: Request) -> Solution:
        """The optimum of a convex problem; for others the best point found, labelled as such.

        Raises `ModelError` E505 for an option Bonmin does not know or a value it does not take,
        E311 for a coefficient that is not finite.
        """
        return replace(_solve(request), versions=self.availability().versions)


def _solve(request: Request) -> Solution:
    started = time.perf_counter()
    instance = request.instance
    conflict = crossed_bounds(instance)
    program = (
        None
        if conflict
        else _through_pyomo(instance)
        if request.options.via == "pyomo"
        else _from_arrays(instance)
    )
    conflict = conflict or (program.conflict if program else "")
    lowered = time.perf_counter()
    if program is None or conflict:
        solution = Solution(
            "bonmin", Termination.INFEASIBLE, Guarantee.INFEASIBLE, message=conflict
        )
    else:
        solution = _solution(request, program, _run(request, program))
    return replace(
        solution, seconds={"lower": lowered - started, "solve": time.perf_counter() - lowered}
    )


def _run(request: Request, program: _Program) -> "BonminOutcome":
    from mecdsl.backends.bonmin.run import run_bonmin

    instance, options = request.instance, request.options
    start = reference_point(instance)
    if options.start is not None:
        start = np.where(np.isfinite(options.start), options.start, start)
    start = np.clip(start, instance.lower, instance.upper)
    columns = program.columns
    scaled = (start - program.scaling.origin) / program.scaling.column
    try:
        outcome = run_bonmin(
            replace(program.problem, start=scaled[columns]),
            program.symbolic,
            instance.integral[columns],
            time_limit=None if options.time_limit is None else max(SHORTEST, options.time_limit),
            gap=0.5 * options.gap,  # the verifier measures it at the rounded point
            log=options.log,
            raw=options.raw,
            should_stop=request.should_stop,
        )
    except ValueError as error:
        if not options.raw:
            raise
        raise ModelError([Diagnostic("E505", str(error))]) from error
    if options.raw and "type mismatch" in outcome.message:
        told = ", ".join(f"`{name}` = `{value}`" for name, value in options.raw.items())
        raise ModelError(
            [Diagnostic("E505", f"bonmin does not take an option in the type it was given: {told}")]
        )
    return outcome


def _solution(request: Request, program: _Program, outcome: "BonminOutcome") -> Solution:
    instance, scaling = request.instance, program.scaling
    convex = request.problem.convex
    nonlinear = request.problem.problem_class is ProblemClass.MINLP
    # at a place like 0^2/0, where the limit counts, CasADi has no value: nodes there are cut off
    # without a proof, and near it the local solver's steps end early: it called 972 optimal where
    # 0.0063 is
    singular = bool(poles(instance)) or (
        outcome.bound is not None and bool(np.isnan(outcome.bound))
    )
    alike = sizes_alike(instance, scaling)
    proves = convex and alike and not singular
    sign = -1.0 if instance.maximize else 1.0
    x: FloatArray | None = None
    if outcome.x is not None:
        x = unscaled(instance, scaling, program.columns, outcome.x)
    value = None if x is None else instance.objective(x)
    bound = None
    if outcome.bound is not None and proves:
        bound = (sign * outcome.bound + program.kept_out) / scaling.objective
    termination, guarantee = _judged(outcome.termination, proves, x is not None)
    return Solution(
        "bonmin",
        termination,
        guarantee,
        x,
        value,
        bound,
        message=f"Bonmin: {outcome.message or outcome.status}",
        label="" if proves else _why_heuristic(convex, alike, nonlinear),
    )


def _why_heuristic(convex: bool, alike: bool, nonlinear: bool) -> str:
    if convex:
        return SINGULAR if alike else UNLIKE
    return UNPROVEN if nonlinear else NONCONVEX


def _judged(found: Termination, proves: bool, point: bool) -> tuple[Termination, Guarantee]:
    """What Bonmin's claim is worth."""
    if found is Termination.OPTIMAL and point:
        return (found, Guarantee.GLOBAL) if proves else (Termination.FINISHED, Guarantee.FEASIBLE)
    if found is Termination.INFEASIBLE:
        return Termination.LOCALLY_INFEASIBLE, Guarantee.LOCALLY_INFEASIBLE
    return found, Guarantee.FEASIBLE if point else Guarantee.NONE


# Two ways to the problem


def _from_arrays(instance: Instance) -> _Program:
    """Every family as expressions of CasADi.

    Linear and quadratic rows keep the factors of `scale`, as elsewhere.
    """
    import casadi as ca

    from mecdsl.backends.shared.combinations import Combinations, Tool, leaves

    tool = Tool({name: getattr(ca, word) for name, word in WORDS.items()}, _total)
    scaling = scale(instance, origins(instance))
    columns = np.flatnonzero(instance.free).astype(np.int64)
    unknowns = ca.SX.sym("x", len(columns))
    variables: list[Any] = [None] * instance.columns
    for column, symbol in zip(columns.tolist(), unknowns.elements(), strict=True):
        variables[column] = symbol
    evaluator = instance.evaluator(Combinations(leaves(instance, scaling, variables, tool), tool))
    scaling, objective, kept_out = _objective(instance, evaluator, scaling)
    rows: list[Any] = []
    limits: list[tuple[float, float]] = []
    constant: list[int] = []
    for family in instance.constraints:
        for row, found in enumerate(_rows(instance, evaluator, scaling, family)):
            if found is None:
                constant.append(family.first + row)
            else:
                rows.append(found[0])
                limits.append(
                    (
                        -np.inf if family.relation == "<=" else found[1],
                        np.inf if family.relation == ">=" else found[1],
                    )
                )
    conflict = false_row(instance, np.array(constant, dtype=np.int64))
    program = _program(instance, scaling, columns, unknowns, objective, rows, limits, conflict)
    return replace(program, kept_out=kept_out)


def _objective(
    instance: Instance, evaluator: Evaluator, scaling: Scaling
) -> tuple[Scaling, Any, float]:
    """The scaled objective, to be minimised, the scaling with the factor it has, and the constant
    that is kept out.
    """
    import casadi as ca

    from mecdsl.backends.shared.combinations import multiple, normalised, require_finite, varies

    stated = instance.model.objective
    value = evaluator.family(stated.value, SINGLE)[0]
    if not varies(value):
        return scaling, ca.SX(0.0), 0.0
    require_finite(value, stated.name, stated.span)
    if instance.checked.shapes.shape(stated.value).degree > Degree.QUADRATIC:
        scaling = replace(scaling, objective=normalised(value - value.constant)[0])
    kept_out = apart(scaling.objective * value.constant, len(value.terms)).kept_out
    expression = multiple(value - value.constant if kept_out else value, scaling.objective)
    return scaling, -expression if instance.maximize else expression, kept_out


def _rows(
    instance: Instance, evaluator: Evaluator, scaling: Scaling, family: ConstraintFamily
) -> Iterator[tuple[Any, float] | None]:
    """The scaled rows of a family as expression and bound; None for one without a free variable.

    Constants go to the bound: with `x + y - 1.5e6 == 0` over integers Bonmin ended with an unnamed
    error.
    """
    from mecdsl.backends.shared.combinations import multiple, normalised, require_finite, varies

    for row, value in enumerate(difference(evaluator, family)):
        if not varies(value):
            yield None
            continue
        require_finite(value, instance.row_name(family, row), family.constraint.span)
        factor = float(scaling.row[family.first + row])
        if family.shape.degree > Degree.QUADRATIC:
            factor = normalised(value)[0]
        yield multiple(value - value.constant, factor), -factor * value.constant


def _program(
    instance: Instance,
    scaling: Scaling,
    columns: IntArray,
    unknowns: Any,
    objective: Any,
    rows: Sequence[Any],
    limits: Sequence[tuple[float, float]],
    conflict: str,
) -> _Program:
    import casadi as ca

    from mecdsl.backends.nlp.casadi_derivatives import differentiate, nlp_problem

    symbolic = differentiate(unknowns, ca.SX(objective), ca.vertcat(*rows) if rows else ca.SX(0, 1))
    problem = nlp_problem(
        symbolic,
        (instance.lower - scaling.origin)[columns] / scaling.column[columns],
        (instance.upper - scaling.origin)[columns] / scaling.column[columns],
        np.array([low for low, _ in limits]),
        np.array([high for _, high in limits]),
        np.zeros(len(columns)),
    )
    return _Program(problem, symbolic, columns, scaling, conflict)


def _total(parts: Sequence[Any]) -> Any:
    import casadi as ca

    return ca.sum1(ca.vertcat(*parts))


def _through_pyomo(instance: Instance) -> _Program:
    """`to_pyomo`, an NL file, CasADi's importer."""
    from mecdsl.backends.nlp.pyomo_nlp import nlp_from_pyomo
    from mecdsl.backends.shared.scaled_pyomo import scaled_pyomo

    scaled = scaled_pyomo(instance)
    nlp = nlp_from_pyomo(scaled.lowered.model)
    column_of = {id(variable): column for column, variable in enumerate(scaled.lowered.variables)}
    columns = np.array(
        [column_of.get(id(variable), -1) for variable in nlp.variables], dtype=np.int64
    )
    return _Program(nlp.problem, nlp.symbolic, columns, scaled.scaling, "")
