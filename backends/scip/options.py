"""The options of a solve under SCIP's names, and `raw` options checked before SCIP sees them.

Choices, found by trial:
- `numerics/feastol` is 1e-9 instead of 1e-6, of the scaled rows, whose largest term is about 1. At
  1e-6 the least cost of sending, with `time*rate >= load` and a logarithm for the rate, came out
  1e-5 below the true optimum and was called optimal; at 1e-9 it is right to 1e-9. It is the measure
  of integrality, too, so that a whole number of updates that is late by 1e-8 of the cycle is not
  accepted. SoPlex, which solves the LPs, stops at 1e-10.
- Of nonlinear problems with integers `numerics/feastol` is SCIP's own 1e-6 during the search, and
  1e-9 in a solve with the integers fixed that follows (`settle.sharpened`). It is also what a bound
  of an integer column is rounded with. Values 2 % above the optimum of MINLPLib's `ex1252` were
  "proven" with 1e-9 by 4 of 5 seeds, with 1e-8 by 5 of 7, with 1e-7 by 2 of 21, with 1e-6 by none
  of 19. The LPs are then solved to a hundredth of it (`numerics/lpfeastolfactor`): solved to 1e-6
  only, fog with whole rows did not end within 430,000 nodes; to 1e-8 it takes 378, and `ex1252`
  stays right with 6 seeds.
- `numerics/epsilon` is 1e-10 and `numerics/dualfeastol` 1e-9 to go with it. With SCIP's own 1e-9,
  which is no smaller than the tolerance, and 1e-7 the bounds of LPs were too good: fog with whole
  rows had "optima" 2 to 10 % above a better point, and twice the optimum with two nodes. With these
  none of 32 instances had.
- `limits/gap` is half of what is asked, because the verifier measures the gap at the rounded point
  in SI.
- `misc/catchctrlc` is off: SCIP would take Ctrl-C away from Python. `should_stop` is polled
  instead.
"""

from collections.abc import Mapping
from typing import Any, Final

from mecdsl.convexity.problem import Problem
from mecdsl.diagnostics import Diagnostic, ModelError, nearest
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import SolveOptions

RawValue = str | float | int | bool

EPSILON: Final = 1e-10
FEASIBILITY: Final = 1e-9
SEARCH_FEASIBILITY: Final = 1e-6
SEARCH_LP_FACTOR: Final = 1e-2
LARGEST_SEED: Final = 2**31 - 1
TRUE: Final = ("true", "yes", "on", "1")
FALSE: Final = ("false", "no", "off", "0")
LARGEST_TIME: Final = 1e20  # s; what SCIP calls no limit


def searches(problem: Problem) -> bool:
    """Whether SCIP looks for the integers of a nonlinear problem, with a tolerance of its own."""
    return problem.problem_class.integral and problem.problem_class is not ProblemClass.MILP


def parameters(options: SolveOptions, searching: bool = False) -> dict[str, RawValue]:
    """SCIP's parameters of a solve; `raw` comes last and wins. `searching`: see `searches`.

    Raises `ModelError` E505 for a name in `raw` that SCIP does not know, or a value it does not
    take.
    """
    chosen: dict[str, RawValue] = {
        "numerics/epsilon": EPSILON,
        "numerics/feastol": SEARCH_FEASIBILITY if searching else FEASIBILITY,
        "numerics/dualfeastol": FEASIBILITY,
        "limits/gap": 0.5 * options.gap,
        "randomization/randomseedshift": options.seed % LARGEST_SEED,
    }
    if searching:
        chosen["numerics/lpfeastolfactor"] = SEARCH_LP_FACTOR
    if options.time_limit is not None:
        chosen["limits/time"] = min(max(options.time_limit, 0.0), LARGEST_TIME)
    return chosen | checked(options.raw)


def checked(raw: Mapping[str, RawValue]) -> dict[str, RawValue]:
    """Raw options in the types of SCIP's parameters; raises `ModelError` E505."""
    if not raw:
        return {}
    from pyscipopt import Model

    scratch = Model()
    known = scratch.getParams()
    return {name: _checked(scratch, known, name, value) for name, value in raw.items()}


def _checked(scratch: Any, known: Mapping[str, RawValue], name: str, value: RawValue) -> RawValue:
    if name not in known:
        near = nearest(name, known)
        fix = (
            f"did you mean `{near}`?"
            if near
            else "names look like `limits/nodes`; the SCIP documentation lists them"
        )
        raise ModelError([Diagnostic("E505", f"SCIP has no option `{name}`", help=fix)])
    try:
        converted = _converted(value, known[name])
        scratch.setParam(name, converted)
    except (ValueError, OverflowError) as error:
        message = f"option `{name}` of SCIP does not take `{value}`; its default is `{known[name]}`"
        raise ModelError([Diagnostic("E505", message)]) from error
    return converted


def _converted(value: RawValue, default: RawValue) -> RawValue:
    """The value in the type of the parameter's default; ValueError if it has none."""
    text = str(value).strip()
    match default:
        case bool():
            if text.lower() not in (*TRUE, *FALSE):
                raise ValueError(text)
            return text.lower() in TRUE
        case int():
            if isinstance(value, bool) or float(text) != int(float(text)):
                raise ValueError(text)
            return int(float(text))
        case float():
            if isinstance(value, bool):
                raise ValueError(text)
            return float(text)
        case _:
            if len(default) == 1 and len(text) != 1:
                raise ValueError(text)
            return text
