"""`mecdsl layers FILE`: the layers of a network as a table, CSV or JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mecdsl.command_line.options import Json
from mecdsl.command_line.output import say, say_json, usage

if TYPE_CHECKING:
    from mecdsl.networks.layer_file import LayerFile
    from mecdsl.networks.layer_table import LayerTable

ADDED_UP = ("macs", "flops", "parameters")

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

    found = read_layer_file(path) if table is None else of_table(table)
    if json_:
        say_json(_as_dict(path.stem if table is None else table.name, found, table))
    else:
        say(_text(path.stem if table is None else table.name, found, table))


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


def _totals(found: "LayerFile") -> dict[str, float]:
    """Sums of the columns that add up from layer to layer, where all cells are numbers."""
    columns = {name: column.value for name, column in found.columns.items() if name in ADDED_UP}
    return {
        name: sum(cells)
        for name, cells in columns.items()
        if all(isinstance(c, int | float) for c in cells)
    }


def _counting(table: "LayerTable | None") -> dict[str, int]:
    """How a network was counted; a table made elsewhere does not say."""
    from mecdsl.networks.layer_table import FLOP_PER_MAC

    return {} if table is None else {"bits_per_value": table.bits, "flop_per_mac": FLOP_PER_MAC}


def _as_dict(name: str, found: "LayerFile", table: "LayerTable | None") -> dict[str, Any]:
    columns = {title: column.value for title, column in found.texts.items() if title != "after"}
    columns |= {title: column.value for title, column in found.columns.items()}
    after = (
        [list(read) for read in found.before]
        if found.before
        else [[i] if i else [] for i in range(found.size)]
    )
    units = {title: found.unit(title) for title in found.columns}
    return {
        "name": name,
        **_counting(table),
        "chain": found.before is None,
        "totals": _totals(found),
        "units": units,
        "columns": {**columns, "after": after},
    }


def _text(name: str, found: "LayerFile", table: "LayerTable | None") -> str:
    from mecdsl.checking.layer_cuts import MOST_CUTS, TooManyCutsError, valid_cuts
    from mecdsl.diagnostics import count
    from mecdsl.results.layout import paragraph

    shape = "a chain"
    if found.before is not None:
        try:
            shape = f"with branches, {count(len(valid_cuts(found.before).truth), 'valid cut')}"
        except TooManyCutsError:
            shape = f"with branches, more than {MOST_CUTS} valid cuts"
    # FLOPs that were counted are MACs times a number the last line says; a table made elsewhere has
    # its own
    hidden = ("input",) if table is None else ("input", "flops")
    lines = [paragraph(f"{name}: {count(found.size, 'layer')}, {shape}"), _rows(found, hidden)]
    if table is not None:
        lines.append(
            f"{table.bits} bit for each value, {_counting(table)['flop_per_mac']} FLOP for each MAC"
        )
    return "\n".join(lines)


def _rows(found: "LayerFile", hidden: Sequence[str]) -> str:
    """One line for each layer, and the sums, without the columns `hidden`."""
    from mecdsl.results.layout import number
    from mecdsl.results.layout import table as aligned
    from mecdsl.units import format_value, parse_unit

    def shown(title: str, cell: object) -> str:
        if not isinstance(cell, int | float):
            return str(cell)
        unit = parse_unit(found.unit(title))
        return number(cell) if unit.text == "1" else format_value(unit.to_si(float(cell)), unit, 4)

    texts = [title for title in ("name", "kind") if title in found.texts]
    titles = [title for title in found.columns if title not in hidden]
    after = ["after"] if found.before is not None else []
    rows = [
        [
            str(row + 1),
            *(str(found.texts[title].value[row]) for title in texts),
            *(shown(title, found.columns[title].value[row]) for title in titles),
            *(" ".join(map(str, read)) for read in (found.before or ())[row : row + 1]),
        ]
        for row in range(found.size)
    ]
    totals = _totals(found)
    sums = [shown(title, totals[title]) if title in totals else "" for title in titles]
    rows.append(["sum", *("" for _ in texts), *sums])
    return aligned(
        rows, ["", *texts, *titles, *after], right="r" + "l" * len(texts) + "r" * len(titles)
    )
