"""The options of a solve under the names of HiGHS."""

from collections.abc import Mapping
from typing import Any

from mecdsl.diagnostics import Diagnostic, ModelError, nearest
from mecdsl.solution import SolveOptions

TRUE = ("true", "on", "yes", "1")
FALSE = ("false", "off", "no", "0")
LARGEST_SEED = 2**31 - 1
SMALLEST_COEFFICIENT = 1e-12  # the least that `small_matrix_value` may be
COMMON: Mapping[str, float] = {
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "mip_feasibility_tolerance": 1e-9,
    "mip_abs_gap": 0.0,
    "small_matrix_value": SMALLEST_COEFFICIENT,
}
"""Chosen for every solve; the reasons stand in `mecdsl.backends.highs.backend`."""


def set_options(highs: Any, options: SolveOptions, own: Mapping[str, str | float]) -> None:
    """Set the common options, then those of the backend (`own`), then `raw`, which wins.

    Raises `ModelError` E505 for an unknown name in `raw` or a value HiGHS does not take.
    """
    highs.setOptionValue("output_flag", options.log)
    for name, tolerance in COMMON.items():
        highs.setOptionValue(name, tolerance)
    highs.setOptionValue("mip_rel_gap", float(options.gap))
    highs.setOptionValue("random_seed", int(options.seed) % LARGEST_SEED)
    if options.time_limit is not None:
        highs.setOptionValue("time_limit", float(options.time_limit))
    if options.threads is not None:
        highs.setOptionValue("threads", int(options.threads))
    for name, value in own.items():
        highs.setOptionValue(name, value)
    for name, given in options.raw.items():
        set_raw(highs, name, given)


def set_raw(highs: Any, name: str, value: str | float | int | bool) -> str | float | int | bool:
    """Set one option under HiGHS's own name; the value in its type. Raises as `set_options`."""
    import highspy

    status, kind = highs.getOptionType(name)
    if status != highspy.HighsStatus.kOk:
        known = [option for option in dir(highspy.HighsOptions) if not option.startswith("_")]
        near = nearest(name, known)
        fix = f"did you mean `{near}`?" if near else "the HiGHS documentation lists its options"
        raise ModelError([Diagnostic("E505", f"HiGHS has no option `{name}`", help=fix)])
    kinds = highspy.HighsOptionType
    expected = {
        kinds.kBool: "true or false",
        kinds.kInt: "a whole number",
        kinds.kDouble: "a number",
    }
    try:
        converted = _converted(value, kind.name)
    except ValueError as error:
        message = f"option `{name}` of HiGHS must be {expected[kind]}, found `{value}`"
        raise ModelError([Diagnostic("E505", message)]) from error
    if highs.setOptionValue(name, converted) != highspy.HighsStatus.kOk:
        raise ModelError(
            [Diagnostic("E505", f"HiGHS does not take `{value}` as its option `{name}`")]
        )
    return converted


def _converted(value: str | float | int | bool, kind: str) -> str | float | int | bool:
    """The value in the type of the option; ValueError if it has none."""
    text = str(value).strip()
    match kind:
        case "kBool":
            if text.lower() not in (*TRUE, *FALSE):
                raise ValueError(text)
            return text.lower() in TRUE
        case "kInt":
            if isinstance(value, bool) or float(text) != int(float(text)):
                raise ValueError(text)
            return int(float(text))
        case "kDouble":
            if isinstance(value, bool):
                raise ValueError(text)
            return float(text)
        case "kString":
            return {"True": "on", "False": "off"}.get(text, text)
        case _:
            raise TypeError(f"unknown type of option {kind}")
