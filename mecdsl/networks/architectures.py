"""The networks whose layer tables are shipped, from their architectures.

`python -m mecdsl.networks.architectures` writes the tables of `models/data/` anew; a test compares
them and their totals with the literature.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

from mecdsl.networks.builder import NetworkBuilder
from mecdsl.networks.layer_table import BITS_PER_VALUE, LayerTable


def lenet5(bits: int = BITS_PER_VALUE) -> LayerTable:
    """LeNet-5 of LeCun, Bottou, Bengio and Haffner 1998 as printed: C3 reads 60 of the 96 pairs of
    maps (Table I).
    """
    net = NetworkBuilder("lenet5", (1, 32, 32), bits)
    net.convolution("C1", 6, 5)
    net.subsampling("S2")
    net.convolution("C3", 16, 5, kernels=60)
    net.subsampling("S4")
    net.convolution("C5", 120, 5)
    net.dense("F6", 84)
    net.radial("output", 10)
    return net.table()


def alexnet(bits: int = BITS_PER_VALUE) -> LayerTable:
    """AlexNet of Krizhevsky, Sutskever and Hinton 2012: two columns, as groups in conv2, conv4 and
    conv5.
    """
    net = NetworkBuilder("alexnet", (3, 227, 227), bits)
    alexnet_layers(net)
    return net.table()


def alexnet_layers(net: NetworkBuilder) -> None:
    """The layers of AlexNet over an image of 227 x 227; normalisations over five channels before
    the pools, as in Caffe's `bvlc_alexnet`.
    """
    net.convolution("conv1", 96, 11, 4)
    net.step("relu1", "relu")
    net.step("norm1", "lrn", 5)
    net.pool("pool1", "maxpool", 3, 2)
    net.convolution("conv2", 256, 5, padding=2, groups=2)
    net.step("relu2", "relu")
    net.step("norm2", "lrn", 5)
    net.pool("pool2", "maxpool", 3, 2)
    net.convolution("conv3", 384, 3, padding=1)
    net.step("relu3", "relu")
    net.convolution("conv4", 384, 3, padding=1, groups=2)
    net.step("relu4", "relu")
    net.convolution("conv5", 256, 3, padding=1, groups=2)
    net.step("relu5", "relu")
    net.pool("pool5", "maxpool", 3, 2)
    _classifier(net)


def _classifier(net: NetworkBuilder) -> None:
    """The three fully connected layers that AlexNet and VGG end with."""
    for number in (6, 7):
        net.dense(f"fc{number}", 4096)
        net.step(f"relu{number}", "relu")
    net.dense("fc8", 1000)
    net.step("prob", "softmax")


def alexnet_one_column(bits: int = BITS_PER_VALUE) -> LayerTable:
    """AlexNet in one column without groups, Krizhevsky 2014, as most libraries have it."""
    net = NetworkBuilder("alexnet_one_column", (3, 224, 224), bits)
    net.convolution("conv1", 64, 11, 4, 2)
    net.pool("pool1", "maxpool", 3, 2)
    net.convolution("conv2", 192, 5, padding=2)
    net.pool("pool2", "maxpool", 3, 2)
    net.convolution("conv3", 384, 3, padding=1)
    net.convolution("conv4", 256, 3, padding=1)
    net.convolution("conv5", 256, 3, padding=1)
    net.pool("pool5", "maxpool", 3, 2)
    net.dense("fc6", 4096)
    net.dense("fc7", 4096)
    net.dense("fc8", 1000)
    return net.table()


VGG13 = (2, 2, 2, 2, 2)  # convolutions in each block, configuration B
VGG16 = (2, 2, 3, 3, 3)  # configuration D


def vgg_layers(net: NetworkBuilder, depths: tuple[int, ...]) -> None:
    """The layers of VGG, Simonyan and Zisserman 2015, over an image of 224 x 224, with `depths[i]`
    convolutions in block i + 1.
    """
    for block, (depth, channels) in enumerate(
        zip(depths, (64, 128, 256, 512, 512), strict=True), 1
    ):
        for layer in range(1, depth + 1):
            net.convolution(f"conv{block}_{layer}", channels, 3, padding=1)
            net.step(f"relu{block}_{layer}", "relu")
        net.pool(f"pool{block}", "maxpool", 2, 2)
    _classifier(net)


def _vgg(name: str, depths: tuple[int, ...], bits: int) -> LayerTable:
    net = NetworkBuilder(name, (3, 224, 224), bits)
    vgg_layers(net, depths)
    return net.table()


def vgg13(bits: int = BITS_PER_VALUE) -> LayerTable:
    """Configuration B of Simonyan and Zisserman 2015."""
    return _vgg("vgg13", VGG13, bits)


def vgg16(bits: int = BITS_PER_VALUE) -> LayerTable:
    """Configuration D of Simonyan and Zisserman 2015."""
    return _vgg("vgg16", VGG16, bits)


def nin(bits: int = BITS_PER_VALUE) -> LayerTable:
    """Network in network for CIFAR-10, Lin, Chen and Yan 2014, with the sizes of the authors'
    published model.
    """
    net = NetworkBuilder("nin", (3, 32, 32), bits)
    net.convolution("conv1", 192, 5, padding=2)
    net.convolution("cccp1", 160, 1)
    net.convolution("cccp2", 96, 1)
    net.pool("pool1", "maxpool", 3, 2, round_up=True)
    net.convolution("conv2", 192, 5, padding=2)
    net.convolution("cccp3", 192, 1)
    net.convolution("cccp4", 192, 1)
    net.pool("pool2", "avgpool", 3, 2, round_up=True)
    net.convolution("conv3", 192, 3, padding=1)
    net.convolution("cccp5", 192, 1)
    net.convolution("cccp6", 10, 1)
    net.global_average("pool3")
    return net.table()


def tiny_yolov2(bits: int = BITS_PER_VALUE) -> LayerTable:
    """Tiny YOLOv2 for the 20 classes of Pascal VOC at 416 x 416, Redmon and Farhadi 2017."""
    net = NetworkBuilder("tiny_yolov2", (3, 416, 416), bits)
    for block, channels in enumerate((16, 32, 64, 128, 256, 512), 1):
        net.convolution(f"conv{block}", channels, 3, padding=1, normalized=True)
        last = block == 6  # this one keeps 13 x 13: it moves by 1 and is padded on one side
        net.pool(f"pool{block}", "maxpool", 2, 1 if last else 2, padding=1 if last else 0)
    net.convolution("conv7", 1024, 3, padding=1, normalized=True)
    net.convolution("conv8", 1024, 3, padding=1, normalized=True)
    net.convolution("conv9", 125, 1)
    return net.table()


def resnet18(bits: int = BITS_PER_VALUE) -> LayerTable:
    """ResNet-18 of He, Zhang, Ren and Sun 2016 with its shortcuts; 1 x 1 convolutions where the
    shape changes.
    """
    net = NetworkBuilder("resnet18", (3, 224, 224), bits)
    net.convolution("conv1", 64, 7, 2, 3, normalized=True)
    at = net.pool("maxpool", "maxpool", 3, 2, padding=2)
    for stage, channels in enumerate((64, 128, 256, 512), 1):
        for block in (1, 2):
            name = f"block{stage}_{block}"
            shrinks = stage > 1 and block == 1
            net.convolution(
                f"{name}_conv1", channels, 3, 2 if shrinks else 1, 1, normalized=True, source=at
            )
            main = net.convolution(f"{name}_conv2", channels, 3, 1, 1, normalized=True)
            if shrinks:
                at = net.convolution(f"{name}_shortcut", channels, 1, 2, normalized=True, source=at)
            at = net.add(f"{name}_add", main, at)
    net.global_average("avgpool")
    net.dense("fc", 1000)
    return net.table()


NETWORKS: Mapping[str, Callable[[int], LayerTable]] = {
    network.__name__: network
    for network in (lenet5, alexnet, alexnet_one_column, vgg13, vgg16, nin, tiny_yolov2, resnet18)
}


def write_tables(folder: Path) -> list[Path]:
    """Write the table of every network as `<name>.csv`."""
    paths = []
    for name, network in NETWORKS.items():
        paths.append(folder / f"{name}.csv")
        paths[-1].write_text(network(BITS_PER_VALUE).to_csv(), encoding="utf-8", newline="\n")
    return paths


if __name__ == "__main__":
    target = (
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else Path(str(resources.files("mecdsl.models").joinpath("data")))
    )
    for path in write_tables(target):
        print(path)
