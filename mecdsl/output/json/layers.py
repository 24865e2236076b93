"""The layers of a network as plain data."""

from typing import Any, Final

from mecdsl.networks.devices import Device
from mecdsl.networks.layer_file import LayerFile
from mecdsl.networks.layer_table import FLOP_PER_MAC, LayerTable
from mecdsl.networks.layers import Layers

ADDED_UP: Final = ("macs", "flops", "parameters", "local_time", "server_time", "time")


def layers_json(layers: Layers) -> dict[str, Any]:
    """Its columns with their units, and the sums of those that add up."""
    file = layers.file
    columns = {title: column.value for title, column in file.texts.items() if title != "after"}
    columns |= {title: column.value for title, column in file.columns.items()}
    after = (
        [list(read) for read in file.before]
        if file.before
        else [[i] if i else [] for i in range(file.size)]
    )
    units = {title: file.unit(title) for title in file.columns}
    return {
        "name": layers.name,
        **_counting(layers.counted),
        **_device(layers.device),
        "chain": file.before is None,
        "totals": totals(file),
        "units": units,
        "columns": {**columns, "after": after},
    }


def totals(file: LayerFile) -> dict[str, float]:
    """Sums of the columns that add up from layer to layer, where all cells are numbers."""
    columns = {name: column.value for name, column in file.columns.items() if name in ADDED_UP}
    return {
        name: sum(cells)
        for name, cells in columns.items()
        if all(isinstance(c, int | float) for c in cells)
    }


def _counting(table: LayerTable | None) -> dict[str, int]:
    """How a network was counted; a table made elsewhere does not say."""
    return {} if table is None else {"bits_per_value": table.bits, "flop_per_mac": FLOP_PER_MAC}


def _device(device: Device | None) -> dict[str, Any]:
    """On which device the times are, where there are any."""
    if device is None:
        return {}
    swap, source = device.swap_channels, device.source
    return {"device": {"name": device.name, "swap_channels": swap, "source": source}}
