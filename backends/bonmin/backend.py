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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.analysis.poles import poles
from mecdsl.analysis.scaling import reference_point
from mecdsl.backend import Acceptance, Availability, Capabilities, Request, accepts_class, prefer
from mecdsl.backends.bonmin.dependence import equations_depend
from mecdsl.backends.bonmin.sizes import sizes_alike
from mecdsl.backends.nlp.words import WORDS
from mecdsl.backends.shared.words import accepts_functions
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.tables import FloatArray
from mecdsl.model.classes import Degree, ProblemClass
from mecdsl.pyomo_model.functions import WORDS as PYOMO_WORDS
from mecdsl.reduction.plain_parts import plain_objective, plain_rows
from mecdsl.reduction.reduced import Reduced, reduce_instance
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
DEPENDENT: Final = "a heuristic: equations depend on each other, so a node may end anywhere"
NONCONVEX: Final = "a heuristic on a nonconvex problem"


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """A minimisation in scaled columns, those of `reduced`, which leads back."""

    problem: "NlpProblem"
    symbolic: "SymbolicNlp"
    reduced: Reduced


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
    conflict, program = reduce_instance(instance).conflict, None
    if not conflict:
        through_pyomo = request.options.via == "pyomo"
        program = _through_pyomo(instance) if through_pyomo else _from_arrays(instance)
        conflict = program.reduced.conflict
    lowered = time.perf_counter()
    if program is None or conflict:
        solution = Solution(
            backend="bonmin",
            termination=Termination.INFEASIBLE,
            guarantee=Guarantee.INFEASIBLE,
            message=conflict,
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
    try:
        outcome = run_bonmin(
            replace(program.problem, start=program.reduced.started_at(start)),
            program.symbolic,
            program.reduced.integral,
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
    instance, reduced = request.instance, program.reduced
    convex = request.problem.convex
    nonlinear = request.problem.problem_class is ProblemClass.MINLP
    # at a place like 0^2/0, where the limit counts, CasADi has no value: nodes there are cut off
    # without a proof, and near it the local solver's steps end early: it called 972 optimal where
    # 0.0063 is
    singular = bool(poles(instance)) or (
        outcome.bound is not None and bool(np.isnan(outcome.bound))
    )
    alike = sizes_alike(instance, reduced.scaling)
    dependent = equations_depend(reduced)
    proves = convex and alike and not singular and not dependent
    x = None if outcome.x is None else reduced.point(outcome.x)
    value = None if x is None else instance.objective(x)
    bound = reduced.bound(outcome.bound) if outcome.bound is not None and proves else None
    termination, guarantee = _judged(outcome.termination, proves, x is not None)
    return Solution(
        backend="bonmin",
        termination=termination,
        guarantee=guarantee,
        values=x,
        objective=value,
        bound=bound,
        message=f"Bonmin: {outcome.message or outcome.status}",
        label="" if proves else _why_heuristic(convex, alike, dependent, nonlinear),
    )


def _why_heuristic(convex: bool, alike: bool, dependent: bool, nonlinear: bool) -> str:
    if convex:
        return UNLIKE if not alike else DEPENDENT if dependent else SINGULAR
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
    """Parts of degree two or less from their numbers, the others as combinations."""
    import casadi as ca

    from mecdsl.backends.nlp.casadi_derivatives import differentiate, nlp_problem
    from mecdsl.backends.shared.combinations import Combinations, Tool, leaves

    tool = Tool({name: getattr(ca, word) for name, word in WORDS.items()}, _total)
    reduced = reduce_instance(instance)
    unknowns = ca.SX.sym("x", len(reduced.columns))
    variables: list[Any] = [None] * instance.columns
    for column, symbol in zip(reduced.columns.tolist(), unknowns.elements(), strict=True):
        variables[column] = symbol
    known = leaves(instance, reduced.scaling, variables, tool)
    evaluator = instance.evaluator(Combinations(known, tool))
    reduced, objective = _objective(evaluator, reduced, unknowns)
    plain = plain_rows(reduced)
    reduced, rows, limits = _curved(evaluator, reduced)
    symbolic = differentiate(
        unknowns, objective, ca.vertcat(_expressions(plain.coefficients, unknowns), *rows)
    )
    problem = nlp_problem(
        symbolic,
        reduced.lower,
        reduced.upper,
        np.concatenate([plain.lower, limits[:, 0]]),
        np.concatenate([plain.upper, limits[:, 1]]),
        np.zeros(len(reduced.columns)),
    )
    return _Program(problem, symbolic, reduced)


def _expressions(found: Quadratics, unknowns: Any) -> Any:
    """Rows of degree two or less without their constants."""
    import casadi as ca

    shape, count = (found.size, unknowns.numel()), len(found.quadratic_value)
    linear = ca.DM.triplet(found.row.tolist(), found.column.tolist(), ca.DM(found.value), *shape)
    total = ca.densify(ca.mtimes(linear, unknowns))
    if not count:
        return total
    rows, values = found.quadratic_row.tolist(), ca.DM(found.quadratic_value)
    # of a single unknown CasADi makes a row of what is picked by a list
    first, second = (ca.vec(unknowns[part.tolist()]) for part in (found.first, found.second))
    products = first * second
    weights = ca.DM.triplet(rows, list(range(count)), values, found.size, count)
    return total + ca.mtimes(weights, products)


def _objective(evaluator: Evaluator, reduced: Reduced, unknowns: Any) -> tuple[Reduced, Any]:
    """The reduction with the factor that the objective has, and the scaled objective, to be
    minimised.
    """
    import casadi as ca

    from mecdsl.backends.shared.combinations import multiple, normalised, require_finite, varies

    instance = reduced.instance
    stated = instance.model.objective
    if instance.goal.shape.degree <= Degree.QUADRATIC:
        return reduced, _expressions(plain_objective(reduced), unknowns) + reduced.handed
    value = instance.goal.value(evaluator)[0]
    if not varies(value):
        return reduced, ca.SX(0.0)
    require_finite(value, stated.name, stated.span)
    rest = value - value.constant
    factor = normalised(rest)[0]
    reduced = reduced.with_objective(factor, value.constant, len(value.terms))
    return reduced, reduced.sign * multiple(rest, factor) + reduced.handed


def _curved(evaluator: Evaluator, reduced: Reduced) -> tuple[Reduced, list[Any], FloatArray]:
    """The scaled rows above degree two and their limits, float64[rows, 2], with the reduction to
    them.

    Constants go to the limits: with `x + y - 1.5e6 == 0` over integers Bonmin ended with an unnamed
    error.
    """
    from mecdsl.backends.shared.combinations import multiple, normalised, require_finite, varies

    instance, factors = reduced.instance, reduced.scaling.row.copy()
    rows: list[Any] = []
    limits: list[tuple[float, float]] = []
    without: list[int] = []
    for family in instance.constraints:
        curved = family.size and family.shape.degree > Degree.QUADRATIC
        for row, value in enumerate(difference(evaluator, family) if curved else ()):
            if not varies(value):
                without.append(family.first + row)
                continue
            require_finite(value, instance.row_name(family, row), family.constraint.span)
            factors[family.first + row] = factor = normalised(value)[0]
            rows.append(multiple(value - value.constant, factor))
            low, high = family.relation.limits
            limits.append((low - factor * value.constant, high - factor * value.constant))
    found = reduced.with_rows(factors).without(np.array(without, dtype=np.int64))
    return found, rows, np.array(limits, dtype=np.float64).reshape(-1, 2)


def _total(parts: Sequence[Any]) -> Any:
    import casadi as ca

    return ca.sum1(ca.vertcat(*parts))


def _through_pyomo(instance: Instance) -> _Program:
    """`scaled_pyomo`, an NL file, CasADi's importer."""
    from mecdsl.backends.nlp.pyomo_nlp import nlp_from_pyomo
    from mecdsl.backends.shared.scaled_pyomo import scaled_pyomo

    stated = scaled_pyomo(reduce_instance(instance))
    nlp = nlp_from_pyomo(stated.lowered.model)
    reduced = stated.narrowed(nlp.variables, nlp.constraints).minimised()
    return _Program(nlp.problem, nlp.symbolic, reduced)
