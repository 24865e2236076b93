"""The options of a solve under Xpress' names of controls, and `raw` options checked before Xpress
sees them.

- Tolerances are 1e-9 of the scaled rows, whose largest term is about 1, instead of 1e-6, also
  `nlpvalidationtol_a` and `_r` of nonlinear rows: with its own 1e-5 Xpress took 2.99999 for a
  largest product that is 3. The barrier method stops at 1e-12.
- `mipaddcutoff` is 0: by default only points that are 1e-5 better are looked for, and points 4e-6
  from the optimum came out.
- `globalboundingbox` is 0, else columns without bounds may get some of 1e6.
- `miprelstop` is half of what is asked, because the verifier measures the gap at the rounded point
  in SI; `mipabsstop` is 1e-10, for an objective of 0.
- `matrixtol` is 0: coefficients below it would be left out.
"""

from collections.abc import Mapping
from typing import Any, Final

from mecdsl.diagnostics import Diagnostic, ModelError, nearest
from mecdsl.solution import SolveOptions

RawValue = str | float | int | bool

FEASIBILITY: Final = 1e-9
BARRIER: Final = 1e-12
SMALLEST_GAP: Final = 1e-10
LARGEST_SEED: Final = 2**31 - 1


def controls(options: SolveOptions) -> dict[str, RawValue]:
    """Xpress' controls of a solve, without raw ones."""
    chosen: dict[str, RawValue] = {
        "outputlog": int(options.log),
        "feastol": FEASIBILITY,
        "miptol": FEASIBILITY,
        "optimalitytol": FEASIBILITY,
        "matrixtol": 0.0,
        "miprelstop": 0.5 * options.gap,
        "mipabsstop": SMALLEST_GAP,
        "mipaddcutoff": 0.0,
        "globalboundingbox": 0.0,
        "nlpvalidationtol_a": FEASIBILITY,
        "nlpvalidationtol_r": FEASIBILITY,
        "bargapstop": BARRIER,
        "barprimalstop": BARRIER,
        "bardualstop": BARRIER,
        "randomseed": options.seed % LARGEST_SEED,
    }
    if options.threads is not None:
        chosen["threads"] = options.threads
    if options.time_limit is not None:
        chosen["timelimit"] = max(options.time_limit, 0.001)  # 0 means none
    return chosen


def set_raw(problem: Any, known: Mapping[str, RawValue], raw: Mapping[str, RawValue]) -> None:
    """Raw options into a problem; `known`: all controls with their values.

    Raises `ModelError` E505 for a name that Xpress does not know, or a value it does not take.
    """
    for given, value in raw.items():
        name = given.lower().removeprefix("xprs_")
        if name not in known:
            near = nearest(name, known)
            fix = f"did you mean `{near}`?" if near else "names look like `maxnode`"
            raise ModelError([Diagnostic("E505", f"Xpress has no option `{given}`", help=fix)])
        try:
            problem.setControl(name, _converted(value, known[name]))
        except Exception as error:  # `xpress` raises kinds of its own, all of them for the value
            message = f"option `{given}` of Xpress does not take `{value}`"
            fix = f"its default is {known[name]}"
            raise ModelError([Diagnostic("E505", message, note=str(error), help=fix)]) from error


def _converted(value: RawValue, default: RawValue) -> RawValue:
    """The value in the type of the control; ValueError if it has none there."""
    if isinstance(default, str):
        return str(value)
    number = float(value)
    if isinstance(default, int):
        if number != int(number):
            raise ValueError(f"expected a whole number, found {value}")
        return int(number)
    return number
