"""Several backends and forms on the same data, side by side, each against the best proven bound."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mecdsl.backends import table
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.fitting import fitting
from mecdsl.model_with_data import ModelWithData
from mecdsl.parsing import syntax
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, SolveOptions, Termination
from mecdsl.solve import check_options, find

# Points are verified and bounds proven to 1e-6 each; beyond ten times that a proof is wrong.
CONTRADICTION: Final = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One backend on one form. `bounds_only`: it solved a relaxation of the form that was asked
    for. A form other than the one asked for, and no bounds only, is the same problem with its
    products linearised.

    `distance`: relative distance of the objective to the best proven bound of the form; None if the
    answer is not verified or bounds only.
    """

    backend: str
    form: str
    asked_form: str
    result: Result | None
    reason: str
    bounds_only: bool
    distance: float | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """The entries in the order asked for; `best_bounds`: the best proven bound for each form asked
    for.

    `contradictions`: proofs that a verified point refutes; there are none unless a solver is wrong.
    `title`: of the model. `form`: that of all entries, empty if they have several. `relaxed`: every
    variable was made continuous.
    """

    model: str
    entries: tuple[Entry, ...]
    best_bounds: dict[str, float]
    contradictions: tuple[str, ...] = ()
    title: str = ""
    form: str = ""
    relaxed: bool = False

    @property
    def exit_code(self) -> int:
        """0 if every backend that ran gave a verified answer, else the code of the first that did
        not.

        5 if answers contradict each other; 2 if no backend ran.
        """
        if self.contradictions:
            return 5
        codes = [entry.result.exit_code for entry in self.entries if entry.result]
        return next((code for code in codes if code), 0 if codes else 2)


