"""Four networks layer by layer with the delays of a paper's device and server, for `game` models.

`python -m mecdsl.networks.delay_tables` writes `models/data/game_*.csv` anew. The paper (see
`mecdsl.networks.delays`) lists no layers. Those of Caffe's deploy files, without data and dropout,
are as many as it has: 31 of VGG13, of which the 21st is conv5_1. Channels are not split into
groups, and the sides of pools are rounded up.
"""

import csv
import io
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from mecdsl.networks.architectures import VGG13, VGG16, alexnet_layers, vgg_layers
from mecdsl.networks.builder import NetworkBuilder
from mecdsl.networks.delays import Windows, layer_delays
from mecdsl.networks.devices import read_device
from mecdsl.networks.layer_table import BITS_PER_VALUE, LayerTable

TITLES: Final = (
    "index",
    "name",
    "kind",
    "output_side",
    "taps",
    "input_channels",
    "output_channels",
    "outputs",
    "output_size [bit]",
    "local_time [s]",
    "server_time [s]",
)


def game_lenet(bits: int = BITS_PER_VALUE) -> LayerTable:
    """LeNet as Caffe's example for MNIST has it: 20 and 50 maps, 500 and 10 values."""
    net = NetworkBuilder("game_lenet", (1, 28, 28), bits, caffe=True)
    net.convolution("conv1", 20, 5)
    net.pool("pool1", "maxpool", 2, 2)
    net.convolution("conv2", 50, 5)
    net.pool("pool2", "maxpool", 2, 2)
    net.dense("ip1", 500)
    net.step("relu1", "relu")
    net.dense("ip2", 10)
    net.step("prob", "softmax")
    return net.table()


def game_alexnet(bits: int = BITS_PER_VALUE) -> LayerTable:
    """AlexNet as Caffe's `bvlc_alexnet`."""
    net = NetworkBuilder("game_alexnet", (3, 227, 227), bits, caffe=True)
    alexnet_layers(net)
    return net.table()


def _vgg(name: str, depths: tuple[int, ...], bits: int) -> LayerTable:
    net = NetworkBuilder(name, (3, 224, 224), bits, caffe=True)
    vgg_layers(net, depths)
    return net.table()


def game_vgg13(bits: int = BITS_PER_VALUE) -> LayerTable:
    """VGG13, configuration B."""
    return _vgg("game_vgg13", VGG13, bits)


def game_vgg16(bits: int = BITS_PER_VALUE) -> LayerTable:
    """VGG16, configuration D."""
    return _vgg("game_vgg16", VGG16, bits)


DELAY_TABLES: Final[Mapping[str, Callable[[int], LayerTable]]] = {
    network.__name__: network for network in (game_lenet, game_alexnet, game_vgg13, game_vgg16)
}


def delay_table(table: LayerTable) -> str:
    """The table of a network as CSV: what the delays follow from, the outputs, and the delays on
    the paper's device and at its server.
    """
    windows = Windows.of(table)
    device, server = read_device("gao-device"), read_device("gao-server")
    local = layer_delays(windows, device.coefficients, device.swap_channels)
    remote = layer_delays(windows, server.coefficients, server.swap_channels)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TITLES)
    for index, layer in enumerate(table.layers):
        window = layer.window
        assert window is not None  # `Windows.of` has seen them all
        row = (index + 1, layer.name, layer.kind, window.output_side, window.taps)
        channels = (window.input_channels, window.output_channels, window.outputs)
        # coefficients of few digits times whole numbers: eleven digits are exact, and 13 hide the
        # rounding of the sum
        times = (f"{local[index]:.13g}", f"{remote[index]:.13g}")
        writer.writerow((*row, *channels, layer.output, *times))
    return text.getvalue()


def write_tables(folder: Path) -> list[Path]:
    """Write the table of every network as `<name>.csv`."""
    paths = [folder / f"{name}.csv" for name in DELAY_TABLES]
    for path, network in zip(paths, DELAY_TABLES.values(), strict=True):
        path.write_text(delay_table(network(BITS_PER_VALUE)), encoding="utf-8", newline="\n")
    return paths


if __name__ == "__main__":
    for path in write_tables(Path(str(resources.files("mecdsl.models").joinpath("data")))):
        print(path)
