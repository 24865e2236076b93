"""Several backends and forms on the same data, side by side, each against the best proven bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mecdsl import syntax
from mecdsl.api import LoadedModel
from mecdsl.diagnostics import ModelError, render
from mecdsl.result import Result, plain
from mecdsl.solution import Guarantee


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One backend on one form. `bounds_only`: it solved a relaxation of the form that was asked for.

    `distance`: relative distance of the objective to the best proven bound of the form; None if the answer is
    not verified or bounds only.
    """

    backend: str
    form: str
    asked_form: str
    result: Result | None
    reason: str
    bounds_only: bool
    distance: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The entries in the order asked for; `best_bounds`: the best proven bound for each form asked for."""

    model: str
    entries: tuple[Entry, ...]
    best_bounds: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "model": self.model,
            "best_bounds": {form or "base": plain(value) for form, value in self.best_bounds.items()},
            "entries": [
                {
                    "backend": entry.backend,
                    "form": entry.form or "base",
                    "asked_form": entry.asked_form or "base",
                    "bounds_only": entry.bounds_only,
                    "distance": plain(entry.distance),
                    "reason": entry.reason,
                    "result": entry.result.as_dict() if entry.result else None,
                }
                for entry in self.entries
            ],
        }

    @property
    def exit_code(self) -> int:
        """0 if every backend that ran gave a verified answer, else the code of the first that did not."""
        codes = [entry.result.exit_code for entry in self.entries if entry.result]
        return next((code for code in codes if code), 0 if codes else 2)


def compare(
    model: LoadedModel,
    backends: Sequence[str],
    forms: Sequence[str] = ("",),
    relax: bool = False,
    started: Callable[[str, str], None] = lambda backend, form: None,
    **options: Any,
) -> Comparison:
    """Run every backend on every form.

    A backend that only solves a relaxation the model declares is run on that, and its answer counts as a bound.
    `started` is called before each run. Raises `ModelError` for faults of the model itself.
    """
    entries: list[Entry] = []
    for form in forms:
        model.instance(form, relax)  # faults of the model or its data concern every backend
        for backend in backends:
            started(backend, form)
            entries.append(_entry(model, backend, form, relax, options))
    bounds = {form: _best_bound([e for e in entries if e.asked_form == form]) for form in forms}
    return Comparison(
        model.checked().model.name,
        tuple(_with_distance(entry, bounds[entry.asked_form]) for entry in entries),
        {form: bound for form, bound in bounds.items() if bound is not None},
    )


def _entry(model: LoadedModel, backend: str, form: str, relax: bool, options: dict[str, Any]) -> Entry:
    try:
        return Entry(backend, form, form, model.solve(backend, form, relax, **options), "", False)
    except ModelError as error:
        if not all(diagnostic.code == "E502" for diagnostic in error.diagnostics):
            if any(diagnostic.code == "E501" for diagnostic in error.diagnostics):
                raise
            return Entry(backend, form, form, None, render(error.diagnostics[0]), False)
        reason = error.diagnostics[0].message
    for relaxation in relaxations(model.document):
        joined = "+".join(part for part in (form, relaxation) if part)
        if relaxation in form.split("+"):
            continue
        try:
            result = model.solve(backend, joined, relax, **options)
        except ModelError:
            continue
        return Entry(backend, joined, form, result, reason, True)
    return Entry(backend, form, form, None, reason, False)


def relaxations(document: syntax.Document) -> tuple[str, ...]:
    """Forms that only relax variables: their optimum bounds that of the base model."""
    return tuple(
        statement.name
        for statement in document.statements
        if isinstance(statement, syntax.Form)
        and not statement.parents
        and all(isinstance(change, syntax.Relax) for change in statement.changes)
    )


def _best_bound(entries: Sequence[Entry]) -> float | None:
    """The tightest bound of the entries whose answer was verified or that proved a bound on the way."""
    results = [entry.result for entry in entries if entry.result is not None]
    bounds = [r.bound for r in results if r.bound is not None and not r.faults]
    bounds += [
        r.objective for r in results if r.guarantee is Guarantee.GLOBAL and r.bound is None and r.objective is not None
    ]
    if not bounds:
        return None
    return min(bounds) if results[0].instance.maximize else max(bounds)


def _with_distance(entry: Entry, bound: float | None) -> Entry:
    result = entry.result
    if result is None or bound is None or not result.verified or entry.bounds_only or result.objective is None:
        return entry
    size = max(abs(bound), abs(result.objective), 1e-300)
    distance = 0.0 if bound == result.objective else abs(bound - result.objective) / size
    return Entry(entry.backend, entry.form, entry.asked_form, result, entry.reason, entry.bounds_only, distance)
