"""The command line: parse the arguments, call the interface, print. Nothing else happens here.

Exit codes: 0 request met and verified, 1 faults in the model, 2 wrong usage, 3 infeasible or unbounded, 4 a limit or
a stop before a usable answer, 5 the answer failed verification, 130 interrupted.
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mecdsl import __version__
from mecdsl.diagnostics import Diagnostic, ModelError, Severity, render

if TYPE_CHECKING:
    from mecdsl.api import LoadedModel
    from mecdsl.instance import Instance

USAGE_CODES = frozenset({"E501", "E502", "E503", "E505"})
TIME_UNITS = "s, min, h, ms"

app = typer.Typer(
    name="mecdsl",
    help="Optimise computing over networks: state a problem in a .mec file, solve it, trust the answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="a .mec file")]
Form = Annotated[str, typer.Option("--form", help="a form of the model; a+b applies two")]
RelaxAll = Annotated[bool, typer.Option("--relax", help="make every variable continuous")]
Data = Annotated[Path | None, typer.Option("--data", help="data file: JSON, TOML or CSV")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="set a parameter: cycle_time=45s")]
Seed = Annotated[int, typer.Option("--seed", help="seed of solvers and random data")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]
TimeLimit = Annotated[str, typer.Option("--time-limit", help="stop the solver after this long: 10, 90s, 5min")]
Gap = Annotated[float, typer.Option("--gap", min=0.0, help="relative gap that counts as optimal")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="threads of the solver")]
Options = Annotated[list[str] | None, typer.Option("--option", help="solver's own option: limits/nodes=100")]
Log = Annotated[bool, typer.Option("--log/--no-log", help="show the solver's log on stderr")]
Via = Annotated[str, typer.Option("--via", help="hand the model over as arrays or through pyomo")]


class Stop(Exception):
    """Leave with an exit code; everything has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    code = 0
    try:
        app(args=None if arguments is None else list(arguments), standalone_mode=True)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except Stop as error:
        code = error.code
    except ModelError as error:
        code = _print_faults(error.diagnostics)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except MemoryError:
        print("error: not enough memory for an instance of this size", file=sys.stderr)
        code = 4
    except Exception as error:
        code = _print_bug(error)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(code)


def _print_bug(error: Exception) -> int:
    if os.environ.get("MECDSL_TRACEBACK"):
        traceback.print_exception(error)
    else:
        print(f"error: a fault of mecdsl itself: {type(error).__name__}: {error}", file=sys.stderr)
        print("  help: set MECDSL_TRACEBACK=1 to see where, and report it", file=sys.stderr)
    return 4


def _print_faults(diagnostics: Sequence[Diagnostic]) -> int:
    for diagnostic in diagnostics:
        print(render(diagnostic), end="\n\n", file=sys.stderr)
    count = len(diagnostics)
    if count > 1:
        print(f"{count} errors", file=sys.stderr)
    code = 2 if all(d.code in USAGE_CODES for d in diagnostics) else 1
    if "--json" in sys.argv:
        _print_json({"diagnostics": [_as_dict(d) for d in diagnostics], "exit_code": code})
    return code


