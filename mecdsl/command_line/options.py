"""The arguments of the command line: their types, and from texts to what the interface takes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mecdsl.command_line.printing import Stop, usage

if TYPE_CHECKING:
    from mecdsl.api import LoadedModel

RawValue = str | float | int | bool

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="a .mec file")]
Form = Annotated[
    str, typer.Option("--form", metavar="FORM", help="a form of the model; a+b applies two")
]
Forms = Annotated[
    str,
    typer.Option(
        "--form", metavar="FORM,...", help="forms separated by commas; base is the model itself"
    ),
]
RelaxAll = Annotated[bool, typer.Option("--relax", help="make every variable continuous")]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="FILE", help="data file: JSON, TOML or CSV")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="set a parameter: cycle_time=45s"),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, metavar="NUMBER", help="seed of solvers and random data")
]
Seeds = Annotated[
    str,
    typer.Option("--seeds", metavar="SEEDS", help="many seeds of the random data: 1..20 or 1,3,7"),
]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="with --seeds: one row for each run")
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot", metavar="FILE", help="with --seeds: a picture of the distances: .png .pdf .svg"
    ),
]
PlotResult = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="a picture of the answer: .png .pdf .svg"),
]
Trace = Annotated[
    Path | None,
    typer.Option("--trace", metavar="FILE", help="write the steps of iterative methods as CSV"),
]
PlotTrace = Annotated[
    Path | None,
    typer.Option("--plot-trace", metavar="FILE", help="a picture of the steps: .png .pdf .svg"),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]
BackendName = Annotated[
    str, typer.Option("--backend", "-b", metavar="NAME", help="a backend; auto chooses by class")
]
BackendNames = Annotated[
    str,
    typer.Option(
        "--backends",
        metavar="NAME,...",
        help="backends separated by commas; all that fit by default",
    ),
]
TimeLimit = Annotated[
    str,
    typer.Option(
        "--time-limit", metavar="TIME", help="stop the solver after this long: 10, 90s, 5min"
    ),
]
Gap = Annotated[
    float, typer.Option("--gap", metavar="NUMBER", help="relative gap that counts as optimal")
]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="NUMBER", help="threads of the solver")
]
Starts = Annotated[
    int,
    typer.Option(
        "--starts", min=1, metavar="NUMBER", help="starts of a local solver; the best is kept"
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="solver's own option: limits/nodes=100"),
]
BackendOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="BACKEND:NAME=VALUE",
        help="option of one backend: scip:limits/nodes=100",
    ),
]
WarmStart = Annotated[
    Path | None,
    typer.Option("--warm-start", metavar="FILE", help="start from a result of solve --json"),
]
Player = Annotated[
    str,
    typer.Option(
        "--player",
        metavar="NAME",
        help="the own problem of one player of a game, the others as in --warm-start",
    ),
]
Log = Annotated[bool, typer.Option("--log", help="show the solver's log on stderr")]
Via = Annotated[
    str,
    typer.Option(
        "--via", metavar="arrays|pyomo", help="hand the model over as arrays or through pyomo"
    ),
]
Values = Annotated[bool, typer.Option("--values", help="print every value on a line of its own")]
Kind = Annotated[str, typer.Option("--to", metavar="FORMAT", help="pyomo, lp, mps or nl")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="file to write; named after MODEL by default"),
]
Raw = Annotated[bool, typer.Option("--raw", help="all numbers in SI, not scaled for solvers")]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map", metavar="FILE", help="also write the names and factors of the file as JSON"
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="say what became of products, and whether it is exact")
]
ShowScaling = Annotated[
    bool, typer.Option("--scaling", help="also the factors with which solvers see the model")
]
Code = Annotated[str, typer.Argument(metavar="CODE", help="a code such as E201")]

# What other programs call an option.
OTHER_NAMES: Final = {
    "--solver": "--backend",
    "--timeout": "--time-limit",
    "--timelimit": "--time-limit",
    "--param": "--set",
    "--parameter": "--set",
    "--output": "--out",
    "--file": "--out",
    "--format": "--to",
    "--verbose": "--log",
    "--data-file": "--data",
    "--tolerance": "--gap",
    "--mip-gap": "--gap",
    "--options": "--option",
}

# What the parser of the command line says of a value of a wrong kind, in our words.
EXPECTED: Final = {
    "a valid integer": "`{}` is no whole number",
    "a valid number": "`{}` is no number",
    "greater than or equal to 0": "`{}` is less than 0",
    "greater than or equal to 1": "`{}` is less than 1",
}

# Options that hold one value: the parser of the command line would take the last one without a
# word.
ONCE: Final = (
    ("--form",),
    ("--data",),
    ("--seed",),
    ("--backend", "-b"),
    ("--backends",),
    ("--time-limit",),
    ("--gap",),
    ("--threads",),
    ("--starts",),
    ("--warm-start",),
    ("--player",),
    ("--via",),
    ("--to",),
    ("--out", "-o"),
    ("--trace",),
    ("--plot-trace",),
    ("--errors",),
    ("--time",),
)


def check_once(arguments: list[str]) -> None:
    """Raise `Stop` for an option that is given twice and holds one value."""
    names = [word.partition("=")[0] for word in arguments]
    for spellings in ONCE:
        if sum(names.count(name) for name in spellings) > 1:
            raise usage(f"`{spellings[0]}` is given twice", "keep one of the two")


def wrong_arguments(error: typer.TyperException, arguments: list[str]) -> Stop:
    """What the parser of the command line found wrong, in the manner of all messages."""
    message = error.format_message().rstrip(".").replace("'", "`")
    message = (message[:1].lower() + message[1:]).replace(". Did", ", did")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "mecdsl"
    help = f"`{command} --help` shows the way"
    option = getattr(error, "option_name", "")
    if option in OTHER_NAMES and getattr(error, "possibilities", None) is not None:
        return usage(f"no such option: {option}", f"it is called `{OTHER_NAMES[option]}` here")
    invalid = re.fullmatch(
        r"(invalid value for `.*(--[a-z-]+)`: )input should be (.*)", message, re.IGNORECASE
    )
    if invalid is not None:
        value = _value_of(invalid[2], arguments)
        message = invalid[1] + EXPECTED.get(
            invalid[3].split(",")[0], f"expected {invalid[3]}"
        ).format(value)
        help = "a decimal mark is a point: `0.01`" if re.fullmatch(r"\d+,\d+", value) else help
    if "unexpected extra argument" in message and "--set" in arguments:
        help = 'a value with blanks stands in quotes: `--set "cycle_time=45 s"`'
    first = next(iter(arguments), "")
    if message.startswith("no such command") and first.endswith(".mec"):
        help = f"a command comes first: `mecdsl solve {first}`"
    return usage(message, help)


def _value_of(option: str, arguments: list[str]) -> str:
    """What was given for an option."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equal, value = word.partition("=")
        if name == option:
            return value if equal else following
    return ""


