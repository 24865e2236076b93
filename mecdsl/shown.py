"""Results, comparisons, studies and layers of networks as Python users hold them: they print.

What was found is data (`mecdsl.results`, `mecdsl.studies`) and knows nothing of how it is written
(`mecdsl.output`). Here, above both, the two meet, so that no import points back.
"""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mecdsl.networks import delay_fit, layers
from mecdsl.networks.devices import write_device
from mecdsl.output.csv.study import study_csv
from mecdsl.output.html.preformatted import preformatted_html
from mecdsl.output.json.comparison import comparison_json
from mecdsl.output.json.delay_fit import delay_fit_json
from mecdsl.output.json.layers import layers_json
from mecdsl.output.json.plain import json_text
from mecdsl.output.json.result import result_json
from mecdsl.output.json.study import study_json
from mecdsl.output.json.trace import trace_json
from mecdsl.output.text.comparison import comparison_text
from mecdsl.output.text.delay_fit import delay_fit_text
from mecdsl.output.text.layers import layers_text
from mecdsl.output.text.result import result_text
from mecdsl.output.text.study import study_text
from mecdsl.results import result
from mecdsl.studies import compare, study_result

if TYPE_CHECKING:
    import pandas

Shown = TypeVar("Shown", bound="Result | Comparison | Study | Layers | DelayFit")


class _InNotebooks:
    """What a notebook shows as it is printed."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return preformatted_html(str(self))


class Result(_InNotebooks, result.Result):
    """A verified (or refuted) answer; `print(result)` shows what the command line shows."""

    __slots__ = ()

    def __str__(self) -> str:
        return result_text(self)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data: SI numbers, full precision, units named."""
        return result_json(self)

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON object; numbers that are not finite become null."""
        return json_text(self.as_dict(), indent)

    def trace(self) -> list[dict[str, Any]]:
        """A row for each step an iterative method recorded; `pandas.DataFrame(result.trace())` is a
        table.
        """
        return trace_json(self)

    def draw_trace(self, path: str | Path) -> None:
        """Write the steps as a picture; the suffix gives the format. Needs matplotlib.

        Raises ValueError where none were recorded.
        """
        from mecdsl.output.picture.trace import trace_picture

        trace_picture([self], Path(path))

    def to_pandas(self, name: str) -> "pandas.Series[float]":
        """Values of one name as a series over its index, with the unit in its name.

        Needs pandas. Raises KeyError.
        """
        from mecdsl.output.pandas.result import result_pandas

        return result_pandas(self, name)


class Comparison(_InNotebooks, compare.Comparison):
    """Several backends and forms side by side; `print(comparison)` shows the table."""

    __slots__ = ()

    def __str__(self) -> str:
        return comparison_text(self)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data: SI numbers, full precision, units named."""
        return comparison_json(self)

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON object; numbers that are not finite become null."""
        return json_text(self.as_dict(), indent)

    def result(self, backend: str, form: str = "") -> Result:
        """The answer of a backend on a form that was asked for. Raises KeyError where it has none,
        with the reason.
        """
        asked = [e for e in self.entries if (e.backend, e.asked_form) == (backend, form)]
        if not asked:
            raise KeyError(f"`{backend}` was not asked on form `{form or 'base'}`")
        if asked[0].result is None:
            raise KeyError(f"`{backend}` did not run: {asked[0].reason}")
        return shown(asked[0].result, Result)

    def trace(self) -> list[dict[str, Any]]:
        """A row for each step of each run, as `Result.trace`."""
        return [row for found in _results_of(self) for row in trace_json(found)]

    def draw_trace(self, path: str | Path) -> None:
        """Write the steps of all runs as one picture, as `Result.draw_trace`."""
        from mecdsl.output.picture.trace import trace_picture

        trace_picture(_results_of(self), Path(path))


class Study(_InNotebooks, study_result.Study):
    """A comparison over many seeds; `print(study)` shows the tables."""

    __slots__ = ()

    def __str__(self) -> str:
        return study_text(self)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data: SI numbers in full precision."""
        return study_json(self)

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON object; numbers that are not finite become null."""
        return json_text(self.as_dict(), indent)

    def to_csv(self) -> str:
        """One row for each seed, form and backend; an empty cell is unknown."""
        return study_csv(self)

    def draw(self, path: str | Path) -> None:
        """Write the distances as a picture; the suffix gives the format. Needs matplotlib."""
        from mecdsl.output.picture.study import study_picture

        study_picture(self, Path(path))


class Layers(_InNotebooks, layers.Layers):
    """The layers of a network; `print(layers)` shows the table."""

    __slots__ = ()

    def __str__(self) -> str:
        return layers_text(self)

    def as_dict(self) -> dict[str, Any]:
        """Its columns with their units, and the sums of those that add up."""
        return layers_json(self)

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON object."""
        return json_text(self.as_dict(), indent)


class DelayFit(_InNotebooks, delay_fit.DelayFit):
    """Coefficients of layer delays; `print(fit)` shows what the command line shows."""

    __slots__ = ()

    def __str__(self) -> str:
        return delay_fit_text(self)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data: seconds, full precision."""
        return delay_fit_json(self)

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON object; intervals that are not known become null."""
        return json_text(self.as_dict(), indent)

    def draw(self, path: str | Path) -> None:
        """Write measured against fitted times as a picture; the suffix gives the format. Needs
        matplotlib.
        """
        from mecdsl.output.picture.delay_fit import delay_fit_picture

        delay_fit_picture(self, Path(path))

    def save(self, path: str | Path) -> None:
        """Write the device as `layers(..., time=path)` reads it, `.json` or `.toml`."""
        write_device(self.device(Path(path).stem), Path(path))


def _results_of(comparison: Comparison) -> list[result.Result]:
    """The answers of those that ran."""
    return [entry.result for entry in comparison.entries if entry.result is not None]


Found = result.Result | compare.Comparison | study_result.Study | layers.Layers | delay_fit.DelayFit


def shown(found: Found, kind: type[Shown]) -> Shown:
    """The same as one of the classes above."""
    if isinstance(found, kind):
        return found
    return kind(**{field.name: getattr(found, field.name) for field in fields(found)})