def _print_warnings(diagnostics: Sequence[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        if diagnostic.severity is Severity.WARNING:
            print(render(diagnostic), end="\n\n", file=sys.stderr)


def _as_dict(diagnostic: Diagnostic) -> dict[str, Any]:
    span = diagnostic.span
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "file": span.source.name if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
        "note": diagnostic.note,
        "help": diagnostic.help,
    }


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _usage(message: str, help: str | None = None) -> Stop:
    print(f"error: {message}", file=sys.stderr)
    if help:
        print(f"  help: {help}", file=sys.stderr)
    return Stop(2)


def _load(path: Path, data: Path | None, settings: list[str] | None, seed: int) -> "LoadedModel":
    from mecdsl.api import load
    from mecdsl.data import read_settings

    for file in (path, data):
        if file is not None and not file.is_file():
            what = "is a folder" if file.is_dir() else "does not exist"
            raise _usage(f"`{file}` {what}", _similar_file(file))
    try:
        return load(path, data, seed, read_settings(settings or []))
    except OSError as error:
        raise _usage(f"`{path}` cannot be read: {error.strerror or error}") from None


def _similar_file(file: Path) -> str | None:
    from mecdsl.diagnostics import nearest

    if not file.parent.is_dir():
        return None
    near = nearest(file.name, [p.name for p in file.parent.iterdir() if p.is_file()])
    return f"did you mean `{file.parent / near}`?" if near else None


def _version(value: bool) -> None:
    if value:
        print(f"mecdsl {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


@app.command()
def check(
    model: ModelPath, form: Form = "", relax: RelaxAll = False, data: Data = None, set_: Settings = None,
    seed: Seed = 0, json_: Json = False,
) -> None:  # fmt: skip
    """Check a model and all its forms; print its class with reasons."""
    from mecdsl.problem import analyse
    from mecdsl.text import headline, problem_text

    loaded = _load(model, data, set_, seed)
    found = loaded.check()
    errors = [d for d in found if d.severity is Severity.ERROR]
    if errors:
        raise ModelError(errors)
    _print_warnings(found)
    instance = _complete_instance(loaded, form, relax)
    if json_:
        report: dict[str, Any] = {"model": loaded.checked().model.name, "forms": list(loaded.forms)}
        report["diagnostics"] = [_as_dict(d) for d in found]
        if instance is not None:
            report |= _problem_dict(instance)
        _print_json(report)
        return
    if instance is None:
        count = len(loaded.forms)
        print(f"{model}: no faults in the model" + (f" and its {count} forms" if count else ""))
        print("class  not known without data: give the parameters that have no value with --data")
        return
    print(headline(instance))
    print(problem_text(analyse(instance)))
    if loaded.forms:
        print(f"forms  {', '.join(loaded.forms)}: no faults")


def _complete_instance(loaded: "LoadedModel", form: str, relax: bool) -> "Instance | None":
    """The instance; None if nothing but data is missing."""
    try:
        return loaded.instance(form, relax)
    except ModelError as error:
        if all(diagnostic.code == "E301" for diagnostic in error.diagnostics) and not loaded.given:
            return None
        raise


def _problem_dict(instance: "Instance") -> dict[str, Any]:
    from mecdsl.problem import analyse

    problem = analyse(instance)
    return {
        "form": instance.model.form or "base",
        "class": problem.problem_class.value,
        "variables": problem.columns,
        "integer_variables": problem.integer_columns,
        "fixed_variables": problem.fixed_columns,
        "rows": problem.rows,
        "families": [
            {
                "name": report.name,
                "rows": report.size,
                "degree": report.degree.name.lower(),
                "convex": report.convex,
                "reason": report.reason,
                "line": report.place.line if report.place else None,
            }
            for report in (problem.objective, *problem.families)
        ],
    }


@app.command()
def show(
    model: ModelPath, form: Form = "", relax: RelaxAll = False, data: Data = None, set_: Settings = None,
    seed: Seed = 0, json_: Json = False,
) -> None:  # fmt: skip
    """Show a model with its data: sets, parameters, variables, constraints, class."""
    from mecdsl.instance import nested
    from mecdsl.problem import analyse
    from mecdsl.result import plain, unit_text
    from mecdsl.text import show_text

    instance = _load(model, data, set_, seed).instance(form, relax)
    if not json_:
        print(show_text(instance, analyse(instance)))
        return
    world, dimensions = instance.world, instance.model.dimensions
    report = {"model": instance.model.name, **_problem_dict(instance)}
    report["sets"] = {name: family.size for name, family in world.families.items()}
    report["values"] = {n: nested(v, world.symbols[n].levels, plain) for n, v in world.values.items()}
    report["units"] = {name: unit_text(dimensions.get(name)) for name in world.values}
    _print_json(report)


@app.command()
def solve(
    model: ModelPath,
    backend: Annotated[str, typer.Option("--backend", "-b", help="a backend; auto chooses by class")] = "auto",
    form: Form = "", relax: RelaxAll = False, data: Data = None, set_: Settings = None, seed: Seed = 0,
    time_limit: TimeLimit = "", gap: Gap = 1e-6, threads: Threads = None, option: Options = None,
    warm_start: Annotated[Path | None, typer.Option("--warm-start", help="start from the values of a result")] = None,
    via: Via = "arrays", log: Log = False, json_: Json = False,
    values: Annotated[bool, typer.Option("--values", help="print every value on a line of its own")] = False,
) -> None:  # fmt: skip
    """Solve a model and verify the answer."""
    from mecdsl.text import result_text

    loaded = _load(model, data, set_, seed)
    options = _options(time_limit, gap, threads, option, via, log)
    if warm_start is not None:
        options["start"] = _warm_start(loaded, warm_start, form, relax)
    _print_warnings(loaded.checked().model.warnings)
    with _progress(f"solving with {backend}"):
        result = loaded.solve(backend, form, relax, **options)
    if json_:
        sys.stdout.write(result.to_json() + "\n")
    else:
        print(result_text(result, values))
    raise Stop(result.exit_code)


@app.command()
def compare(
    model: ModelPath,
    backends: Annotated[str, typer.Option("--backends", help="names by commas; all that fit by default")] = "",
    form: Annotated[str, typer.Option("--form", help="forms separated by commas; base is the model itself")] = "",
    relax: RelaxAll = False, data: Data = None, set_: Settings = None, seed: Seed = 0, time_limit: TimeLimit = "",
    gap: Gap = 1e-6, threads: Threads = None, json_: Json = False,
) -> None:  # fmt: skip
    """Solve with several backends and forms side by side, each against the best proven bound."""
    from mecdsl.compare import compare as run
    from mecdsl.text import comparison_text, headline

    loaded = _load(model, data, set_, seed)
    forms = ["" if name.strip() == "base" else name.strip() for name in form.split(",")]
    names = [name.strip() for name in backends.split(",") if name.strip()] or _fitting(loaded, forms, relax)
    with _progress("comparing") as say:
        comparison = run(
            loaded,
            names,
            forms,
            relax,
            lambda backend, at: say(f"{backend} on form {at}" if at else backend),
            **_options(time_limit, gap, threads, None, "arrays", False),
        )
    if json_:
        _print_json(comparison.as_dict())
    else:
        print(comparison_text(comparison, headline(loaded.instance(forms[0] if len(forms) == 1 else "", relax))))
    raise Stop(comparison.exit_code)


def _fitting(loaded: "LoadedModel", forms: Sequence[str], relax: bool) -> list[str]:
    """Every available backend that takes the problem in one of the forms."""
    from mecdsl.backend import Request
    from mecdsl.backends import table
    from mecdsl.problem import analyse
    from mecdsl.solution import SolveOptions

    instances = [loaded.instance(form, relax) for form in forms]
    requests = [Request(instance, analyse(instance), SolveOptions()) for instance in instances]
    candidates = [table.load(name) for name in table.names()]
    fitting = [c for c in candidates if any(c.accepts(request).accepted for request in requests)]
    return [c.name for c in fitting if c.availability().available]


@app.command()
def export(
    model: ModelPath,
    to: Annotated[str, typer.Option("--to", help="pyomo, lp, mps or nl")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="file to write; named after MODEL by default")] = None,
    form: Form = "", relax: RelaxAll = False, data: Data = None, set_: Settings = None, seed: Seed = 0,
) -> None:  # fmt: skip
    """Write the model for other tools."""
    from mecdsl.export import KINDS
    from mecdsl.export import export as write

    if to not in KINDS:
        raise _usage(f"unknown format `{to}`", f"known are {', '.join(KINDS)}")
    instance = _load(model, data, set_, seed).instance(form, relax)
    path = out or Path(f"{model.stem}{'-' + form.replace('+', '-') if form else ''}{KINDS[to]}")
    try:
        write(instance, to, path)
    except OSError as error:
        raise _usage(f"`{path}` cannot be written: {error.strerror or error}") from None
    print(f"wrote {path}: {instance.columns} variables, {instance.rows} constraint rows")


@app.command()
def data(
    model: ModelPath, form: Form = "", data: Data = None, set_: Settings = None, seed: Seed = 0,
) -> None:  # fmt: skip
    """Write every parameter, random ones as drawn, as a data file for --data."""
    from mecdsl.data_out import data_of

    _print_json(data_of(_load(model, data, set_, seed).instance(form)))


@app.command()
def backends(json_: Json = False) -> None:
    """List the backends: what is there, which version, what each can, and why not."""
    from mecdsl.backends import table
    from mecdsl.text import paragraph

    report: list[dict[str, Any]] = []
    for name in table.names():
        backend = table.load(name)
        there, can = backend.availability(), backend.capabilities
        report.append(
            {
                "name": name,
                "title": can.title,
                "available": there.available,
                "reason": there.reason,
                "versions": there.versions,
                "classes": sorted(kind.value for kind in can.classes),
                "guarantee": can.guarantee.value,
                "models": list(can.models),
                "reference": can.reference,
                "options": dict(can.options),
                "time_limit": can.time_limit,
                "warm_start": can.warm_start,
                "bounds": can.bounds,
                "multipliers": can.multipliers,
            }
        )
    if json_:
        _print_json({"backends": report})
        return
    for entry in report:
        versions = ", ".join(f"{n} {v}" for n, v in entry["versions"].items())
        print(f"{entry['name']}: {entry['title']}" + ("" if entry["available"] else "  NOT AVAILABLE"))
        print(paragraph(f"gives: {entry['guarantee']}; {versions or entry['reason']}", 4))
        solves = f"model {', '.join(entry['models'])}" if entry["models"] else ", ".join(entry["classes"])
        print(paragraph(f"solves: {solves}", 4))
        for option, meaning in entry["options"].items():
            print(paragraph(f"--option {option}=...: {meaning}", 4))


@app.command()
def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="a code such as E201")]) -> None:
    """Explain a code with an example and its mending."""
    from mecdsl.codes import explain as text_of

    text = text_of(code.upper())
    if text is None:
        raise _usage(f"unknown code `{code}`", "a code looks like E201 and stands in brackets after `error`")
    print(text)


