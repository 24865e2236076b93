"""The layers of a network, from a file or by the name of a shipped one."""

from dataclasses import dataclass
from pathlib import Path

from mecdsl.diagnostics import Diagnostic, ModelError, nearest
from mecdsl.networks.architectures import NETWORKS
from mecdsl.networks.layer_file import LayerFile, of_table, read_layer_file
from mecdsl.networks.layer_table import BITS_PER_VALUE, LayerTable
from mecdsl.networks.onnx_reader import read_onnx


@dataclass(frozen=True, slots=True)
class Layers:
    """`file`: the columns, as a model reads them. `counted`: how a network was counted; None for a
    table made elsewhere.
    """

    name: str
    file: LayerFile
    counted: LayerTable | None


def layers_of(source: str | Path, bits: int | None = None) -> Layers:
    """The layers of an `.onnx` or `.csv` file, or of a shipped network by name.

    `bits`: of each value, 32 by default; for networks only. Raises `ModelError` E308.
    """
    path = Path(source)
    table = _counted(path, bits)
    if table is not None:
        return Layers(table.name, of_table(table), table)
    if bits is not None and path.suffix.lower() == ".csv":
        message = f"`{source}` is a table already, its values have the bits they have"
        raise ModelError([Diagnostic("E308", message, help="leave out `bits`")])
    return Layers(path.stem, read_layer_file(path), None)


def _counted(path: Path, bits: int | None) -> LayerTable | None:
    """A network, counted; None for a file that is none."""
    if path.exists():
        return read_onnx(path, bits or BITS_PER_VALUE) if path.suffix.lower() == ".onnx" else None
    name = str(path)
    if name not in NETWORKS:
        near = nearest(name, NETWORKS)
        fix = f"did you mean `{near}`?" if near else f"shipped are {', '.join(NETWORKS)}"
        message = f"`{name}` is no file and no shipped network"
        raise ModelError([Diagnostic("E308", message, help=fix)])
    return NETWORKS[name](bits or BITS_PER_VALUE)
