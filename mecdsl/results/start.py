"""A warm start from the values of an answer."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.reformulations import with_products
from mecdsl.instances.tables import FloatArray
from mecdsl.results.result import Result


def start_of(
    instance: Instance,
    given: Result | Mapping[str, Any] | FloatArray,
    name: str = "the start",
) -> FloatArray:
    """float64[columns], SI: a start from a result, from values by qualified name (numbers, nested
    lists or arrays in family order) or from the columns themselves.

    What is not named keeps its own start. `name`: what messages call it. Raises `ModelError` E505
    if the values are those of another model or of other data.
    """
    if isinstance(given, np.ndarray):
        return given
    values = given.values if isinstance(given, Result) else given
    if not values:
        raise _unusable(f"{name} holds no values", "a result without a point cannot be a start")
    start, fits = instance.first_point(), False
    for family in instance.variables:
        if family.name not in values:
            continue
        flat = _numbers(values[family.name])
        if flat is None or len(flat) != family.size:
            has = "no numbers" if flat is None else f"{len(flat)} values"
            raise _unusable(
                f"{name} does not fit: `{family.name}` has {has}, the model {family.size}",
                "give a result of the same model with the same data",
            )
        start[family.columns] = np.asarray(flat, dtype=np.float64)
        fits = True
    if not fits:
        raise _unusable(
            f"{name} has no values of the variables of this model",
            "give a result of the same model",
        )
    return with_products(instance.world, start)


def _unusable(message: str, help: str) -> ModelError:
    return ModelError([Diagnostic("E505", message, help=help)])


def _numbers(value: Any) -> list[float] | None:
    """The numbers of a nested list in order; None if anything else is in it."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        parts = [_numbers(item) for item in value]
        if any(part is None for part in parts):
            return None
        return [number for part in parts if part is not None for number in part]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [float(value)]
    return None
