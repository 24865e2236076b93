"""One model of the campaign on every backend that takes it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import mecdsl
from mecdsl.diagnostics import ModelError
from mecdsl.solve import takes
from tests.campaign.judge import false_claims, label
from tests.campaign.kinds import make

BACKENDS: Final = ("highs", "ipopt", "clarabel", "scip", "bonmin")
TIME_LIMIT: Final = 3.0  # s, of a solve


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one backend said about one model: the column of the table, and what of it is false;
    seconds of it all.
    """

    kind: str
    number: int
    backend: str
    label: str
    verified: bool
    false: tuple[str, ...]
    seconds: float


def trial(seed: int, kind: str, number: int, backends: Sequence[str] = BACKENDS) -> list[Outcome]:
    """The outcomes of a model; an exception of a stage is an outcome named "crash"."""
    case = make(seed, kind, number)
    outcomes = []
    try:
        model = mecdsl.loads(case.text)
        instance = model.instance()
        able = [name for name in backends if takes(name, instance)]
    except (ModelError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return [
            Outcome(
                kind=kind,
                number=number,
                backend="all",
                label="crash",
                verified=False,
                false=(_told(error),),
                seconds=0.0,
            )
        ]
    for name in able:
        started = time.perf_counter()
        try:
            result = model.solve(name, time_limit=TIME_LIMIT)
        except (
            ModelError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AssertionError,
        ) as error:
            outcomes.append(
                Outcome(
                    kind=kind,
                    number=number,
                    backend=name,
                    label="crash",
                    verified=False,
                    false=(_told(error),),
                    seconds=time.perf_counter() - started,
                )
            )
            continue
        seconds = time.perf_counter() - started
        told = tuple(false_claims(case, result))
        outcomes.append(
            Outcome(
                kind=kind,
                number=number,
                backend=name,
                label=label(case, result),
                verified=result.verified,
                false=told,
                seconds=seconds,
            )
        )
    return outcomes


def _told(error: Exception) -> str:
    return (
        f"{type(error).__name__}: "
        f"{str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    )
