"""`mecdsl layers FILE`: the layers of a network as a table, CSV or JSON."""

from pathlib import Path
from typing import Annotated

import typer

from mecdsl.command_line.options import Json
from mecdsl.command_line.printing import say, say_json, usage
from mecdsl.diagnostics import ModelError

Network = Annotated[
    str,
    typer.Argument(metavar="FILE", help="an .onnx or .csv file, or the name of a shipped network"),
]
To = Annotated[str, typer.Option("--to", metavar="csv", help="write the table as a model reads it")]
Bits = Annotated[
    int | None,
    typer.Option("--bits", min=1, metavar="NUMBER", help="bits of each value; 32 by default"),
]


def layers(file: Network, to: To = "", bits: Bits = None, json_: Json = False) -> None:
    """List the layers of a network: MACs, FLOPs, parameters, outputs in bits."""
    from mecdsl.networks.layers import layers_of
    from mecdsl.output.json.layers import layers_json
    from mecdsl.output.text.layers import layers_text

    if to not in ("", "csv"):
        raise usage(f"unknown format `{to}`", "write `--to csv`, or `--json`")
    if to and json_:
        raise usage("`--to csv` and `--json` exclude each other")
    path = Path(file)
    if path.is_dir():
        raise usage(f"`{file}` is a folder", "give a file of it")
    if path.suffix.lower() == ".csv" and path.exists() and (bits is not None or to):
        raise usage(f"`{file}` is a table already", "`--bits` and `--to` are for networks")
    try:
        network = layers_of(file, bits)
    except ModelError as error:
        if path.exists():
            raise
        (fault,) = error.diagnostics  # a name of nothing is wrong usage, and no fault of a file
        raise usage(fault.message, fault.help) from None
    if json_:
        say_json(layers_json(network))
    elif to and network.counted is not None:
        say(network.counted.to_csv().rstrip("\n"))
    else:
        say(layers_text(network))