def compare(
    model: ModelWithData,
    backends: Sequence[str] = (),
    forms: Sequence[str] = ("",),
    relax: bool = False,
    started: Callable[[str, str], None] = lambda backend, form: None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Comparison:
    """Run every backend on every form; without names, every available one that takes some form.

    A backend that only solves a relaxation the model declares is run on that, and its answer counts
    as a bound. `started` is called before each run; an interrupted run is the last. `own`: by name
    of a backend, options of its own beside those that all get in `raw`; a backend that does not
    take one does not run, and its entry says so. Of `starts` the local solvers take heed. Raises
    `ModelError` for faults of the model itself, unknown backends and options that no backend can
    follow.
    """
    check_options(SolveOptions(**options))
    model = model.across(forms)
    backends = backends or fitting([model.instance(form, relax) for form in forms])
    check_own(own or {}, backends)
    check_starts(options.get("starts", 1), backends)
    entries: list[Entry] = []
    for form in forms:
        model.instance(form, relax)  # faults of the model or its data concern every backend
        for backend in backends:
            if any(map(_interrupted, entries)):
                entries.append(_not_run(backend, form, "interrupted before"))
                continue
            started(backend, form)
            raw = {**options.get("raw", {}), **(own or {}).get(backend, {})}
            starts = options.get("starts", 1) if find(backend).capabilities.starts else 1
            given = {**options, "raw": raw, "starts": starts}
            entries.append(_entry(model, backend, form, relax, given))
    return _side_by_side(model, entries, forms, relax)


def _side_by_side(
    model: ModelWithData, entries: Sequence[Entry], forms: Sequence[str], relax: bool
) -> Comparison:
    """The entries measured against the best proven bound of their form, and each other."""
    by_form = {form: [e for e in entries if e.asked_form == form] for form in forms}
    bounds = {form: _best_bound(of_form) for form, of_form in by_form.items()}
    subject = model.checked(forms[0] if len(forms) == 1 else "", relax).model
    return Comparison(
        model=subject.name,
        entries=tuple(_with_distance(entry, bounds[entry.asked_form]) for entry in entries),
        best_bounds={form: bound for form, bound in bounds.items() if bound is not None},
        contradictions=tuple(
            contradiction
            for form in forms
            for contradiction in _contradictions(by_form[form], bounds[form])
        ),
        title=subject.title,
        form=subject.form,
        relaxed=relax,
    )


def _interrupted(entry: Entry) -> bool:
    return entry.result is not None and entry.result.termination is Termination.INTERRUPTED


def _not_run(backend: str, form: str, reason: str) -> Entry:
    return Entry(
        backend=backend, form=form, asked_form=form, result=None, reason=reason, bounds_only=False
    )


def check_own(own: Mapping[str, Mapping[str, Any]], backends: Sequence[str]) -> None:
    """Raise `ModelError` E501, E505 for options of a backend that is unknown or not asked."""
    for name in own:
        find(name)
        if name not in backends:
            message = f"there are options for `{name}`, and `{name}` is not compared"
            fix = f"compared are {', '.join(backends)}"
            raise ModelError([Diagnostic("E505", message, help=fix)])


def check_starts(starts: int, backends: Sequence[str]) -> None:
    """Raise `ModelError` E505 for many starts where no local solver is compared."""
    if starts == 1 or any(find(name).capabilities.starts for name in backends):
        return
    able = [name for name in table.names() if table.load(name).capabilities.starts]
    message = "`starts` is for local solvers, and none is compared"
    fix = f"leave it out, or compare {' or '.join(able)} too"
    raise ModelError([Diagnostic("E505", message, help=fix)])


def _entry(
    model: ModelWithData, backend: str, form: str, relax: bool, options: dict[str, Any]
) -> Entry:
    try:
        return Entry(
            backend=backend,
            form=form,
            asked_form=form,
            result=model.solve(backend, form, relax, **options),
            reason="",
            bounds_only=False,
        )
    except ModelError as error:
        if not all(diagnostic.code == "E502" for diagnostic in error.diagnostics):
            if any(diagnostic.code == "E501" for diagnostic in error.diagnostics):
                raise
            return _not_run(backend, form, error.diagnostics[0].message)
        reason = error.diagnostics[0].message
    for relaxation in relaxations(model.document):
        joined = "+".join(part for part in (form, relaxation) if part)
        if relaxation in form.split("+"):
            continue
        try:
            result = model.solve(backend, joined, relax, **options)
        except ModelError:
            continue
        return Entry(
            backend=backend,
            form=joined,
            asked_form=form,
            result=result,
            reason=reason,
            bounds_only=not _same_problem(model, relaxation, result),
        )
    return _not_run(backend, form, reason)


def relaxations(document: syntax.Document) -> tuple[str, ...]:
    """Forms that only relax variables or linearise products: their optimum bounds that of the base
    model.

    Those that relax no variable come first, since they may be exact.
    """
    forms = [s for s in document.statements if isinstance(s, syntax.Form) and not s.parents]
    fitting = [
        f for f in forms if all(isinstance(c, syntax.Relax | syntax.Linearize) for c in f.changes)
    ]
    return tuple(
        f.name
        for f in sorted(fitting, key=lambda f: any(isinstance(c, syntax.Relax) for c in f.changes))
    )


def _same_problem(model: ModelWithData, name: str, result: Result) -> bool:
    """Whether a form only linearises products, and that exactly: its points are those of the
    problem without it.
    """
    form = next(
        s for s in model.document.statements if isinstance(s, syntax.Form) and s.name == name
    )
    return result.instance.model.exact and all(
        isinstance(change, syntax.Linearize) for change in form.changes
    )


def _best_bound(entries: Sequence[Entry]) -> float | None:
    """The tightest bound of the entries whose answer was verified or that proved a bound on the
    way.
    """
    results = [entry.result for entry in entries if entry.result is not None]
    bounds = [r.bound for r in results if r.bound is not None and not r.faults]
    bounds += [
        r.objective
        for r in results
        if r.guarantee is Guarantee.GLOBAL and r.bound is None and r.objective is not None
    ]
    if not bounds:
        return None
    return min(bounds) if results[0].instance.maximize else max(bounds)


def _contradictions(entries: Sequence[Entry], bound: float | None) -> list[str]:
    """Verified points that are better than the best proven bound, or exist where somebody proved
    there are none.
    """
    ran = [(entry, entry.result) for entry in entries if entry.result is not None]
    points = [
        (e.backend, r.objective, r)
        for e, r in ran
        if r.verified and not e.bounds_only and r.objective is not None
    ]
    refusals = [entry.backend for entry, result in ran if result.guarantee is Guarantee.INFEASIBLE]
    contradictions = [
        f"`{empty}` proved that there is no feasible point, and `{backend}` has a verified one"
        for empty in refusals
        for backend, _, _ in points
    ]
    if bound is None:
        return contradictions
    for backend, objective, result in points:
        beyond = objective - bound if result.instance.maximize else bound - objective
        if beyond > 0.0 and (result.size.relative(objective, bound) or 0.0) > CONTRADICTION:
            contradictions.append(
                f"`{backend}` has a verified point of {objective:.10g}, better than the "
                f"proven bound {bound:.10g}"
            )
    return contradictions


def _with_distance(entry: Entry, bound: float | None) -> Entry:
    result = entry.result
    if (
        result is None
        or bound is None
        or not result.verified
        or entry.bounds_only
        or result.objective is None
    ):
        return entry
    return replace(entry, distance=result.size.relative(result.objective, bound))