# Arguments to options -----------------------------------------------------------------------------------------


def _options(
    time_limit: str, gap: float, threads: int | None, option: list[str] | None, via: str, log: bool
) -> dict[str, Any]:
    if via not in ("arrays", "pyomo"):
        raise _usage(f"`--via {via}` is not known", "write arrays or pyomo")
    raw: dict[str, str | float | int | bool] = {}
    for text in option or []:
        name, equal, value = text.partition("=")
        if not equal or not name:
            raise _usage(f"`--option {text}` has no value", "write `--option name=value`")
        raw[name] = _raw_value(value)
    limit = _seconds(time_limit) if time_limit else None
    return {"time_limit": limit, "gap": gap, "threads": threads, "raw": raw, "via": via, "log": log}


def _raw_value(text: str) -> str | float | int | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _seconds(text: str) -> float:
    """`10`, `90s` or `5min` in seconds."""
    from mecdsl.bind import QUANTITY
    from mecdsl.units import UnitError, parse_unit

    found = QUANTITY.match(text)
    fix = "write seconds, or a time such as 90s or 5min"
    if found is None:
        raise _usage(f"`--time-limit {text}` is no time", fix)
    try:
        unit = parse_unit(found[2] or "s")
    except UnitError as error:
        raise _usage(f"`--time-limit {text}`: {error.message}", fix) from None
    if str(unit.dimension) != "s" or float(found[1]) < 0:
        raise _usage(f"`--time-limit {text}` is no time", fix)
    return unit.to_si(float(found[1]))


