"""The shipped layer tables: their totals against the literature, and the files against the code
that made them.
"""

from math import prod
from pathlib import Path

import pytest

from mecdsl.networks.architectures import NETWORKS, write_tables
from mecdsl.networks.builder import NetworkBuilder
from mecdsl.networks.layer_file import read_layer_file
from mecdsl.networks.layer_table import FLOP_PER_MAC

DATA = Path(__file__).resolve().parent.parent / "models" / "data"

# Layer by layer, by hand: the sizes below are written down from the papers and come from no shape
# inference. A convolution of k x k kernels that reads c channels and writes m maps of s x s values
# has k*k*c*m*s*s MACs and k*k*c*m weights; with it go m biases, or 2 m scales and shifts of a
# normalisation. What has no weights has no MACs.


def conv(kernel: int, channels: int, maps: int, side: int, own: int = 1) -> tuple[int, int]:
    """MACs and parameters; `channels`: those that one map reads."""
    return kernel**2 * channels * maps * side**2, (kernel**2 * channels + own) * maps


def dense(inputs: int, outputs: int) -> tuple[int, int]:
    """MACs and parameters."""
    return inputs * outputs, (inputs + 1) * outputs


def vgg(depths: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    """Simonyan and Zisserman 2015, Table 1: 3 x 3 kernels, sides halved after each block, 7 x 7 x
    512 left.
    """
    found, before = {}, 3
    for block, (depth, maps, side) in enumerate(
        zip(depths, (64, 128, 256, 512, 512), (224, 112, 56, 28, 14), strict=True), 1
    ):
        for number in range(1, depth + 1):
            found[f"conv{block}_{number}"] = conv(3, before, maps, side)
            before = maps
    return found | {
        "fc6": dense(7 * 7 * 512, 4096),
        "fc7": dense(4096, 4096),
        "fc8": dense(4096, 1000),
    }


def resnet18() -> dict[str, tuple[int, int]]:
    """He et al. 2016, Table 1: 7 x 7 with stride 2, then four stages of two blocks of two 3 x 3
    convolutions.
    """
    found, before = {"conv1": conv(7, 3, 64, 112, own=2)}, 64
    for stage, (maps, side) in enumerate(((64, 56), (128, 28), (256, 14), (512, 7)), 1):
        for block in (1, 2):
            found[f"block{stage}_{block}_conv1"] = conv(3, before, maps, side, own=2)
            found[f"block{stage}_{block}_conv2"] = conv(3, maps, maps, side, own=2)
            if before != maps:
                found[f"block{stage}_{block}_shortcut"] = conv(1, before, maps, side, own=2)
            before = maps
    return found | {"fc": dense(512, 1000)}


BY_HAND = {
    # LeCun et al. 1998, section II-B. C3: 60 kernels of 5 x 5 (6*3 + 9*4 + 1*6, Table I); S2 and
    # S4: four values times one coefficient plus one bias for each map; C5: 5 x 5 x 16 onto 1 x 1;
    # the output has distances to fixed codes.
    "lenet5": {
        "C1": conv(5, 1, 6, 28),
        "S2": (4 * 6 * 14**2, 2 * 6),
        "C3": (25 * 60 * 10**2, 25 * 60 + 16),
        "S4": (4 * 16 * 5**2, 2 * 16),
        "C5": conv(5, 16, 120, 1),
        "F6": dense(120, 84),
        "output": (84 * 10, 0),
    },
    # Krizhevsky et al. 2012: kernels of conv2, conv4 and conv5 read the maps of their own column
    # only
    "alexnet": {
        "conv1": conv(11, 3, 96, 55),
        "conv2": conv(5, 48, 256, 27),
        "conv3": conv(3, 256, 384, 13),
        "conv4": conv(3, 192, 384, 13),
        "conv5": conv(3, 192, 256, 13),
        "fc6": dense(6 * 6 * 256, 4096),
        "fc7": dense(4096, 4096),
        "fc8": dense(4096, 1000),
    },
    # Krizhevsky 2014 as in torchvision: 64, 192, 384, 256, 256 maps
    "alexnet_one_column": {
        "conv1": conv(11, 3, 64, 55),
        "conv2": conv(5, 64, 192, 27),
        "conv3": conv(3, 192, 384, 13),
        "conv4": conv(3, 384, 256, 13),
        "conv5": conv(3, 256, 256, 13),
        "fc6": dense(6 * 6 * 256, 4096),
        "fc7": dense(4096, 4096),
        "fc8": dense(4096, 1000),
    },
    "vgg13": vgg((2, 2, 2, 2, 2)),
    "vgg16": vgg((2, 2, 3, 3, 3)),
    # Lin et al. 2014 with the sizes of the authors' model for CIFAR-10: pools of 3 with stride 2
    # keep 16 and 8
    "nin": {
        "conv1": conv(5, 3, 192, 32),
        "cccp1": conv(1, 192, 160, 32),
        "cccp2": conv(1, 160, 96, 32),
        "conv2": conv(5, 96, 192, 16),
        "cccp3": conv(1, 192, 192, 16),
        "cccp4": conv(1, 192, 192, 16),
        "conv3": conv(3, 192, 192, 8),
        "cccp5": conv(1, 192, 192, 8),
        "cccp6": conv(1, 192, 10, 8),
    },
    # Redmon and Farhadi 2017: 416 halved five times; 5 anchors of 20 classes, 4 numbers of a box
    # and 1 of an object
    "tiny_yolov2": {
        "conv1": conv(3, 3, 16, 416, own=2),
        "conv2": conv(3, 16, 32, 208, own=2),
        "conv3": conv(3, 32, 64, 104, own=2),
        "conv4": conv(3, 64, 128, 52, own=2),
        "conv5": conv(3, 128, 256, 26, own=2),
        "conv6": conv(3, 256, 512, 13, own=2),
        "conv7": conv(3, 512, 1024, 13, own=2),
        "conv8": conv(3, 1024, 1024, 13, own=2),
        "conv9": conv(1, 1024, 5 * (20 + 4 + 1), 13),
    },
    "resnet18": resnet18(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_has_the_macs_and_parameters_counted_by_hand(name: str) -> None:
    weighted = {
        layer.name: (layer.macs, layer.parameters)
        for layer in NETWORKS[name](32).layers
        if layer.macs
    }
    assert weighted == BY_HAND[name]
    assert all(layer.parameters == 0 for layer in NETWORKS[name](32).layers if not layer.macs)


# Trained parameters as others publish them, in all digits. Each is the sum of the layers above, so
# two countings agree.
PARAMETERS = {
    # LeCun et al. 1998: C1 156, S2 12, C3 1,516, S4 32, C5 48,120, F6 10,164
    "lenet5": 156 + 12 + 1_516 + 32 + 48_120 + 10_164,
    # Caffe's bvlc_alexnet, which has the two columns as groups
    "alexnet": 60_965_224,
    # torchvision, `num_params` of the pretrained weights
    "alexnet_one_column": 61_100_840,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "resnet18": 11_689_512,
    # no published count in all digits, only "about 1 million" (Springenberg et al. 2015). 75*192 =
    # 14,400, 192*160 = 30,720, 160*96 = 15,360, 2400*192 = 460,800, 192*192 = 36,864, 1728*192 =
    # 331,776, 192*10 = 1,920; each has biases
    "nin": 14_592 + 30_880 + 15_456 + 460_992 + 3 * 37_056 + 331_968 + 1_930,
    # the published weights have 63,471,556 bytes: four words of header, then four bytes for each
    # number, among them the running mean and variance of 3056 normalised channels (16 + 32 + ... +
    # 512 + 2*1024), which are not trained
    "tiny_yolov2": 63_471_556 // 4 - 4 - 2 * 3056,
}

# MACs: the published figure and half of its last digit.
MACS = {
    # Sze, Chen, Yang and Emer 2017, Table II
    "alexnet": (724e6, 0.5e6),
    "vgg16": (15.5e9, 0.05e9),
    # torchvision, `GFLOPS` of the pretrained weights, which count a multiplication with its
    # addition once
    "alexnet_one_column": (0.71e9, 0.005e9),
    "vgg13": (11.31e9, 0.005e9),
    "resnet18": (1.81e9, 0.005e9),
    # the table of the authors' page: 6.97 Bn operations, two for each MAC
    "tiny_yolov2": (6.97e9 / 2, 0.005e9 / 2),
    # no published count for the network of CIFAR-10: positions times weights of each convolution
    "nin": (
        1024 * (75 * 192 + 192 * 160 + 160 * 96)
        + 256 * (2400 * 192 + 2 * 192**2)
        + 64 * (1728 * 192 + 192**2 + 1920),
        0,
    ),
    # LeCun et al. 1998: connections without the biases, see the test of connections below
    "lenet5": (340_908 - 8_084, 0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_those_of_the_literature(name: str) -> None:
    assert NETWORKS[name](32).parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_macs_are_those_of_the_literature(name: str) -> None:
    published, rounding = MACS[name]
    assert abs(NETWORKS[name](32).macs - published) <= rounding


def test_variants_of_lenet_and_alexnet_have_their_own_published_counts() -> None:
    # LeNet-5 as libraries have it: C3 reads all 6 maps (2,416 instead of 1,516), plain pools (none
    # instead of 44), a dense output (850 instead of none): 60,000 + 900 - 44 + 850 = 61,706
    net = NetworkBuilder("lenet5", (1, 32, 32))
    for name, maps in (("C1", 6), ("C3", 16)):
        net.convolution(name, maps, 5)
        net.pool(f"pool {name}", "avgpool", 2, 2)
    net.convolution("C5", 120, 5)
    net.dense("F6", 84)
    net.dense("output", 10)
    assert net.table().parameters == 61_706
    # AlexNet of 2012 without groups: conv2, conv4 and conv5 read all maps, twice the weights of
    # each: 60,965,224 + 307,200 + 663,552 + 442,368 = 62,378,344
    grouped = {name: BY_HAND["alexnet"][name][1] for name in ("conv2", "conv4", "conv5")}
    assert grouped == {"conv2": 307_200 + 256, "conv4": 663_552 + 384, "conv5": 442_368 + 256}
    net = NetworkBuilder("alexnet", (3, 227, 227))
    net.convolution("conv1", 96, 11, 4)
    net.pool("pool1", "maxpool", 3, 2)
    net.convolution("conv2", 256, 5, padding=2)
    net.pool("pool2", "maxpool", 3, 2)
    for name, maps in (("conv3", 384), ("conv4", 384), ("conv5", 256)):
        net.convolution(name, maps, 3, padding=1)
    net.pool("pool5", "maxpool", 3, 2)
    for name, features in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        net.dense(name, features)
    assert net.table().parameters == 62_378_344


def test_alexnet_splits_its_macs_as_the_survey_says() -> None:
    # Sze et al. 2017, Table II: 666 M in convolutions, 58.6 M in dense layers
    layers = NETWORKS["alexnet"](32).layers
    assert sum(layer.macs for layer in layers if layer.kind == "conv") == pytest.approx(
        666e6, abs=0.5e6
    )
    assert sum(layer.macs for layer in layers if layer.kind == "dense") == pytest.approx(
        58.6e6, abs=0.05e6
    )


def test_lenet_has_the_connections_its_authors_count() -> None:
    # LeCun et al. 1998 count 340,908 connections: every MAC, and the bias of every unit but the ten
    # of the output
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
    shapes = {
        "lenet5": (1, 32, 32),
        "alexnet": (3, 227, 227),
        "nin": (3, 32, 32),
        "tiny_yolov2": (3, 416, 416),
    }
    inputs = [layer.input for layer in NETWORKS[name](32).layers]
    assert inputs == [32 * prod(shapes.get(name, (3, 224, 224)))] + [0] * (len(inputs) - 1)


def test_shipped_files_are_those_the_code_writes(tmp_path: Path) -> None:
    written = write_tables(tmp_path)
    # those of small images and those with delays have writers of their own
    others = {"noma_networks.csv", *(path.name for path in DATA.glob("game_*.csv"))}
    assert {path.name for path in written} == {path.name for path in DATA.glob("*.csv")} - others
    for path in written:
        assert path.read_bytes() == (DATA / path.name).read_bytes(), (
            "run `python -m mecdsl.networks.architectures`"
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_table_read_back_is_the_network(name: str) -> None:
    table = NETWORKS[name](32)
    found = read_layer_file(DATA / f"{name}.csv")
    assert found.columns["macs"].value == [layer.macs for layer in table.layers]
    assert found.columns["flops"].value == [FLOP_PER_MAC * layer.macs for layer in table.layers]
    assert found.columns["output"].value == [layer.output for layer in table.layers]
    assert found.before == (None if table.is_chain else table.before)
    assert {column: found.unit(column) for column in found.columns} == {
        "macs": "mac",
        "flops": "flop",
        "parameters": "1",
        "input": "bit",
        "output": "bit",
    }


def test_shapes_that_do_not_fit_are_refused() -> None:
    net = NetworkBuilder("wrong", (3, 8, 8))
    with pytest.raises(ValueError, match="groups"):
        net.convolution("conv", 4, 3, groups=2)
    first = net.convolution("a", 4, 3, padding=1)
    second = net.convolution("b", 4, 3)
    with pytest.raises(ValueError, match="differ"):
        net.add("sum", first, second)
