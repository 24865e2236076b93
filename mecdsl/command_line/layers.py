"""`mecdsl layers FILE`: the layers of a network as a table, CSV or JSON."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mecdsl.command_line.options import Json
from mecdsl.command_line.printing import say, say_json, usage

if TYPE_CHECKING:
    from mecdsl.networks.layer_table import LayerTable


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
    if to not in ("", "csv"):
        raise usage(f"unknown format `{to}`", "write `--to csv`, or `--json`")
    if to and json_:
        raise usage("`--to csv` and `--json` exclude each other")
    path = Path(file)
    if path.is_dir():
        raise usage(f"`{file}` is a folder", "give a file of it")
    table = None if path.exists() else _shipped(file, bits)
    if table is None and path.suffix.lower() == ".csv" and (bits is not None or to):
        raise usage(f"`{file}` is a table already", "`--bits` and `--to` are for networks")
    if table is None and path.suffix.lower() == ".onnx":
        from mecdsl.networks.layer_table import BITS_PER_VALUE
        from mecdsl.networks.onnx_reader import read_onnx

        table = read_onnx(path, bits or BITS_PER_VALUE)
    if to and table is not None:
        say(table.to_csv().rstrip("\n"))
        return
    from mecdsl.networks.layer_file import of_table, read_layer_file
    from mecdsl.output.json.layers import layers_json
    from mecdsl.output.text.layers import layers_text

    found = read_layer_file(path) if table is None else of_table(table)
    if json_:
        say_json(layers_json(path.stem if table is None else table.name, found, table))
    else:
        say(layers_text(path.stem if table is None else table.name, found, table))


def _shipped(name: str, bits: int | None) -> "LayerTable":
    """A shipped network. Raises `Stop` for an unknown name."""
    from mecdsl.diagnostics import nearest
    from mecdsl.networks.architectures import NETWORKS
    from mecdsl.networks.layer_table import BITS_PER_VALUE

    if name not in NETWORKS:
        near = nearest(name, NETWORKS)
        fix = f"did you mean `{near}`?" if near else f"shipped are {', '.join(NETWORKS)}"
        raise usage(f"`{name}` is no file and no shipped network", fix)
    return NETWORKS[name](bits or BITS_PER_VALUE)
