"""The layers of a neural network as a table: what each computes, holds and hands on.

One multiplication with its addition is one MAC and counts as two FLOP. Only layers that multiply by
weights have MACs; pooling, activation, normalisation, additions and moving data count none, as the
literature's totals do.
"""

import csv
import io
from dataclasses import dataclass

FLOP_PER_MAC = 2
BITS_PER_VALUE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a layer reads for each of its output values, a square image of them for each channel.

    `output_side`: of that image, G of a convolution. `taps`: places that one output value reads of
    one input channel, K^2 of a convolution; of a normalisation over channels, their number. Groups
    of channels are not counted: every map reads all input channels.
    """

    output_side: int
    taps: int
    input_channels: int
    output_channels: int

    @property
    def outputs(self) -> int:
        """The number of output values."""
        return self.output_side**2 * self.output_channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer. `macs` for one inference; `input` [bit]: what it reads of the network's own input;
    `output` [bit].

    `before`: the numbers, from 1, of the layers whose output it reads, in ascending order.
    `window`: None where it is not known, or where the layer slides no square window.
    """

    name: str
    kind: str
    macs: int
    parameters: int
    input: int
    output: int
    before: tuple[int, ...]
    window: Window | None = None

    @property
    def flops(self) -> int:
        """Two for each MAC."""
        return FLOP_PER_MAC * self.macs


@dataclass(frozen=True, slots=True)
class LayerTable:
    """The layers of a network in an order in which each comes after those it reads.

    Outputs and inputs are counted with `bits` for each value.
    """

    name: str
    layers: tuple[Layer, ...]
    bits: int = BITS_PER_VALUE

    @property
    def macs(self) -> int:
        """MACs of the whole network."""
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Trained parameters of the whole network."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def before(self) -> tuple[tuple[int, ...], ...]:
        """The predecessors of each layer."""
        return tuple(layer.before for layer in self.layers)

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads the one before it and nothing else."""
        return is_chain(self.before)

    def to_csv(self) -> str:
        """The table as CSV; a column `after` names the predecessors unless the network is a chain.

        >>> layer = Layer(
        ...     name="fc", kind="dense", macs=6, parameters=8, input=64, output=96, before=()
        ... )
        >>> print(LayerTable("tiny", (layer,)).to_csv(), end="")
        index,name,kind,macs [mac],flops [flop],parameters,input [bit],output [bit]
        1,fc,dense,6,12,8,64,96
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        header = [
            "index",
            "name",
            "kind",
            "macs [mac]",
            "flops [flop]",
            "parameters",
            "input [bit]",
            "output [bit]",
        ]
        chain = self.is_chain
        writer.writerow(header if chain else [*header, "after"])
        for index, layer in enumerate(self.layers, 1):
            row = [
                index,
                layer.name,
                layer.kind,
                layer.macs,
                layer.flops,
                layer.parameters,
                layer.input,
                layer.output,
            ]
            writer.writerow(row if chain else [*row, " ".join(map(str, layer.before))])
        return text.getvalue()


def is_chain(before: tuple[tuple[int, ...], ...]) -> bool:
    """Whether each layer reads the one before it and nothing else."""
    return all(read == ((index - 1,) if index > 1 else ()) for index, read in enumerate(before, 1))
