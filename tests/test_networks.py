"""The shipped layer tables: their totals against the literature, and the files against the code that made them."""

from math import prod
from pathlib import Path

import pytest

from mecdsl.layer_file import read_layer_file
from mecdsl.layer_table import FLOP_PER_MAC
from mecdsl.network_builder import NetworkBuilder
from mecdsl.networks import NETWORKS, write_tables

DATA = Path(__file__).resolve().parent.parent / "models" / "data"

# Trained parameters.
PARAMETERS = {
    # LeCun et al. 1998, section II-B: C1 156, S2 12, C3 1516, S4 32, C5 48120, F6 10164; "60,000 trainable" in all
    "lenet5": 156 + 12 + 1516 + 32 + 48_120 + 10_164,
    # Krizhevsky et al. 2012 say 60 million; the exact count with groups is that of Caffe's bvlc_alexnet
    "alexnet": 60_965_224,
    # torchvision's documentation of the pretrained weights: alexnet, vgg13, vgg16, resnet18
    "alexnet_one_column": 61_100_840,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "resnet18": 11_689_512,
    # The All-CNN paper (Springenberg et al. 2015) counts network in network as about 1 million, others as 0.97 million;
    # by hand: 75*192+192 + 192*160+160 + 160*96+96 + 2400*192+192 + 3*(192*192+192) + 1728*192+192 + 192*10+10
    "nin": 14_592 + 30_880 + 15_456 + 460_992 + 3 * 37_056 + 331_968 + 1_930,
    # tiny-yolo-voc.weights has 63,471,556 bytes: four words of header, then four bytes for each number, among them
    # the running mean and variance of 3056 normalised channels, which are not trained
    "tiny_yolov2": 63_471_556 // 4 - 4 - 2 * 3056,
}

# MACs: the figure as published, in the unit and to the digits in which it is published.
MACS = {
    # Sze, Chen, Yang and Emer 2017, "Efficient processing of deep neural networks", Table II: 724 M for AlexNet with
    # groups (convolutions 666 M, dense 58.6 M), 15.5 G for VGG-16
    "alexnet": (724e6, 0.5e6),
    "vgg16": (15.5e9, 0.05e9),
    # torchvision's documentation, "GFLOPS" that count a multiplication with its addition once: 0.71, 11.31, 1.81
    "alexnet_one_column": (0.71e9, 0.005e9),
    "vgg13": (11.31e9, 0.005e9),
    "resnet18": (1.81e9, 0.005e9),
    # darknet prints 6.97 Bn floating-point operations, two for each MAC
    "tiny_yolov2": (6.97e9 / 2, 0.005e9 / 2),
    # 0.22 G is the usual figure; by hand: positions times kernel of each convolution
    "nin": (
        1024 * (75 * 192 + 192 * 160 + 160 * 96) + 256 * (2400 * 192 + 2 * 192**2) + 64 * (1728 * 192 + 192**2 + 1920),
        0.5,
    ),
    # see the test of connections below
    "lenet5": (340_908 - 8_084, 0.5),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_those_of_the_literature(name: str) -> None:
    assert NETWORKS[name](32).parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_macs_are_those_of_the_literature(name: str) -> None:
    published, rounding = MACS[name]
    assert abs(NETWORKS[name](32).macs - published) <= rounding


def test_alexnet_splits_its_macs_as_the_survey_says() -> None:
    # Sze et al. 2017, Table II: 666 M in convolutions, 58.6 M in dense layers
    layers = NETWORKS["alexnet"](32).layers
    assert sum(layer.macs for layer in layers if layer.kind == "conv") == pytest.approx(666e6, abs=0.5e6)
    assert sum(layer.macs for layer in layers if layer.kind == "dense") == pytest.approx(58.6e6, abs=0.05e6)


def test_lenet_has_the_connections_its_authors_count() -> None:
    # LeCun et al. 1998 count 340,908 connections: every MAC, and the bias of every unit but the ten of the output
    table = NETWORKS["lenet5"](32)
    units = sum(layer.output // 32 for layer in table.layers[:-1])
    assert table.macs + units == 340_908


# Sizes the papers print: values of the outputs of some layers.
OUTPUTS = {
    ("lenet5", "C3"): 16 * 10 * 10,
    ("alexnet", "conv1"): 55 * 55 * 96,
    ("alexnet", "pool5"): 6 * 6 * 256,
    ("alexnet_one_column", "pool5"): 6 * 6 * 256,
    ("vgg16", "pool5"): 7 * 7 * 512,
    ("nin", "pool1"): 16 * 16 * 96,
    ("tiny_yolov2", "pool6"): 13 * 13 * 512,
    ("tiny_yolov2", "conv9"): 13 * 13 * 5 * (20 + 5),
    ("resnet18", "maxpool"): 56 * 56 * 64,
    ("resnet18", "block4_2_add"): 7 * 7 * 512,
}


@pytest.mark.parametrize(("network", "layer"), OUTPUTS)
def test_outputs_have_the_published_sizes(network: str, layer: str) -> None:
    (found,) = (row for row in NETWORKS[network](8).layers if row.name == layer)
    assert found.output == 8 * OUTPUTS[network, layer]


def test_resnet_has_a_branch_around_every_block() -> None:
    table = NETWORKS["resnet18"](32)
    sums = [layer for layer in table.layers if layer.kind == "add"]
    assert len(sums) == 8  # two blocks in each of four stages, He et al. 2016, Table 1
    assert all(len(layer.before) == 2 for layer in sums)
    assert not table.is_chain
    assert [name for name in NETWORKS if not NETWORKS[name](32).is_chain] == ["resnet18"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_reads_its_input_once(name: str) -> None:
    shapes = {"lenet5": (1, 32, 32), "alexnet": (3, 227, 227), "nin": (3, 32, 32), "tiny_yolov2": (3, 416, 416)}
    inputs = [layer.input for layer in NETWORKS[name](32).layers]
    assert inputs == [32 * prod(shapes.get(name, (3, 224, 224)))] + [0] * (len(inputs) - 1)


def test_shipped_files_are_those_the_code_writes(tmp_path: Path) -> None:
    written = write_tables(tmp_path)
    assert {path.name for path in written} == {path.name for path in DATA.glob("*.csv")}
    for path in written:
        assert path.read_bytes() == (DATA / path.name).read_bytes(), "run `python -m mecdsl.networks`"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_table_read_back_is_the_network(name: str) -> None:
    table = NETWORKS[name](32)
    found = read_layer_file(DATA / f"{name}.csv")
    assert found.columns["macs"].value == [layer.macs for layer in table.layers]
    assert found.columns["flops"].value == [FLOP_PER_MAC * layer.macs for layer in table.layers]
    assert found.columns["output"].value == [layer.output for layer in table.layers]
    assert found.before == (None if table.is_chain else table.before)
    assert {column: found.unit(column) for column in found.columns} == {
        "macs": "mac", "flops": "flop", "parameters": "1", "input": "bit", "output": "bit",
    }  # fmt: skip


def test_shapes_that_do_not_fit_are_refused() -> None:
    net = NetworkBuilder("wrong", (3, 8, 8))
    with pytest.raises(ValueError, match="groups"):
        net.convolution("conv", 4, 3, groups=2)
    first = net.convolution("a", 4, 3, padding=1)
    second = net.convolution("b", 4, 3)
    with pytest.raises(ValueError, match="differ"):
        net.add("sum", first, second)
