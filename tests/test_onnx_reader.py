"""ONNX files as layer tables: networks that the `onnx` package ships, and small ones made here."""

import sys
from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from mecdsl.diagnostics import ModelError
from mecdsl.networks.layer_table import LayerTable
from mecdsl.networks.onnx_reader import read_onnx

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

# Parameters exactly, MACs to the published digits.
SHIPPED = {
    # torchvision's documentation: 143,667,240 and 19.63 G; 25,557,032 and 4.09 G; 1,235,496 and
    # 0.35 G (version 1.1)
    "light_vgg19": (143_667_240, 19.63e9, 0.005e9),
    "light_resnet50": (25_557_032, 4.09e9, 0.005e9),
    "light_squeezenet": (1_235_496, 0.35e9, 0.005e9),
    # torchvision has 7,978,856 and 2.83 G; this file comes from Caffe, whose normalisation has a
    # scale and a shift of its own before the trained ones: two more for each of the 41,824
    # normalised channels
    "light_densenet121": (7_978_856 + 2 * 41_824, 2.83e9, 0.005e9),
    # GoogLeNet: 1.43 G in Table II of Sze et al. 2017; 6,998,552 in Caffe's bvlc_googlenet
    "light_inception_v1": (6_998_552, 1.43e9, 0.005e9),
    # AlexNet with groups, here on 224 x 224: outputs of 54^2, 26^2 and three of 12^2 positions
    "light_bvlc_alexnet": (
        60_965_224,
        54**2 * 96 * 363
        + 26**2 * 256 * 1200
        + 12**2 * (384 * 2304 + 384 * 1728 + 256 * 1728)
        + 9216 * 4096
        + 4096**2
        + 4096 * 1000,
        0.5,
    ),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_networks_have_their_published_size(name: str) -> None:
    table = read_onnx(LIGHT / f"{name}.onnx")
    parameters, macs, rounding = SHIPPED[name]
    assert table.parameters == parameters
    assert abs(table.macs - macs) <= rounding
    assert table.layers[0].input == 32 * 3 * 224 * 224


def test_all_shipped_networks_are_read() -> None:
    files = sorted(LIGHT.glob("*.onnx"))
    assert len(files) >= 9
    for file in files:
        table = read_onnx(file)
        assert table.layers[-1].output in (32 * 1000, 32 * 1024), file.name  # classes of ImageNet
        assert all(
            read < index for index, layer in enumerate(table.layers, 1) for read in layer.before
        )


def test_branches_become_predecessors() -> None:
    table = read_onnx(LIGHT / "light_resnet50.onnx")
    sums = [layer for layer in table.layers if layer.kind == "Sum"]
    assert len(sums) == 16  # 3 + 4 + 6 + 3 blocks
    assert all(len(layer.before) == 2 for layer in sums)
    assert read_onnx(LIGHT / "light_vgg19.onnx").is_chain


def value(
    name: str, shape: Sequence[int | str | None], kind: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def weight(name: str, *shape: int, kind: int = TensorProto.FLOAT) -> onnx.TensorProto:
    size = 1
    for side in shape:
        size *= side
    return helper.make_tensor(name, kind, shape, [0] * size)


def read(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[str],
    weights: Sequence[onnx.TensorProto] = (),
    bits: int = 32,
    functions: Sequence[onnx.FunctionProto] = (),
) -> LayerTable:
    """The table of a network made of these parts."""
    graph = helper.make_graph(
        nodes, "g", inputs, [value(name, None or ()) for name in outputs], weights
    )
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    model = helper.make_model(graph, opset_imports=imports, functions=functions)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return read_onnx(path, bits)


# One node, its inputs and weights, its MACs and parameters by hand.
OPERATORS = {
    # 6 maps of 4 x 4 from 2 of 4 channels each, 3 x 3 kernels
    "grouped convolution": (
        helper.make_node("Conv", ["x", "w", "b"], ["y"], group=2, pads=[1, 1, 1, 1]),
        (1, 4, 4, 4),
        (weight("w", 6, 2, 3, 3), weight("b", 6)),
        6 * 16 * 2 * 9,
        6 * 2 * 9 + 6,
    ),
    # every one of 4 * 4 * 4 inputs is spread over 3 maps of 2 x 2
    "transposed convolution": (
        helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2]),
        (1, 4, 4, 4),
        (weight("w", 4, 3, 2, 2),),
        64 * 3 * 4,
        4 * 3 * 4,
    ),
    "dense": (
        helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1),
        (1, 8),
        (weight("w", 5, 8), weight("b", 5)),
        40,
        45,
    ),
    # x is 8 x 2 and read as 2 x 8
    "transposed dense": (
        helper.make_node("Gemm", ["x", "w"], ["y"], transA=1),
        (8, 2),
        (weight("w", 8, 5),),
        2 * 8 * 5,
        40,
    ),
    # 1 * 3 products of 4 x 8 with 8 x 5
    "matrix product": (
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        (1, 3, 4, 8),
        (weight("w", 8, 5),),
        480,
        40,
    ),
    # of scale, shift, mean and variance the first two are trained
    "batch normalisation": (
        helper.make_node("BatchNormalization", ["x", "s", "t", "m", "v"], ["y"]),
        (1, 6, 2, 2),
        tuple(weight(name, 6) for name in "stmv"),
        0,
        12,
    ),
    "activation": (helper.make_node("Relu", ["x"], ["y"]), (1, 6), (), 0, 0),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_macs_and_parameters_of_operators(name: str, tmp_path: Path) -> None:
    node, shape, weights, macs, parameters = OPERATORS[name]
    (layer,) = read(tmp_path, [node], [value("x", shape)], ["y"], weights).layers
    assert (layer.macs, layer.parameters, layer.kind) == (macs, parameters, node.op_type)


