"""The layers of a network, from a file or by the name of a shipped one, and their times."""

from dataclasses import dataclass, replace
from pathlib import Path

from mecdsl.data_files.read import Given
from mecdsl.diagnostics import Collector, Diagnostic, ModelError, nearest
from mecdsl.networks.architectures import NETWORKS
from mecdsl.networks.delay_tables import DELAY_TABLES, delay_table
from mecdsl.networks.delays import layer_delays
from mecdsl.networks.devices import Device
from mecdsl.networks.layer_file import LayerFile, of_table, of_text, read_layer_file
from mecdsl.networks.layer_table import BITS_PER_VALUE, LayerTable
from mecdsl.networks.onnx_reader import read_onnx
from mecdsl.networks.window_columns import read_windows, require_columns, size_meanings

TIME = "time"


@dataclass(frozen=True, slots=True)
class Layers:
    """`file`: the columns, as a model reads them. `counted`: how a network was counted; None for a
    table made elsewhere. `device`: whose times are the column `time`, with the channels as they
    were taken.
    """

    name: str
    file: LayerFile
    counted: LayerTable | None
    device: Device | None = None


def layers_of(source: str | Path, bits: int | None = None) -> Layers:
    """The layers of an `.onnx` or `.csv` file, or of a shipped network by name.

    `bits`: of each value, 32 by default; for networks only. Raises `ModelError` E308.
    """
    path = Path(source)
    if not path.exists():
        return _shipped(str(source), bits or BITS_PER_VALUE)
    if path.suffix.lower() == ".onnx":
        table = read_onnx(path, bits or BITS_PER_VALUE)
        return Layers(table.name, of_table(table), table)
    if bits is not None and path.suffix.lower() == ".csv":
        message = f"`{source}` is a table already, its values have the bits they have"
        raise ModelError([Diagnostic("E308", message, help="leave out `bits`")])
    return Layers(path.stem, read_layer_file(path), None)


def _shipped(name: str, bits: int) -> Layers:
    """A shipped network, counted, or one with delays."""
    if name in DELAY_TABLES:
        return Layers(name, of_text(name, delay_table(DELAY_TABLES[name](bits))), None)
    if name in NETWORKS:
        table = NETWORKS[name](bits)
        return Layers(table.name, of_table(table), table)
    known = (*NETWORKS, *DELAY_TABLES)
    near = nearest(name, known)
    fix = f"did you mean `{near}`?" if near else f"shipped are {', '.join(known)}"
    message = f"`{name}` is no file and no shipped network"
    raise ModelError([Diagnostic("E308", message, help=fix)])


def with_times(layers: Layers, device: Device, swap_channels: bool = False) -> Layers:
    """The layers with a column `time` in seconds, the delays on a device.

    `swap_channels`: read the coefficients with O as output channels even where the device does not
    say so. Raises `ModelError` for a table that lacks the sizes, or has a column `time`.
    """
    file = layers.file
    columns = {**file.texts, **file.columns}
    collector = Collector()
    if TIME in columns:
        span = columns[TIME].place(())
        fix = f"delete the column, or name it after what it holds: `{TIME}_before`"
        collector.error("E307", f"`{layers.name}` has a column `{TIME}`", span, help=fix)
    require_columns(columns, size_meanings(columns), collector)
    windows = read_windows(columns, collector)
    collector.raise_errors()
    assert windows is not None
    device = replace(device, swap_channels=swap_channels or device.swap_channels)
    times = layer_delays(windows, device.coefficients, device.swap_channels).tolist()
    added = Given(value=times, place=lambda _path: None, unit="s")
    return replace(layers, file=replace(file, columns={**file.columns, TIME: added}), device=device)
