"""`mecdsl layers FILE`: the layers of a network as a table, CSV or JSON."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mecdsl.command_line.options import Json
from mecdsl.command_line.printing import say, say_json, usage
from mecdsl.diagnostics import ModelError

if TYPE_CHECKING:
    from mecdsl.networks.layers import Layers

Network = Annotated[
    str,
    typer.Argument(metavar="FILE", help="an .onnx or .csv file, or the name of a shipped network"),
]
To = Annotated[str, typer.Option("--to", metavar="csv", help="write the table as a model reads it")]
Time = Annotated[
    str,
    typer.Option(
        "--time",
        metavar="DEVICE",
        help="add how long each layer takes: a file of fit-delay --out, gao-device or gao-server",
    ),
]
Swap = Annotated[
    bool,
    typer.Option("--swap-channels", help="with --time: O are the output channels, not the input"),
]
Bits = Annotated[
    int | None,
    typer.Option("--bits", min=1, metavar="NUMBER", help="bits of each value; 32 by default"),
]


def layers(
    file: Network,
    to: To = "",
    bits: Bits = None,
    time: Time = "",
    swap_channels: Swap = False,
    json_: Json = False,
) -> None:
    """List the layers of a network: MACs, FLOPs, parameters, outputs in bits; times on a device.

    Times need the columns output_side, kernel or taps, input_channels, output_channels and, where
    not all layers are convolutions, kind; the shipped game_lenet, game_alexnet, game_vgg13 and
    game_vgg16 have them.
    """
    from mecdsl.output.csv.layers import layers_csv
    from mecdsl.output.json.layers import layers_json
    from mecdsl.output.text.layers import layers_text

    if to not in ("", "csv"):
        raise usage(f"unknown format `{to}`", "write `--to csv`, or `--json`")
    if to and json_:
        raise usage("`--to csv` and `--json` exclude each other")
    if swap_channels and not time:
        raise usage("`--swap-channels` is about times", "add `--time gao-device`")
    path = Path(file)
    if path.is_dir():
        raise usage(f"`{file}` is a folder", "give a file of it")
    if path.suffix.lower() == ".csv" and path.exists() and (bits is not None or (to and not time)):
        raise usage(f"`{file}` is a table already", "`--bits` and `--to` are for networks")
    network = _layers(file, bits)
    if time:
        network = _with_times(network, time, swap_channels)
    if json_:
        say_json(layers_json(network))
    elif to:
        say(layers_csv(network).rstrip("\n"))
    else:
        say(layers_text(network))


def _layers(file: str, bits: int | None) -> "Layers":
    """The layers; a name of nothing is wrong usage, and no fault of a file."""
    from mecdsl.networks.layers import layers_of

    try:
        return layers_of(file, bits)
    except ModelError as error:
        if Path(file).exists():
            raise
        (fault,) = error.diagnostics
        raise usage(fault.message, fault.help) from None


def _with_times(network: "Layers", name: str, swap_channels: bool) -> "Layers":
    """The layers with their times on a device, which is a file or shipped."""
    from mecdsl.networks.delay_tables import DELAY_TABLES
    from mecdsl.networks.devices import SHIPPED, read_device
    from mecdsl.networks.layers import with_times

    path = Path(name)
    if path.is_dir():
        raise usage(f"`{name}` is a folder", "give a file of it")
    if network.counted is not None:
        raise usage(
            f"`{network.name}` is counted in MACs and has no sizes for `--time`",
            f"{', '.join(DELAY_TABLES)} have them, or a table with columns as `--help` says",
        )
    try:
        device = read_device(name)
    except ModelError as error:
        if path.exists() or name in SHIPPED:
            raise
        (fault,) = error.diagnostics
        raise usage(fault.message, fault.help) from None
    return with_times(network, device, swap_channels)