def _warm_start(loaded: "LoadedModel", path: Path, form: str, relax: bool) -> Any:
    """The columns of an instance from the values of a JSON result; what it does not name keeps its start."""
    import numpy as np

    try:
        values = json.loads(path.read_text(encoding="utf-8"))["values"]
    except (OSError, ValueError, KeyError, TypeError):
        raise _usage(f"`{path}` is no result of `mecdsl solve --json`") from None
    instance = loaded.instance(form, relax)
    start = instance.first_point()
    for family in instance.variables:
        if family.name in values:
            flat = np.asarray(_flat(values[family.name]), dtype=np.float64)
            if len(flat) != family.size:
                raise _usage(f"`{path}`: `{family.name}` has {len(flat)} values, the model {family.size}")
            start[family.columns] = flat
    return start


def _flat(value: Any) -> list[float]:
    return [x for item in value for x in _flat(item)] if isinstance(value, list) else [value]


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    """Say on a terminal's stderr what is going on, once it takes longer than two seconds."""
    current = [what]
    done = threading.Event()

    def say(text: str) -> None:
        current[0] = text

    def watch() -> None:
        waited = 2.0
        while not done.wait(2.0):
            print(f"\r{current[0]} ... {waited:.0f} s ", end="", file=sys.stderr, flush=True)
            waited += 2.0

    watcher = threading.Thread(target=watch, daemon=True)
    if sys.stderr.isatty():
        watcher.start()
    try:
        yield say
    finally:
        done.set()
        if watcher.is_alive():
            watcher.join()
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
