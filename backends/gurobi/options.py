"""The options of a solve under Gurobi's names, and `raw` options checked before Gurobi sees them.

- Tolerances are the smallest that Gurobi takes, 1e-9 of the scaled rows, whose largest term is
  about 1; its own 1e-6 is that of a verified row.
- `MIPGap` is half of what is asked, because the verifier measures the gap at the rounded point in
  SI.
"""

from collections.abc import Mapping
from typing import Any, Final

from mecdsl.diagnostics import Diagnostic, ModelError, nearest
from mecdsl.solution import SolveOptions

RawValue = str | float | int | bool

FEASIBILITY: Final = 1e-9
BARRIER: Final = 1e-10
LARGEST_SEED: Final = 2_000_000_000


def parameters(options: SolveOptions) -> dict[str, RawValue]:
    """Gurobi's parameters of a solve, without raw ones."""
    chosen: dict[str, RawValue] = {
        "OutputFlag": int(options.log),
        "FeasibilityTol": FEASIBILITY,
        "IntFeasTol": FEASIBILITY,
        "OptimalityTol": FEASIBILITY,
        "BarConvTol": BARRIER,
        "BarQCPConvTol": BARRIER,
        "MIPGap": 0.5 * options.gap,
        "Seed": options.seed % LARGEST_SEED,
    }
    if options.threads is not None:
        chosen["Threads"] = options.threads
    if options.time_limit is not None:
        chosen["TimeLimit"] = max(0.0, options.time_limit)
    return chosen


def set_raw(model: Any, known: Mapping[str, str], raw: Mapping[str, RawValue]) -> None:
    """Raw options into a model; `known`: Gurobi's names by their small letters.

    Raises `ModelError` E505 for a name that Gurobi does not know, or a value it does not take.
    """
    for given, value in raw.items():
        name = known.get(given.lower())
        if name is None:
            near = nearest(given, known.values())
            fix = f"did you mean `{near}`?" if near else "names look like `NodeLimit`"
            raise ModelError([Diagnostic("E505", f"Gurobi has no option `{given}`", help=fix)])
        _, kind, _, low, high, default = model.getParamInfo(name)
        try:
            converted = _converted(value, kind)
        except ValueError:
            converted = None
        if converted is None or (kind is not str and not low <= converted <= high):
            number = "a whole number" if kind is int else "a number"
            message = (
                f"option `{name}` of Gurobi does not take `{value}`, "
                f"expected {number} from {low:g} to {high:g}"
            )
            fix = f"its default is {default}"
            raise ModelError([Diagnostic("E505", message, help=fix)])
        model.setParam(name, converted)


def _converted(value: RawValue, kind: type) -> Any:
    """The value in the type of a parameter; ValueError if it has none there."""
    if kind is str:
        return str(value)
    number = float(value)
    if kind is int and number != int(number):
        raise ValueError(value)
    return int(number) if kind is int else number
