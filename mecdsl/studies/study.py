"""A comparison repeated over many seeds of the random data, each answer against the best bound of
its own seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mecdsl.analysis.display_units import objective_display
from mecdsl.analysis.member_units import unit_text
from mecdsl.diagnostics import ModelError
from mecdsl.fitting import fitting
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.model_with_data import ModelWithData
from mecdsl.solution import SolveOptions, Termination
from mecdsl.solve import check_options, find
from mecdsl.studies.compare import Comparison, Entry, check_own, check_starts, compare
from mecdsl.studies.study_result import OWN_FAULT, Goal, Outcome, Run, Study, summaries


def study(
    model: ModelWithData,
    seeds: Sequence[int],
    backends: Sequence[str] = (),
    forms: Sequence[str] = ("",),
    relax: bool = False,
    started: Callable[[int, str, str], None] = lambda seed, backend, form: None,
    finished: Callable[[int, Sequence[Run]], None] = lambda seed, runs: None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Study:
    """Run every backend on every form for every seed; without names, every available one that takes
    some form of the first seed. Options are those of `SolveOptions` without
    the seed.

    `own`: options of single backends, as for `compare`.

    A seed whose data are no instance is recorded and passed over. A seed that is interrupted is the
    last and does not count. Raises `ModelError` for faults that no seed mends: of the model, of its
    data with every seed, unknown backends and options that no backend can follow.
    """
    check_options(SolveOptions(**options))
    for backend in backends:
        find(backend)
    model = model.across(forms)
    firsts = {form: first_instance(model, seeds, form, relax) for form in forms}
    backends = backends or fitting(list(firsts.values()))
    check_own(own or {}, backends)
    check_starts(options.get("starts", 1), backends)
    options = {**options, "own": own}
    findings: list[_Findings] = []
    interrupted = False
    for seed in seeds:
        try:
            of_seed = _seed(replace(model, seed=seed), backends, forms, relax, started, options)
        except KeyboardInterrupt:
            interrupted = True
            break
        findings.append(of_seed)
        finished(seed, of_seed.runs)
    subject = model.checked(forms[0] if len(forms) == 1 else "", relax).model
    return _study(subject, firsts, findings, relax, interrupted)


@dataclass(frozen=True, slots=True, eq=False)
class _Findings:
    """The runs of one seed, its contradictions, and its data if any run had them."""

    seed: int
    runs: list[Run]
    contradictions: list[str]
    data: Mapping[str, Any] | None


def _study(
    subject: sym.Model,
    firsts: Mapping[str, Instance],
    findings: Sequence[_Findings],
    relax: bool,
    interrupted: bool,
) -> Study:
    """What the seeds say together; `firsts`: an instance of each form."""
    goals = {form: _goal(instance) for form, instance in firsts.items()}
    runs = [run for of_seed in findings for run in of_seed.runs]
    data = [of_seed.data for of_seed in findings if of_seed.data is not None]
    return Study(
        model=subject.name,
        seeds=tuple(of_seed.seed for of_seed in findings),
        goals=goals,
        runs=tuple(runs),
        summaries=summaries(runs, goals),
        contradictions=tuple(text for of_seed in findings for text in of_seed.contradictions),
        same_data=len(findings) > 1
        and len(data) == len(findings)
        and all(_same(data[0], other) for other in data[1:]),
        interrupted=interrupted,
        displays={form: objective_display(instance) for form, instance in firsts.items()},
        title=subject.title,
        form=subject.form,
        relaxed=relax,
    )


def first_instance(
    model: ModelWithData, seeds: Sequence[int], form: str = "", relax: bool = False
) -> Instance:
    """The instance of the first seed whose data are one.

    Raises the `ModelError` of the first seed if none is.
    """
    model.checked(form, relax)
    first: ModelError | None = None
    for seed in seeds:
        try:
            return replace(model, seed=seed).instance(form, relax)
        except ModelError as error:
            first = first or error
    raise first or ValueError("a study needs a seed")


def _goal(instance: Instance) -> Goal:
    objective = instance.model.objective
    return Goal(
        objective.name, unit_text(instance.model.dimensions.get(objective.name)), objective.sense
    )


def _seed(
    model: ModelWithData,
    backends: Sequence[str],
    forms: Sequence[str],
    relax: bool,
    started: Callable[[int, str, str], None],
    options: Mapping[str, Any],
) -> _Findings:
    """All forms of one seed.

    Whatever goes wrong is of this seed and form alone. Raises `KeyboardInterrupt` if a run was
    interrupted.
    """
    seed = model.seed

    def begun(backend: str, form: str) -> None:
        started(seed, backend, form)

    parts = [
        _found(
            seed, form, backends, partial(compare, model, backends, [form], relax, begun, **options)
        )
        for form in forms
    ]
    return _Findings(
        seed,
        [run for part in parts for run in part.runs],
        [text for part in parts for text in part.contradictions],
        next((part.data for part in parts if part.data is not None), None),
    )


def _found(
    seed: int, form: str, backends: Sequence[str], compared: Callable[[], Comparison]
) -> _Findings:
    """One form of one seed; without its data, or after a fault of our own, no backend ran."""
    try:
        comparison = compared()
    except ModelError as error:
        outcome, reason = Outcome.NO_DATA, error.diagnostics[0].message
    except (
        Exception
    ) as error:  # hours of other seeds must not be lost for it; the exit code tells of it
        outcome, reason = Outcome.DID_NOT_RUN, f"{OWN_FAULT}: {type(error).__name__}: {error}"
    else:
        return _answers(seed, form, comparison)
    runs = [
        Run(seed=seed, form=form, backend=name, outcome=outcome, reason=reason) for name in backends
    ]
    return _Findings(seed, runs, [], None)


def _answers(seed: int, form: str, comparison: Comparison) -> _Findings:
    results = [entry.result for entry in comparison.entries if entry.result is not None]
    if any(result.termination is Termination.INTERRUPTED for result in results):
        raise KeyboardInterrupt
    at = f"seed {seed}{', form ' + form if form else ''}"
    return _Findings(
        seed,
        [_run(seed, entry, comparison.best_bounds.get(form)) for entry in comparison.entries],
        [f"{at}: {text}" for text in comparison.contradictions],
        results[0].instance.world.values if results else None,
    )


def _run(seed: int, entry: Entry, best_bound: float | None) -> Run:
    result = entry.result
    if result is None:
        return Run(
            seed=seed,
            form=entry.asked_form,
            backend=entry.backend,
            outcome=Outcome.DID_NOT_RUN,
            reason=entry.reason,
        )
    outcome = Outcome.RELAXED if entry.bounds_only else Outcome.VERIFIED
    if not result.verified:
        outcome = Outcome.BROKEN if result.faults else Outcome.NO_ANSWER
    reason = "; ".join(result.faults)
    if outcome is Outcome.NO_ANSWER:
        reason = result.solution.message or result.termination.value
    return Run(
        seed=seed,
        form=entry.asked_form,
        backend=entry.backend,
        outcome=outcome,
        solved_form=entry.form,
        exact=result.instance.model.exact,
        termination=result.termination,
        guarantee=result.guarantee,
        claimed=result.solution.guarantee,
        objective=result.objective,
        bound=result.bound,
        best_bound=best_bound,
        distance=entry.distance,
        violation=result.max_violation,
        seconds=result.seconds.get("solve"),
        reason=reason,
    )


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether the values that both have are the same."""
    return all(np.array_equal(first[name], second[name]) for name in first if name in second)