def test_bits_scale_inputs_and_outputs(tmp_path: Path) -> None:
    node = helper.make_node("Gemm", ["x", "w"], ["y"])
    (layer,) = read(
        tmp_path, [node], [value("x", (1, 8))], ["y"], [weight("w", 8, 5)], bits=16
    ).layers
    assert (layer.input, layer.output) == (16 * 8, 16 * 5)


def test_an_open_batch_is_one(tmp_path: Path) -> None:
    node = helper.make_node("Gemm", ["x", "w"], ["y"])
    (layer,) = read(tmp_path, [node], [value("x", ("batch", 8))], ["y"], [weight("w", 8, 5)]).layers
    assert layer.macs == 40


def test_what_depends_on_shapes_alone_is_no_layer(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Gather", ["size", "zero"], ["batch"]),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["y"]),
    ]
    weights = [
        weight("zero", 1, kind=TensorProto.INT64),
        helper.make_tensor("rest", TensorProto.INT64, [1], [8]),
        weight("w", 8, 5),
    ]
    table = read(tmp_path, nodes, [value("x", (1, 2, 2, 2))], ["y"], weights)
    assert [layer.kind for layer in table.layers] == ["Reshape", "Gemm"]
    assert table.parameters == 40  # the integers are no parameters
    assert table.is_chain


def test_shared_weights_count_once_and_computed_weights_count(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["w"], ["turned"]),
        helper.make_node("MatMul", ["x", "turned"], ["first"]),
        helper.make_node("MatMul", ["first", "turned"], ["y"]),
    ]
    table = read(tmp_path, nodes, [value("x", (1, 4))], ["y"], [weight("w", 4, 4)])
    assert [layer.parameters for layer in table.layers] == [16, 0]


def test_only_outputs_that_are_read_count(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], axis=1),
        helper.make_node("Relu", ["a"], ["c"]),
        helper.make_node("Relu", ["b"], ["d"]),
        helper.make_node("Add", ["c", "d"], ["e"]),
        helper.make_node("Dropout", ["e"], ["y", "mask"]),
    ]
    table = read(tmp_path, nodes, [value("x", (1, 8))], ["y"], bits=1)
    assert [layer.output for layer in table.layers] == [8, 4, 4, 4, 4]
    assert [layer.before for layer in table.layers] == [(), (1,), (1,), (2, 3), (4,)]


def test_functions_of_the_file_are_put_in(tmp_path: Path) -> None:
    body = [helper.make_node("MatMul", ["a", "b"], ["p"]), helper.make_node("Relu", ["p"], ["c"])]
    function = helper.make_function(
        "mine", "Dense", ["a", "b"], ["c"], body, [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Dense", ["x", "w"], ["y"], domain="mine")
    table = read(
        tmp_path, [node], [value("x", (1, 8))], ["y"], [weight("w", 8, 5)], functions=[function]
    )
    assert [(layer.kind, layer.macs) for layer in table.layers] == [("MatMul", 40), ("Relu", 0)]


def fault(*arguments: object, **options: object) -> str:
    with pytest.raises(ModelError) as caught:
        read(*arguments, **options)  # type: ignore[arg-type]
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E308"
    return diagnostic.message


def test_operators_of_unknown_cost_are_refused(tmp_path: Path) -> None:
    weights = [weight("w", 1, 12, 4), weight("r", 1, 12, 3)]
    lstm = helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=3)
    assert "`LSTM`" in fault(tmp_path, [lstm], [value("x", (5, 1, 4))], ["y"], weights)
    own = helper.make_node("Magic", ["x"], ["y"], domain="mine")
    assert "`mine.Magic`" in fault(tmp_path, [own], [value("x", (1, 4))], ["y"])


def test_unknown_shapes_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    assert "shape of `x`" in fault(tmp_path, [node], [value("x", (1, "width"))], ["y"])


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    assert "do not fit" in fault(tmp_path, [node], [value("x", (1, 7))], ["y"], [weight("w", 8, 5)])


def test_values_from_nowhere_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["late"], ["y"]), helper.make_node("Relu", ["x"], ["late"])]
    assert "`late`" in fault(tmp_path, nodes, [value("x", (1, 4))], ["y"])


@pytest.mark.parametrize("content", [b"", b"\x89PNG not a network"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_onnx(path)
    assert caught.value.diagnostics[0].code == "E308"


def test_without_the_package_the_fix_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "onnx.inliner", raising=False)
    with pytest.raises(ModelError) as caught:
        read_onnx(tmp_path / "net.onnx")
    assert caught.value.diagnostics[0].help == "install it with `pip install mecdsl[onnx]`"
