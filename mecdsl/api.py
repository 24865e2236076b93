"""The Python interface: load a model, look at it, solve it.

The command line calls the same functions.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mecdsl.convexity.problem import Problem, analyse
from mecdsl.data_files.read import Given, given_in_memory, read_data
from mecdsl.diagnostics import Diagnostic, ModelError, Severity
from mecdsl.model_with_data import ModelWithData
from mecdsl.parsing import syntax
from mecdsl.parsing.parse import parse, parse_file

if TYPE_CHECKING:
    from mecdsl.backend import Backend
    from mecdsl.pyomo_model.lower import PyomoModel
    from mecdsl.shown import Result


class LoadedModel(ModelWithData):
    """A parsed model with the data that override its own, and all that can be asked of it."""

    __slots__ = ()

    def check(self) -> tuple[Diagnostic, ...]:
        """Every fault and warning of the model and all its forms; empty if there is none."""
        found: list[Diagnostic] = []
        for form in ("", *self.forms):
            try:
                diagnostics = self.checked(form).model.warnings
            except ModelError as error:
                diagnostics = error.diagnostics
            found += [diagnostic for diagnostic in diagnostics if diagnostic not in found]
        return tuple(sorted(found, key=lambda diagnostic: diagnostic.severity is Severity.WARNING))

    def problem(self, form: str = "", relax: bool = False) -> Problem:
        """The class of the model with its data, with reasons. Raises `ModelError`."""
        return analyse(self.instance(form, relax))

    def solve(
        self, backend: str = "auto", form: str = "", relax: bool = False, **options: Any
    ) -> "Result":
        """Solve with a backend ("auto" chooses) and verify; options are those of `SolveOptions`.

        Raises `ModelError` for faults of the model or its data, and if the backend cannot solve it.
        """
        from mecdsl.shown import Result, shown

        # not `super()`, which a class made by `dataclass(slots=True)` does not pass on
        return shown(ModelWithData.solve(self, backend, form, relax, **options), Result)

    def pyomo(self, form: str = "", relax: bool = False) -> "PyomoModel":
        """A complete Pyomo model. Raises `ModelError`."""
        from mecdsl.pyomo_model.lower import to_pyomo

        return to_pyomo(self.instance(form, relax))


def load(
    path: str | Path,
    data: str | Path | Mapping[str, Any] | None = None,
    seed: int = 0,
    settings: Mapping[str, Given] | None = None,
    **overrides: Any,
) -> LoadedModel:
    """Load a `.mec` file.

    `data`: a data file or a mapping of qualified names to values; `overrides` set single
    parameters, numbers in the declared unit or texts such as `"45 s"`. Raises `ModelError` for
    syntax errors and unreadable data.
    """
    started = time.perf_counter()
    return _with_data(parse_file(path), data, seed, settings, overrides, started)


def loads(
    text: str,
    data: Mapping[str, Any] | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    **overrides: Any,
) -> LoadedModel:
    """Load a model from its text; `folder`: where the files it names lie, by default the working
    directory.

    >>> model = loads("var x : 1 >= 2\\nminimize cost = 3*x")
    >>> model.solve().objective
    6.0
    """
    started = time.perf_counter()
    name = "<text>" if folder is None else str(Path(folder) / "<text>")
    return _with_data(parse(text, name), data, seed, None, overrides, started)


def list_backends() -> "tuple[Backend, ...]":
    """Every known backend, built in ones first; each says what it can and whether it is there."""
    from mecdsl.backends import table

    return tuple(table.load(name) for name in table.names())


def _with_data(
    document: syntax.Document,
    data: str | Path | Mapping[str, Any] | None,
    seed: int,
    settings: Mapping[str, Given] | None,
    overrides: Mapping[str, Any],
    started: float,
) -> LoadedModel:
    families = tuple(s.name for s in document.statements if isinstance(s, syntax.Family))
    given: dict[str, Given] = {}
    if isinstance(data, Mapping):
        given |= given_in_memory(data, families)
    elif data is not None:
        given |= read_data(data, families)
    given |= given_in_memory(overrides, families)
    given |= settings or {}
    return LoadedModel(document, given, seed, time.perf_counter() - started)
