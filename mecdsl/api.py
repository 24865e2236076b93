"""The Python interface: load a model, look at it, solve it, compare, study and export it.

The command line calls the same functions.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mecdsl.convexity.problem import Problem, analyse
from mecdsl.data_files.read import Given, given_in_memory, read_data
from mecdsl.diagnostics import Diagnostic, ModelError, Severity
from mecdsl.instances.instance import Instance
from mecdsl.model_with_data import ModelWithData
from mecdsl.parsing import syntax
from mecdsl.parsing.parse import parse, parse_file

if TYPE_CHECKING:
    from mecdsl.backend import Backend
    from mecdsl.fitting import Fit
    from mecdsl.instances.tables import FloatArray
    from mecdsl.pyomo_model.lower import PyomoModel
    from mecdsl.pyomo_model.scale_map import ScaleMap
    from mecdsl.results import result
    from mecdsl.shown import Comparison, DelayFit, Layers, Result, Study
    from mecdsl.studies.study_result import Run

    Start = result.Result | Mapping[str, Any] | FloatArray


class LoadedModel(ModelWithData):
    """A parsed model with the data that override its own, and all that can be asked of it.

    `form`: the name of a form, `a+b` for both, "" for the model itself. `relax`: every variable
    continuous. All raise `ModelError` for faults of the model and its data.
    """

    __slots__ = ()

    def check(self) -> tuple[Diagnostic, ...]:
        """Every fault and warning of the model and all its forms; empty if there is none."""
        faults: list[Diagnostic] = []
        forms = ["", *self.forms]
        for form in forms:
            try:
                model = self.checked(form).model
                diagnostics = model.warnings
                if not form:  # a game whose players want different things has no form `social`
                    has = {info.name for info in model.forms}
                    forms[1:] = [name for name in forms[1:] if name in has]
            except ModelError as error:
                diagnostics = error.diagnostics
            faults += [diagnostic for diagnostic in diagnostics if diagnostic not in faults]
        return tuple(sorted(faults, key=lambda diagnostic: diagnostic.severity is Severity.WARNING))

    def problem(self, form: str = "", relax: bool = False) -> Problem:
        """The class of the model with its data, with reasons."""
        return analyse(self.instance(form, relax))

    def instance_if_complete(self, form: str = "", relax: bool = False) -> Instance | None:
        """The instance; None where no data were given and nothing but data is missing."""
        try:
            return self.instance(form, relax)
        except ModelError as error:
            missing = all(diagnostic.code == "E301" for diagnostic in error.diagnostics)
            if missing and not self.given:
                return None
            raise

    def empty_families(self, form: str = "", relax: bool = False) -> tuple[Diagnostic, ...]:
        """A warning for each family that the data leave without members."""
        from mecdsl.instances.empty_families import empty_families

        return empty_families(self.instance(form, relax))

    def describe(self, form: str = "", relax: bool = False, scaling: bool = False) -> str:
        """The model with its data as tables; with `scaling` the sizes that count as 1 in a
        solver.
        """
        from mecdsl.analysis.scaling import scale
        from mecdsl.output.text.instance import instance_text

        instance = self.instance(form, relax)
        return instance_text(instance, relax, scale(instance) if scaling else None)

    def data(self, form: str = "") -> dict[str, Any]:
        """Every parameter, random ones as drawn, as `load` reads it again."""
        from mecdsl.instances.data_out import data_of

        return data_of(self.instance(form))

    def backends(self, form: str = "", relax: bool = False) -> "tuple[Fit, ...]":
        """Every known backend: whether it takes the model, and why not."""
        from mecdsl.fitting import fits

        return fits(self.instance(form, relax))

    def solve(
        self,
        backend: "str | Backend" = "auto",
        form: str = "",
        relax: bool = False,
        player: str = "",
        start: "Start | None" = None,
        **options: Any,
    ) -> "Result":
        """Solve with a backend ("auto" chooses) and verify.

        `backend`: its name, or itself. `player`: of a game, solve this one's own problem with the
        others as in `start`. `start`: a result, or values by qualified name. `options`:
        those of `SolveOptions`. Raises `ModelError` if the backend cannot solve it, too.
        """
        from mecdsl.results.start import start_of
        from mecdsl.shown import Result, shown

        if start is not None:
            options["start"] = start_of(self.instance(form, relax), start)
        return shown(super().solve(backend, form, relax, player, **options), Result)

    def compare(
        self,
        backends: Sequence[str] = (),
        forms: Sequence[str] = ("",),
        relax: bool = False,
        own: Mapping[str, Mapping[str, Any]] | None = None,
        started: Callable[[str, str], None] = lambda backend, form: None,
        **options: Any,
    ) -> "Comparison":
        """Every backend on every form, each against the best proven bound.

        `backends`: without names, every available one that takes some form. `own`: options of
        single backends. `started`: called before each run. `options`: those of `SolveOptions`.
        """
        from mecdsl.shown import Comparison, shown
        from mecdsl.studies.compare import compare

        comparison = compare(self, backends, forms, relax, started, own, **options)
        return shown(comparison, Comparison)

    def study(
        self,
        seeds: Sequence[int],
        backends: Sequence[str] = (),
        forms: Sequence[str] = ("",),
        relax: bool = False,
        own: Mapping[str, Mapping[str, Any]] | None = None,
        started: Callable[[int, str, str], None] = lambda seed, backend, form: None,
        finished: "Callable[[int, Sequence[Run]], None]" = lambda seed, runs: None,
        **options: Any,
    ) -> "Study":
        """As `compare` for each seed of the random data, and what all of them come to.

        `finished`: called after each seed.
        """
        from mecdsl.shown import Study, shown
        from mecdsl.studies.study import study

        whole = study(
            self,
            seeds,
            backends=backends,
            forms=forms,
            relax=relax,
            started=started,
            finished=finished,
            own=own,
            **options,
        )
        return shown(whole, Study)

    def export(
        self,
        path: str | Path,
        to: str = "",
        form: str = "",
        relax: bool = False,
        raw: bool = False,
    ) -> "ScaleMap":
        """Write the model for other tools, and say how its numbers lead back to SI.

        `to`: pyomo, lp, mps or nl; by the suffix of the path where it is not given. `raw`: all
        numbers in SI. Raises OSError, too.
        """
        from mecdsl.pyomo_model.export import KINDS, export

        kinds = {suffix: kind for kind, suffix in KINDS.items()}
        kind = to or kinds.get(Path(path).suffix.lower(), "")
        if kind not in KINDS:
            message = f"unknown format `{to}`" if to else f"the suffix of `{path}` is no format"
            fix = f"known are {', '.join(KINDS)}"
            raise ModelError([Diagnostic("E505", message, help=fix)])
        return export(self.instance(form, relax), kind, path, raw=raw)

    def pyomo(self, form: str = "", relax: bool = False) -> "PyomoModel":
        """A complete Pyomo model."""
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


def layers(
    source: str | Path,
    bits: int | None = None,
    time: str | Path = "",
    swap_channels: bool = False,
) -> "Layers":
    """The layers of an `.onnx` or `.csv` file, or of a shipped network by name.

    `bits`: of each value, 32 by default; for networks only. `time`: a device, of a file or shipped,
    whose times become the column `time` [s]; `swap_channels`: with O as output channels, whatever
    the device says. Raises `ModelError`.
    """
    from mecdsl.networks.devices import read_device
    from mecdsl.networks.layers import layers_of, with_times
    from mecdsl.shown import Layers, shown

    found = layers_of(source, bits)
    if time:
        found = with_times(found, read_device(time), swap_channels)
    return shown(found, Layers)


def fit_delay(
    measurements: str | Path, swap_channels: bool = False, errors: str = "relative"
) -> "DelayFit":
    """Fit how long layers take on a device to measured rows; `mecdsl fit-delay --help` has the
    columns of the file.

    `swap_channels`: O are the output channels. `errors`: `relative` to the time, or `absolute`.
    Raises `ModelError`.
    """
    from mecdsl.networks.delay_fit import fit_delay
    from mecdsl.networks.measurements import read_measurements
    from mecdsl.shown import DelayFit, shown

    return shown(fit_delay(read_measurements(measurements), swap_channels, errors), DelayFit)


def explain(code: str) -> str:
    """What a code of a message means, with an example and its mending. Raises KeyError."""
    from mecdsl.codes import explain

    text = explain(code)
    if text is None:
        raise KeyError(f"unknown code `{code}`")
    return text


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
