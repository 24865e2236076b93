"""A device as the coefficients of its layer delays: a file of JSON or TOML, or a shipped name.

`per_mac`, `per_tap` and `per_position` are numbers in seconds or texts with a unit, `"3e-6 ms"`;
`swap_channels` says which channels O and I are (`mecdsl.networks.delays`), `source` where the
numbers are from. `mecdsl fit-delay --out` writes such a file.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from mecdsl.data_files.read import read_document
from mecdsl.diagnostics import Collector, Diagnostic, ModelError, Span, nearest
from mecdsl.networks.delays import COEFFICIENTS, DelayCoefficients
from mecdsl.units import UnitError, parse_unit

SHIPPED: Final = {"gao-device": "gao_device.toml", "gao-server": "gao_server.toml"}
SUFFIXES: Final = (".json", ".toml")
KEYS: Final = (*COEFFICIENTS, "swap_channels", "source")

Place = Callable[[Sequence[str | int]], Span | None]


@dataclass(frozen=True, slots=True)
class Device:
    """How long layers take on a device, and who says so."""

    name: str
    coefficients: DelayCoefficients
    swap_channels: bool
    source: str = ""


def read_device(name: str | Path) -> Device:
    """The device of a file, or a shipped one by name. Raises `ModelError`, E308 for no such."""
    path = Path(name)
    if str(name) in SHIPPED:
        folder = resources.files("mecdsl.models").joinpath("data")
        path = Path(str(folder.joinpath(SHIPPED[str(name)])))
        return _device(str(name), path)
    if not path.exists():
        near = nearest(str(name), SHIPPED)
        fix = f"did you mean `{near}`?" if near else f"shipped are {', '.join(SHIPPED)}"
        raise ModelError(
            [Diagnostic("E308", f"`{name}` is no file and no shipped device", help=fix)]
        )
    return _device(path.stem, path)


def _device(name: str, path: Path) -> Device:
    if path.suffix.lower() not in SUFFIXES:
        message = f"a device is read from `.json` and `.toml`, `{path.name}` is neither"
        fix = "`mecdsl fit-delay measurements.csv --out device.json` writes one"
        raise ModelError([Diagnostic("E308", message, help=fix)])
    value, place = read_document(path)
    collector = Collector()
    if not isinstance(value, Mapping):
        fix = f"write an object with {', '.join(COEFFICIENTS)}"
        raise ModelError([Diagnostic("E308", f"`{path.name}` is no device", place(()), help=fix)])
    for key in value:
        if key not in KEYS:
            fix = f"a device has {', '.join(KEYS)}"
            collector.error("E303", f"a device has no `{key}`", place((key,)), help=fix)
    swap = value.get("swap_channels", False)
    if not isinstance(swap, bool):
        message = f"`swap_channels` is `{swap}`, expected true or false"
        collector.error("E304", message, place(("swap_channels",)))
    found = {key: _coefficient(key, value, place, path.name, collector) for key in COEFFICIENTS}
    collector.raise_errors()
    return Device(name, DelayCoefficients(**found), bool(swap), str(value.get("source", "")))


def _coefficient(
    key: str, values: Mapping[str, Any], place: Place, file: str, collector: Collector
) -> float:
    """A coefficient in seconds; a fault goes to the collector."""
    if key not in values:
        fix = f'write `{key}`, a number in seconds or a text such as `"3e-6 ms"`'
        collector.error("E301", f"`{file}` has no `{key}`", place(()), help=fix)
        return 0.0
    given, span = values[key], place((key,))
    try:
        seconds = _seconds(given)
    except UnitError as error:
        collector.error("E305", error.message, span, help=error.help)
        return 0.0
    if seconds is None or not math.isfinite(seconds):
        message = (
            f"`{key}` is `{given}`, expected a number of seconds or a text with a unit of time"
        )
        collector.error("E304", message, span, help='write `3e-9` or `"3e-6 ms"`')
    elif seconds < 0:
        collector.error("E306", f"`{key}` is {given}, expected >= 0 s", span)
    return seconds or 0.0


def _seconds(given: object) -> float | None:
    """A number, or a text of a number and a unit, in seconds; None for anything else."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int | float):
        return float(given) if abs(given) <= sys.float_info.max else math.inf
    if not isinstance(given, str):
        return None
    number, _, name = given.strip().partition(" ")
    try:
        value = float(number)
    except ValueError:
        return None
    unit = parse_unit(name.strip() or "s")
    if unit.dimension != parse_unit("s").dimension:
        message = f"`{name.strip()}` is no unit of time"
        raise UnitError(message, "write `s`, `ms` or `us`", 0, len(name))
    return unit.to_si(value)


def write_device(device: Device, path: Path) -> None:
    """Write the file of a device. Raises `OSError`, and `ModelError` E505 for another suffix."""
    if path.suffix.lower() not in SUFFIXES:
        fix = f"known are {', '.join(SUFFIXES)}"
        raise ModelError([Diagnostic("E505", f"`{path}` is no kind of device file", help=fix)])
    path.write_text(device_text(device, path.suffix), encoding="utf-8", newline="\n")


def device_text(device: Device, suffix: str) -> str:
    """The file of a device, JSON or TOML by its suffix; numbers in seconds, in full."""
    numbers = {key: getattr(device.coefficients, key) for key in COEFFICIENTS}
    content: dict[str, str | bool | float] = {
        "source": device.source.encode("utf-8", "backslashreplace").decode(),  # as of a path
        "swap_channels": device.swap_channels,
        **numbers,
    }
    if suffix.lower() == ".json":
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # a JSON text, number or truth value is one of TOML too; only the character 127 is not
    written = {key: json.dumps(value, ensure_ascii=False) for key, value in content.items()}
    lines = [f"{key} = {value}\n" for key, value in written.items()]
    return "".join(lines).replace("\x7f", "\\u007f")