def one_form(form: str, loaded: "LoadedModel") -> str:
    """The form asked for; `base` is the model itself, unless it has a form of that name.

    Raises `Stop`.
    """
    if "," in form:
        both = "+".join(part.strip() for part in form.split(","))
        raise usage(
            f"`--form {form}` is more than one form",
            f"`{both}` applies both; `mecdsl compare` takes several",
        )
    names = dict.fromkeys(part.strip() for part in form.split("+") if part.strip())
    if list(names) == ["base"] and "base" not in loaded.forms:
        return ""
    return "+".join(names)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a comparison is of; `options` are the keyword arguments of `LoadedModel.compare`."""

    backends: Sequence[str]
    forms: Sequence[str]
    relax: bool
    options: Mapping[str, Any]


def solve_options(
    time_limit: str,
    gap: float,
    threads: int | None,
    *,
    option: list[str] | None = None,
    via: str = "arrays",
    log: bool = False,
    starts: int = 1,
) -> dict[str, Any]:
    """The arguments of `SolveOptions`. Raises `Stop`."""
    raw = _named_values(option or [], "name")
    limit = _seconds(time_limit) if time_limit else None
    return {
        "time_limit": limit,
        "gap": gap,
        "threads": threads,
        "raw": raw,
        "via": via,
        "log": log,
        "starts": starts,
    }


def backend_options(option: list[str] | None) -> dict[str, dict[str, RawValue]]:
    """`BACKEND:NAME=VALUE` by backend. Raises `Stop`."""
    by_backend: dict[str, dict[str, RawValue]] = {}
    for name, value in _named_values(option or [], "backend:name").items():
        backend, colon, own = name.partition(":")
        if not colon or not backend or not own:
            raise usage(
                f"`--option {name}={value}` names no backend", "write `--option scip:name=value`"
            )
        by_backend.setdefault(backend, {})[own] = value
    return by_backend


def _named_values(option: list[str], shape: str) -> dict[str, RawValue]:
    raw: dict[str, RawValue] = {}
    for text in option:
        name, equal, value = text.partition("=")
        if not equal or not name:
            raise usage(f"`--option {text}` has no value", f"write `--option {shape}=value`")
        if name in raw:
            raise usage(f"`--option {name}` is given twice", "keep one of the two")
        raw[name] = _raw_value(value)
    return raw


def _raw_value(text: str) -> RawValue:
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
    from mecdsl.instances.bind import QUANTITY
    from mecdsl.units import UnitError, parse_unit

    quantity = QUANTITY.match(text)
    fix = "write seconds, or a time such as 90s or 5min"
    if quantity is None:
        raise usage(f"`--time-limit {text}` is no time", fix)
    try:
        unit = parse_unit(quantity[2] or "s")
    except UnitError as error:
        raise usage(f"`--time-limit {text}`: {error.message}", fix) from None
    if str(unit.dimension) != "s" or float(quantity[1]) < 0:
        raise usage(f"`--time-limit {text}` is no time", fix)
    return unit.to_si(float(quantity[1]))


def start_values(path: Path) -> dict[str, Any]:
    """The values of a JSON result by name. Raises `Stop` if the file is no result."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))["values"]
    except OSError as error:
        raise usage(f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise usage(
            f"`{path}` is no result", "write one with `mecdsl solve MODEL --json > result.json`"
        )
    return values
