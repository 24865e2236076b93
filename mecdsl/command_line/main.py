"""The command line: parse the arguments, call the interface, print. Nothing else happens here.

Exit codes: 0 request met and verified, 1 faults in the model, 2 wrong usage, 3 infeasible or
unbounded, 4 a limit or a stop before a usable answer, 5 the answer failed verification, 130
interrupted.
"""

import errno
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mecdsl import __version__
from mecdsl.command_line.fit_delay import HELP as FIT_DELAY_HELP
from mecdsl.command_line.fit_delay import fit_delay
from mecdsl.command_line.layers import layers
from mecdsl.command_line.options import (
    Asked,
    BackendName,
    BackendNames,
    BackendOptions,
    Code,
    Csv,
    Data,
    Explain,
    Form,
    Forms,
    Gap,
    Json,
    Kind,
    Log,
    MapFile,
    ModelPath,
    Options,
    Out,
    Player,
    Plot,
    PlotResult,
    PlotTrace,
    Raw,
    RelaxAll,
    Seed,
    Seeds,
    Settings,
    ShowScaling,
    Starts,
    Threads,
    TimeLimit,
    Trace,
    Values,
    Via,
    WarmStart,
    backend_options,
    check_once,
    one_form,
    solve_options,
    start_values,
    wrong_arguments,
)
from mecdsl.command_line.printing import (
    Stop,
    bug,
    complain,
    complain_faults,
    complain_stop,
    complain_warnings,
    open_streams,
    say,
    say_json,
    usage,
)
from mecdsl.diagnostics import ModelError, Severity, count

if TYPE_CHECKING:
    from mecdsl.api import LoadedModel
    from mecdsl.studies.compare import Comparison

BLANK_LINE = f"\r{' ' * 79}\r"
DATA_SUFFIXES = (".json", ".toml", ".csv")

