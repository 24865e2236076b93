"""`mecdsl fit-delay FILE`: measured layer times to the coefficients of a device."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mecdsl.command_line.options import Json
from mecdsl.command_line.printing import Stop, complain, say, say_json, usage
from mecdsl.command_line.study import check_files

if TYPE_CHECKING:
    from mecdsl.networks.delay_fit import DelayFit

HELP = """Fit how long the layers of a neural network take on a device.

FILE is a CSV table (or JSON, a list of objects): one row for each layer you timed. Its columns, in
any order:

\b
  output_side      side of the output image; 1 for a fully connected layer
  kernel           side of the kernel; fully connected: side of the input
  input_channels   channels that the layer reads
  output_channels  channels that it writes
  time             in seconds, or in the unit of its title: time [ms]

These may be there, all others are ignored:

\b
  taps             the square of kernel, in place of it
  kind             conv or dense; or relu, lrn, maxpool, avgpool, softmax,
                   which take per_tap only; without it all rows are conv
  name             what answers call the row

\b
For example:
  name,output_side,kernel,input_channels,output_channels,time [ms]
  conv1,112,3,3,32,9.8
  conv2,56,3,32,64,41.5

What is fitted, with G output_side, K kernel, O input_channels and I output_channels (the reverse
with --swap-channels: use what fits better), no coefficient negative:

\b
  time = per_mac G^2 K^2 O I + per_tap G^2 K^2 I + per_position G^2 O

Three rows that differ in kernel and channels are the least, eight show outliers, twenty are a good
number. Printed are the coefficients with 95 % intervals, how well they fit, and the outliers, which
do not count. `mecdsl layers TABLE --time DEVICE` takes the file that --out writes.
"""

Measured = Annotated[Path, typer.Argument(metavar="FILE", help="timed layers: .csv or .json")]
Swap = Annotated[
    bool,
    typer.Option("--swap-channels", help="O are the output channels and I the input channels"),
]
Errors = Annotated[
    str,
    typer.Option(
        "--errors",
        metavar="relative|absolute",
        help="rows err in proportion to their time, or by like seconds",
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="measured against fitted: .png .pdf .svg"),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="write the device: .json or .toml"),
]


def fit_delay(
    file: Measured,
    swap_channels: Swap = False,
    errors: Errors = "relative",
    plot: Plot = None,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Fit how long layers take on a device."""
    from mecdsl.networks.delay_fit import fit_delay as fit_of
    from mecdsl.networks.measurements import read_measurements
    from mecdsl.networks.robust_fit import ERRORS
    from mecdsl.output.json.delay_fit import delay_fit_json
    from mecdsl.output.text.delay_fit import delay_fit_text

    if file.is_dir() or not file.exists():
        raise usage(f"`{file}` {'is a folder' if file.is_dir() else 'does not exist'}")
    if errors not in ERRORS:
        raise usage(f"`--errors {errors}` is not known", "write `relative` or `absolute`")
    _check_out(file, out, plot)
    fit = fit_of(read_measurements(file), swap_channels, errors)
    if json_:
        say_json(delay_fit_json(fit))
    else:
        say(delay_fit_text(fit))
    wrote = [_written(write, fit, path) for path, write in ((out, _save), (plot, _draw)) if path]
    if not json_:
        for line in filter(None, wrote):
            say(line)
    raise Stop(0 if all(wrote) else 4)


def _check_out(file: Path, out: Path | None, plot: Path | None) -> None:
    """Find out before the fit that a file cannot be written. Raises `Stop`."""
    from mecdsl.networks.devices import SUFFIXES

    check_files((file,), out, plot)
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise usage(f"`--out {out}` is no known kind of file", f"known are {', '.join(SUFFIXES)}")


def _written(write: "Callable[[DelayFit, Path], None]", fit: "DelayFit", path: Path) -> str:
    """Write a file; the line that says so, none where it failed, which is said."""
    try:
        write(fit, path)
    except OSError as error:
        complain(f"error: `{path}` cannot be written: {(error.strerror or str(error)).lower()}")
        return ""
    return f"wrote {path}"


def _save(fit: "DelayFit", path: Path) -> None:
    from mecdsl.networks.devices import write_device

    write_device(fit.device(path.stem), path)


def _draw(fit: "DelayFit", path: Path) -> None:
    from mecdsl.output.picture.delay_fit import delay_fit_picture

    delay_fit_picture(fit, path)
