"""An ONNX file as a layer table: one layer for each node that depends on the network's input.

Shapes come from the shape inference of the package `onnx`, which is an optional extra. A first
dimension without a number is the batch and taken as 1. What depends on weights or shapes alone is
no layer; weights count where they are first read, and of a batch normalisation only the trained
scale and shift.
"""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from mecdsl.diagnostics import Diagnostic, ModelError, Span
from mecdsl.networks.layer_table import BITS_PER_VALUE, Layer, LayerTable

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

# Operators whose MACs need more than the shapes at hand, or that hold whole graphs: refused, never
# counted as 0.
UNCOUNTED = frozenset(
    (
        "Attention DeformConv Einsum GRU If LSTM LinearAttention Loop RNN Scan SequenceMap "
        "STFT DFT RotaryEmbedding"
    ).split()
)
NO_PARAMETERS = frozenset(
    "Clip Dropout Expand Gather OneHot Pad Range Resize Slice Tile TopK Upsample Where".split()
)
TRAINED_INPUTS = {"BatchNormalization": (1, 2)}  # the running mean and variance are not trained
SHAPE_ONLY = frozenset(("Shape", "Size"))
STANDARD = ("", "ai.onnx")


def read_onnx(path: Path, bits: int = BITS_PER_VALUE, span: Span | None = None) -> LayerTable:
    """The layers of an ONNX file, outputs counted with `bits` for each value.

    `span`: where the model names the file. Raises `ModelError` if the package is absent, the file
    is no ONNX, a shape is not known, or the MACs of an operator are not.
    """
    model = _load(path, span)
    return LayerTable(
        path.stem, _Reader(graph=model.graph, file=path.name, bits=bits, span=span).layers(), bits
    )


def _load(path: Path, span: Span | None) -> "ModelProto":
    """The file with its functions put in and its shapes inferred."""
    try:
        import onnx.inliner
        import onnx.shape_inference
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError:
        message = f"`{path.name}` is read with the package `onnx`, which is not installed"
        fix = "install it with `pip install mecdsl[onnx]`"
        raise ModelError([Diagnostic("E308", message, span, help=fix)]) from None
    try:
        model = onnx.load(path, load_external_data=False)  # weights beside the file are not needed
    except DecodeError:
        raise ModelError([Diagnostic("E308", f"`{path.name}` is no ONNX file", span)]) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(
            [Diagnostic("E308", f"`{path.name}` cannot be read: {reason}", span)]
        ) from None
    if not model.graph.node:
        raise ModelError([Diagnostic("E308", f"`{path.name}` holds no network", span)])
    for given in _inputs(model.graph):
        dimensions = given.type.tensor_type.shape.dim
        if dimensions and not dimensions[0].HasField("dim_value"):
            dimensions[0].dim_value = 1
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    _require_order(model.graph, path.name, span)
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        message = f"the shapes in `{path.name}` do not fit together"
        raise ModelError(
            [Diagnostic("E308", message, span, note=" ".join(str(error).split()))]
        ) from None


def _require_order(graph: "GraphProto", file: str, span: Span | None) -> None:
    """Nodes stand after what they read; a value from nowhere would otherwise pass for a weight."""
    made = {
        "",
        *(given.name for given in graph.input),
        *(tensor.name for tensor in graph.initializer),
    }
    made.update(tensor.values.name for tensor in graph.sparse_initializer)
    for node in graph.node:
        for name in node.input:
            if name not in made:
                message = f"`{name}` in `{file}` is read before any node makes it"
                raise ModelError([Diagnostic("E308", message, span)])
        made.update(node.output)


def _inputs(graph: "GraphProto") -> "list[ValueInfoProto]":
    """The inputs of the network; old files list weights among them."""
    weights = {tensor.name for tensor in graph.initializer}
    return [given for given in graph.input if given.name not in weights]


