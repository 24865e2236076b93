"""What the terminal shows of a study: for each form its answers, what they cost, and what went
wrong.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mecdsl.diagnostics import count
from mecdsl.output.text.layout import common_unit, heading, number, paragraph, table
from mecdsl.solution import Guarantee
from mecdsl.studies.study_result import Outcome, Run, Spread, Study, Summary
from mecdsl.units import DIMENSIONLESS, Unit, coherent_unit

ANSWERS = ("backend", "verified", "objective", "distance")
COST = ("backend", "proven", "broken", "violation", "seconds")
NOTHING_SHOWN = 1e-12  # a distance below is rounding


def study_text(study: Study) -> str:
    """Two tables for each form, the most reliable backend first, then the notes."""
    title = heading(study.model, study.form, study.title, study.relaxed)
    lines = [title, _seeds_line(study)]
    for form, goal in study.goals.items():
        summaries = [summary for summary in study.summaries if summary.form == form]
        shown = _shown(study.displays.get(form), summaries)
        unit = "" if shown.text == "1" else f" in {shown.text}"
        at = f"form {form or 'base'}: " if len(study.goals) > 1 else ""
        lines += ["", f"{at}objective {goal.name}{unit}, {goal.sense}d"]
        lines.append(
            table(
                [_answers(summary, shown) for summary in summaries], ANSWERS, indent=0, right=" r"
            )
        )
        lines += ["", table([_cost(summary) for summary in summaries], COST, indent=0, right=" rr")]
        notes = [
            *_summary_notes(summaries, shown),
            *_run_notes([run for run in study.runs if run.form == form]),
        ]
        lines += ["", *(paragraph(note) for note in notes)] if notes else []
    lines.append("")
    lines += [
        paragraph(f"CONTRADICTION: {contradiction}") for contradiction in study.contradictions
    ]
    if study.same_data:
        lines.append(
            paragraph("every seed has the same data: the seeds change only what solvers draw")
        )
    lines.append(paragraph(LEGEND))
    return "\n".join(lines)


LEGEND = (
    "medians (and intervals from 10 % to 90 % of the seeds); objective and distance (to the "
    "best proven bound of "
    "the same seed) of verified answers only; violation: of the broken ones, relative to the terms"
)


def _shown(unit: Unit | None, summaries: Sequence[Summary]) -> Unit:
    """One unit for all objectives of a form, as `solve` shows them."""
    spreads = [summary.objective for summary in summaries if summary.objective is not None]
    values = [value for found in spreads for value in (found.low, found.median, found.high)]
    return common_unit(np.array(values, dtype=np.float64), unit or coherent_unit(DIMENSIONLESS))


def _seeds_line(study: Study) -> str:
    total = f"{count(len(study.seeds), 'seed')}" + (
        f": {seeds_text(study.seeds)}" if study.seeds else ""
    )
    return paragraph(total + (", then interrupted" if study.interrupted else ""))


def seeds_text(seeds: Iterable[int]) -> str:
    """Seeds with their runs drawn together.

    >>> seeds_text([1, 2, 3, 7, 9, 10])
    '1..3, 7, 9, 10'
    """
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    parts = [f"{run[0]}..{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts)


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {seeds_text(seeds)}"


def _answers(summary: Summary, unit: Unit) -> list[str]:
    if summary.bounds_only:
        verified, distance = "relaxed", "relaxed"
    else:
        verified, distance = (
            f"{summary.verified}/{summary.seeds}",
            _spread(summary.distance, _relative),
        )
    return [
        _name(summary),
        verified,
        _spread(summary.objective, lambda value: _in(value, unit)),
        distance,
    ]


def _cost(summary: Summary) -> list[str]:
    return [
        _name(summary),
        "-" if summary.bounds_only else str(summary.proven),
        str(summary.broken),
        _spread(summary.violation_of_broken, _relative),
        _spread(summary.seconds, _seconds),
    ]


def _name(summary: Summary) -> str:
    return summary.backend + ("*" if summary.bounds_only else "")


def _spread(found: Spread | None, text: Callable[[float], str]) -> str:
    """`median (low..high)`; a single number has no interval."""
    if found is None:
        return "-"
    return text(found.median) + (
        f" ({text(found.low)}..{text(found.high)})" if found.count > 1 else ""
    )


def _relative(value: float) -> str:
    return "0" if value <= NOTHING_SHOWN else f"{value:.0e}" if value < 0.01 else f"{value:.2g}"


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


# Notes --------------------------------------------------------------------------------------------


def _summary_notes(summaries: Sequence[Summary], unit: Unit) -> list[str]:
    """Whose objectives are over other seeds than the rest's, and what the best answers are
    there.
    """
    most = max((summary.verified for summary in summaries), default=0)
    notes = [
        f"{s.backend} answers {s.verified} of {s.seeds} seeds: on those the best verified "
        "answers have median "
        f"{_in(s.best_on_same_seeds, unit)}, its own {_in(s.objective.median, unit)}"
        for s in summaries
        if 0 < s.verified < most and s.objective is not None
    ]
    relaxed = [summary.backend for summary in summaries if summary.bounds_only]
    return notes + [
        f"* {backend} solves a relaxation: its optimum is a bound, not a plan"
        for backend in relaxed
    ]


def _in(value: float | None, unit: Unit) -> str:
    return number(None if value is None else unit.from_si(value), 4)


def _run_notes(runs: Sequence[Run]) -> list[str]:
    """What kept runs from a verified answer, each reason once with its seeds."""
    notes = []
    if any(not run.exact for run in runs):
        notes.append(
            "the form holds a relaxation of products: its optimum is a bound for the model, "
            "not a plan"
        )
    for backend in dict.fromkeys(run.backend for run in runs):
        mine = [run for run in runs if run.backend == backend]
        notes += _broken_notes(backend, [run for run in mine if run.outcome is Outcome.BROKEN])
        for words, alike in _grouped(
            run for run in mine if run.outcome in (Outcome.NO_ANSWER, Outcome.DID_NOT_RUN)
        ):
            notes.append(f"{backend}: {words} ({_seeds(alike)})")
    lost = {(run.seed, run.reason) for run in runs if run.outcome is Outcome.NO_DATA}
    notes += [f"seed {seed} is no instance: {reason}" for seed, reason in sorted(lost)]
    return notes


def _broken_notes(backend: str, broken: Sequence[Run]) -> list[str]:
    if not broken:
        return []
    worst = max(
        broken, key=lambda run: run.violation if run.violation is not None else float("inf")
    )
    claims = [run.seed for run in broken if run.refuted]
    seeds = _seeds([run.seed for run in broken])
    notes = [f"{backend}: NOT VERIFIED for {seeds}; worst, seed {worst.seed}: {worst.reason}"]
    return notes + (
        [f"{backend}: CLAIMED AN OPTIMUM AND FAILED for {_seeds(claims)}"] if claims else []
    )


def _grouped(runs: Iterable[Run]) -> list[tuple[str, list[int]]]:
    """Reasons with their seeds; messages that tell numbers of one seed are told by their kind."""
    groups: dict[str, list[int]] = {}
    for run in runs:
        words = f"did not run: {run.reason}"
        if run.outcome is Outcome.NO_ANSWER:
            assert run.termination is not None
            words = (
                run.guarantee.value
                if run.guarantee is not Guarantee.NONE
                else run.termination.value
            )
        groups.setdefault(words, []).append(run.seed)
    return list(groups.items())