app = typer.Typer(
    name="mecdsl",
    help="Optimise computing over networks: state a problem in a .mec file, solve it, trust "
    "the answer.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    json_asked = "--json" in words
    open_streams(utf8=json_asked)
    try:
        try:
            code = _run(words, json_asked)
        except Stop as stop:
            code = complain_stop(stop, json_asked)
    except Stop as stop:  # the message itself could not be written
        code = complain_stop(stop, False)
    raise SystemExit(code)


def _run(arguments: list[str], json_asked: bool) -> int:
    """Run a command; its exit code. Raises `Stop`."""
    check_once(arguments)
    try:
        code: int | None = app(args=arguments, prog_name="mecdsl", standalone_mode=False)
    except ModelError as error:
        return complain_faults(error.diagnostics, json_asked)
    except typer.TyperException as error:
        raise wrong_arguments(error, arguments) from None
    except SystemExit:  # typer's answer to a reader of its help who went away
        return 0
    except KeyboardInterrupt:
        code = 130
    except MemoryError:
        raise Stop(4, "not enough memory for an instance of this size") from None
    except RecursionError:
        raise Stop(
            1, "an expression of the model is nested too deeply", "name its parts with `let`"
        ) from None
    except Stop:
        raise
    except Exception as error:
        full = (
            isinstance(error, OSError) and error.errno == errno.ENOSPC
        )  # while typer printed its help
        raise (
            Stop(4, "the output cannot be written: no space left on device") if full else bug(error)
        ) from None
    if code == 130:
        complain("interrupted")
    return code or 0


def _load(path: Path, data: Path | None, settings: list[str] | None, seed: int) -> "LoadedModel":
    from mecdsl.api import load
    from mecdsl.data_files.read import read_settings

    for file in (path, data):
        if file is not None and (file.is_dir() or not file.exists()):
            what = "is a folder" if file.is_dir() else "does not exist"
            raise usage(f"`{file}` {what}", _similar_file(file))
    if path.suffix.lower() in DATA_SUFFIXES:
        raise usage(f"`{path}` is no model", f"data are given with `--data {path}`")
    if data is not None and data.suffix.lower() == ".mec":
        raise usage(f"`{data}` is a model and no data file", "data files are JSON, TOML or CSV")
    try:
        return load(path, data, seed, read_settings(settings or []))
    except OSError as error:
        raise usage(f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}") from None


def _similar_file(file: Path) -> str | None:
    from mecdsl.diagnostics import nearest

    if not file.parent.is_dir():
        return None
    near = nearest(file.name, [p.name for p in file.parent.iterdir() if p.is_file()])
    return f"did you mean `{file.parent / near}`?" if near else None


def _version(value: bool) -> None:
    if value:
        say(f"mecdsl {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        complain(context.get_help())
        raise Stop(2)


@app.command(short_help="Check a model and all its forms; print its class.")
def check(
    model: ModelPath,
    form: Form = "",
    relax: RelaxAll = False,
    data: Data = None,
    set_: Settings = None,
    seed: Seed = 0,
    explain: Explain = False,
    json_: Json = False,
) -> None:
    """Check a model and all its forms; print its class with reasons."""
    from mecdsl.output.json.check import check_json
    from mecdsl.output.text.check import check_text

    loaded = _load(model, data, set_, seed)
    diagnostics = loaded.check()
    errors = [d for d in diagnostics if d.severity is Severity.ERROR]
    if errors:
        raise ModelError(errors)
    form = one_form(form, loaded)
    instance = loaded.instance_if_complete(form, relax)
    diagnostics += () if instance is None else loaded.empty_families(form, relax)
    if json_:
        say_json(check_json(loaded.checked().model, diagnostics, instance))
    else:
        say(check_text(str(model), loaded.checked().model, instance, relax, explain))
    complain_warnings(diagnostics)  # last, for what may still be an error goes before


@app.command(short_help="Show a model with its data as tables.")
def show(
    model: ModelPath,
    form: Form = "",
    relax: RelaxAll = False,
    data: Data = None,
    set_: Settings = None,
    seed: Seed = 0,
    json_: Json = False,
    scaling: ShowScaling = False,
) -> None:
    """Show a model with its data: sets, parameters, variables, constraints, class."""
    from mecdsl.analysis.scaling import scale
    from mecdsl.output.json.instance import instance_json
    from mecdsl.output.text.instance import instance_text

    loaded = _load(model, data, set_, seed)
    instance = loaded.instance(one_form(form, loaded), relax)
    factors = scale(instance) if scaling else None
    if json_:
        say_json(instance_json(instance, factors))
    else:
        say(instance_text(instance, relax, factors))


@app.command()
def solve(
    model: ModelPath,
    backend: BackendName = "auto",
    form: Form = "",
    relax: RelaxAll = False,
    data: Data = None,
    set_: Settings = None,
    seed: Seed = 0,
    time_limit: TimeLimit = "",
    gap: Gap = 1e-6,
    threads: Threads = None,
    starts: Starts = 1,
    option: Options = None,
    warm_start: WarmStart = None,
    player: Player = "",
    via: Via = "arrays",
    log: Log = False,
    json_: Json = False,
    values: Values = False,
    plot: PlotResult = None,
    trace: Trace = None,
    plot_trace: PlotTrace = None,
) -> None:
    """Solve a model and verify the answer."""
    from mecdsl.command_line.study import check_files
    from mecdsl.command_line.trace import check_trace, write_picture, write_trace
    from mecdsl.output.json.result import result_json
    from mecdsl.output.text.result import result_text
    from mecdsl.results.start import start_of

    check_trace((model, data, warm_start), trace, plot_trace)
    check_files((model, data, warm_start, trace, plot_trace), None, plot)
    loaded = _load(model, data, set_, seed)
    form = one_form(form, loaded)
    options = solve_options(
        time_limit, gap, threads, option=option, via=via, log=log, starts=starts
    )
    start = None if warm_start is None else start_values(warm_start)
    with _progress(f"solving with {backend}"):
        if start is not None:
            options["start"] = start_of(loaded.instance(form, relax), start, f"`{warm_start}`")
        result = loaded.solve(backend, form, relax, player, **options)
    if json_:
        say_json(result_json(result, trace=bool(trace or plot_trace)))
    else:
        say(result_text(result, values))
    written = write_trace([result], trace, plot_trace, json_) or write_picture(result, plot, json_)
    # last, for what may still be an error goes before
    complain_warnings((*loaded.checked().model.warnings, *loaded.empty_families(form, relax)))
    raise Stop(result.exit_code or written)


@app.command(short_help="Solve with several backends and forms side by side.")
def compare(
    model: ModelPath,
    backends: BackendNames = "",
    form: Forms = "",
    relax: RelaxAll = False,
    data: Data = None,
    set_: Settings = None,
    seed: Seed = 0,
    seeds: Seeds = "",
    time_limit: TimeLimit = "",
    gap: Gap = 1e-6,
    threads: Threads = None,
    starts: Starts = 1,
    option: BackendOptions = None,
    csv: Csv = None,
    plot: Plot = None,
    trace: Trace = None,
    plot_trace: PlotTrace = None,
    json_: Json = False,
) -> None:
    """Solve with several backends and forms side by side, each against the best proven bound.

    With --seeds, everything is done for each seed, and every backend's answers are summarised.
    """
    from mecdsl.command_line.trace import check_trace, write_trace

    check_trace((model, data), trace, plot_trace, seeds)
    loaded = _load(model, data, set_, seed)
    forms = _forms(form, loaded)
    names = _distinct(name.strip() for name in backends.split(",") if name.strip())
    options = solve_options(time_limit, gap, threads, starts=starts)
    options["own"] = backend_options(option)
    asked = Asked(names, forms, relax, options)
    if seeds or csv or plot:
        from mecdsl.command_line import study as cli_study

        numbers = cli_study.read_seeds(seeds, seed)
        cli_study.check_files((model, data), csv, plot)
        with _progress("comparing") as tell:
            study = cli_study.run_study(loaded, numbers, asked, tell)
        raise Stop(cli_study.report(study, json_, csv, plot))
    with _progress("comparing") as tell:
        comparison = _compared(loaded, asked, tell)
    _say_comparison(comparison, json_, bool(trace or plot_trace))
    written = write_trace(
        [e.result for e in comparison.entries if e.result], trace, plot_trace, json_
    )
    raise Stop(comparison.exit_code or written)


def _forms(text: str, loaded: "LoadedModel") -> list[str]:
    """The forms to compare, each once; the model itself where none is named."""
    named = [name for name in text.split(",") if name.strip() or not text]
    if not named:
        raise usage(
            f"`--form {text}` names no form",
            "write names separated by commas; `base` is the model itself",
        )
    return _distinct(one_form(name, loaded) for name in named)


def _compared(loaded: "LoadedModel", asked: Asked, tell: Callable[[str], None]) -> "Comparison":
    def started(backend: str, form: str) -> None:
        tell(f"{backend} on form {form}" if form else backend)

    return loaded.compare(
        asked.backends, asked.forms, asked.relax, started=started, **asked.options
    )


def _say_comparison(comparison: "Comparison", json_asked: bool, trace: bool) -> None:
    from mecdsl.output.json.comparison import comparison_json
    from mecdsl.output.text.comparison import comparison_text

    if json_asked:
        say_json(comparison_json(comparison, trace=trace))
    else:
        say(comparison_text(comparison))


def _distinct(names: Iterable[str]) -> list[str]:
    """Names without repetition, in their order."""
    return list(dict.fromkeys(names))


@app.command(short_help="Write the model for other tools.")
def export(
    model: ModelPath,
    to: Kind,
    out: Out = None,
    form: Form = "",
    relax: RelaxAll = False,
    data: Data = None,
    set_: Settings = None,
    seed: Seed = 0,
    raw: Raw = False,
    map_: MapFile = None,
) -> None:
    """Write the model for other tools, scaled so that they find what `solve` finds."""
    from mecdsl.command_line.exports import write_export
    from mecdsl.pyomo_model.export import KINDS

    if to not in KINDS:
        raise usage(f"unknown format `{to}`", f"known are {', '.join(KINDS)}")
    loaded = _load(model, data, set_, seed)
    form = one_form(form, loaded)
    instance = loaded.instance(form, relax)
    path = out or Path(f"{model.stem}{'-' + form.replace('+', '-') if form else ''}{KINDS[to]}")
    sources = (model, data)
    names = write_export(lambda: loaded.export(path, to, form, relax, raw), path, map_, sources)
    size = f"{count(instance.columns, 'variable')}, {count(instance.rows, 'constraint row')}"
    more = f"; {count(names.extra, 'variable')} more in place of kinks" if names.extra else ""
    say(f"wrote {path}: {size}{more}")
    if note := names.note():
        place = map_ or (path.with_suffix(".scale") if to == "nl" else path)
        complain(f"note: {note}; the way back to SI is in {place} (--raw writes SI)")


@app.command(short_help="Write every parameter as a data file for --data.")
def data(
    model: ModelPath,
    form: Form = "",
    data: Data = None,
    set_: Settings = None,
    seed: Seed = 0,
) -> None:
    """Write every parameter, random ones as drawn, as a data file for --data."""
    loaded = _load(model, data, set_, seed)
    say_json(loaded.data(one_form(form, loaded)))


app.command(short_help="List the layers of a network: MACs, parameters, bits.")(layers)
app.command(
    "fit-delay", help=FIT_DELAY_HELP, short_help="Fit how long layers take on a device, from times."
)(fit_delay)


@app.command(short_help="List the backends: version, classes, options.")
def backends(json_: Json = False) -> None:
    """List the backends: what is there, which version, what each can, and why not."""
    from mecdsl.api import list_backends
    from mecdsl.output.json.backends import backends_json
    from mecdsl.output.text.backends import backends_text

    listed = list_backends()
    if json_:
        say_json({"backends": backends_json(listed)})
    else:
        say(backends_text(listed))


@app.command()
def explain(code: Code) -> None:
    """Explain a code with an example and its mending."""
    from mecdsl.codes import explain as text_of

    text = text_of(code)
    if text is None:
        raise usage(
            f"unknown code `{code}`", "a code looks like E201 and stands in brackets after `error`"
        )
    say(text)


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    """Say on a terminal's stderr what is going on, once it takes longer than two seconds."""
    current = [what]
    done = threading.Event()

    def tell(text: str) -> None:
        current[0] = text

    def watch() -> None:
        waited = 2.0
        while not done.wait(2.0):
            print(
                f"{BLANK_LINE}{current[0]} ... {waited:.0f} s ", end="", file=sys.stderr, flush=True
            )
            waited += 2.0

    watcher = threading.Thread(target=watch, daemon=True)
    if sys.stderr.isatty():
        watcher.start()
    try:
        yield tell
    finally:
        done.set()
        if watcher.is_alive():
            watcher.join()
            print(BLANK_LINE, end="", file=sys.stderr, flush=True)