@dataclass(slots=True, kw_only=True)
class _Reader:
    graph: "GraphProto"
    file: str
    bits: int
    span: Span | None
    shapes: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    floats: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)

    def layers(self) -> tuple[Layer, ...]:
        """One layer for each node that depends on the input, in the order of the file, which is a
        valid one.
        """
        self._shapes()
        inputs = {given.name for given in _inputs(self.graph)}
        made_by: dict[str, int] = {}
        counted: set[str] = set()
        layers: list[Layer] = []
        names: set[str] = set()
        for node in self.graph.node:
            data = [name for name in node.input if name in inputs or name in made_by]
            if not data or node.op_type in SHAPE_ONLY:
                continue  # a weight, or a number known from the shapes
            self._refuse_uncounted(node)
            weights = [
                name for name in self._trained(node) if name not in inputs and name not in made_by
            ]
            parameters = sum(
                prod(self._shape(name, node)) for name in weights if name not in counted
            )
            counted.update(weights)
            layer = Layer(
                name=_free_name(node.name or node.output[0], names),
                kind=node.op_type,
                macs=self._macs(node),
                parameters=parameters,
                input=self.bits
                * sum(
                    prod(self._shape(name, node)) for name in dict.fromkeys(data) if name in inputs
                ),
                output=self.bits * sum(prod(self._shape(name, node)) for name in self._used(node)),
                before=tuple(sorted({made_by[name] for name in data if name in made_by})),
            )
            layers.append(layer)
            made_by.update(dict.fromkeys((name for name in node.output if name), len(layers)))
        return tuple(layers)

    def _shapes(self) -> None:
        """Shape of every value whose dimensions are all known, which values are floating point, and
        which are read.
        """
        import onnx

        self.read = {name for node in self.graph.node for name in node.input}
        self.read.update(given.name for given in self.graph.output)
        kinds = onnx.TensorProto
        floating = {kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE, kinds.BFLOAT16}
        for value in (*self.graph.input, *self.graph.value_info, *self.graph.output):
            type_ = value.type.tensor_type
            if type_.HasField("shape"):
                fixed = all(dimension.HasField("dim_value") for dimension in type_.shape.dim)
                self.shapes[value.name] = (
                    tuple(d.dim_value for d in type_.shape.dim) if fixed else None
                )
            if type_.elem_type in floating:
                self.floats.add(value.name)
        for tensor in self.graph.initializer:
            self.shapes[tensor.name] = tuple(tensor.dims)
            if tensor.data_type in floating:
                self.floats.add(tensor.name)

    def _shape(self, name: str, node: "NodeProto") -> tuple[int, ...]:
        shape = self.shapes.get(name)
        if shape is None:
            message = (
                f"the shape of `{name}` at `{node.name or node.op_type}` in "
                f"`{self.file}` is not known"
            )
            fix = (
                "export the network with fixed sizes; only the first dimension of an input "
                "may be left open"
            )
            raise ModelError([Diagnostic("E308", message, self.span, help=fix)])
        return shape

    def _refuse_uncounted(self, node: "NodeProto") -> None:
        if node.op_type not in UNCOUNTED and node.domain in STANDARD:
            return
        operator = f"{node.domain}.{node.op_type}" if node.domain not in STANDARD else node.op_type
        message = f"how many MACs `{operator}` in `{self.file}` takes is not known"
        fix = "write its row by hand: start from the table of the rest"
        raise ModelError(
            [Diagnostic("E308", message, self.span, note=f"at node `{node.name}`", help=fix)]
        )

    def _trained(self, node: "NodeProto") -> list[str]:
        """The floating-point inputs of a node that are trained if they do not depend on the
        network's input.
        """
        if node.op_type in NO_PARAMETERS:
            return []
        chosen = TRAINED_INPUTS.get(node.op_type, tuple(range(len(node.input))))
        return [
            node.input[i] for i in chosen if i < len(node.input) and node.input[i] in self.floats
        ]

    def _used(self, node: "NodeProto") -> list[str]:
        """The outputs of a node somebody reads; a mask of a dropout, say, mostly goes nowhere."""
        return [name for name in node.output if name in self.read]

    def _macs(self, node: "NodeProto") -> int:
        """MACs of a node: outputs times the products that each of them sums."""
        match node.op_type:
            case "Conv" | "ConvInteger":
                # weights are [out, in/groups, kernel...]
                return prod(self._shape(node.output[0], node)) * prod(
                    self._shape(node.input[1], node)[1:]
                )
            case "QLinearConv":
                return prod(self._shape(node.output[0], node)) * prod(
                    self._shape(node.input[3], node)[1:]
                )
            case "ConvTranspose":
                # weights are [in, out/groups, kernel...]: each input value is spread over them
                return prod(self._shape(node.input[0], node)) * prod(
                    self._shape(node.input[1], node)[1:]
                )
            case "Gemm":
                transposed = any(a.name == "transA" and a.i for a in node.attribute)
                inner = self._shape(node.input[0], node)[0 if transposed else 1]
                return prod(self._shape(node.output[0], node)) * inner
            case "MatMul" | "MatMulInteger" | "QLinearMatMul":
                return (
                    prod(self._shape(node.output[0], node)) * self._shape(node.input[0], node)[-1]
                )
            case _:
                return 0


def _free_name(name: str, taken: set[str]) -> str:
    """The name, numbered if another layer has it."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found)
    return found
