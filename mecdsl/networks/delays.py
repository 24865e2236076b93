"""How long the layers of a network take on a device: three terms of their sizes.

M. Gao, R. Shen, L. Shi, W. Qi, J. Li, Y. Li, "Task Partitioning and Offloading in DNN-Task Enabled
Mobile Edge Computing Networks", equations (6) and (7): a convolution with G x G outputs for each
channel, kernels of K x K, and channels O and I takes

    per_mac G^2 K^2 O I  +  per_tap G^2 K^2 I  +  per_position G^2 O

The text of the paper calls O the input and I the output channels. The code it describes copies
windows of the input (K^2 values of each input channel at every position) and adds a bias to each
output, which is the reverse; `swap_channels` reads it so. The paper fits convolutions only. What is
assumed for the rest: a fully connected layer is a convolution with G = 1 whose kernel has the size
of its input, and all else takes the middle term for the values that it reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from mecdsl.networks.layer_table import LayerTable

Floats = npt.NDArray[np.float64]

CONVOLUTIONS: Final = ("conv", "dense")  # all three terms
READERS: Final = ("relu", "lrn", "maxpool", "avgpool", "softmax")  # the middle term
COEFFICIENTS: Final = ("per_mac", "per_tap", "per_position")
TERMS: Final = ("G^2 K^2 O I", "G^2 K^2 I", "G^2 O")


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayCoefficients:
    """The coefficients of the three terms [s], none negative."""

    per_mac: float
    per_tap: float
    per_position: float

    def array(self) -> Floats:
        """The three in the order of the terms."""
        return np.array([self.per_mac, self.per_tap, self.per_position])


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The sizes of some layers, one number for each.

    `output_side`: G; `taps`: K^2, or how many values of one channel an output value reads;
    `convolves`: whether all input channels go into an output value, so that all three terms count.
    """

    output_side: Floats
    taps: Floats
    input_channels: Floats
    output_channels: Floats
    convolves: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, table: LayerTable) -> Self:
        """The sizes of the layers of a network. Raises `ValueError` where one has no window."""
        missing = [layer.name for layer in table.layers if layer.window is None]
        if missing:
            raise ValueError(f"no window is known of {', '.join(missing)}")
        windows = [layer.window for layer in table.layers if layer.window is not None]
        return cls(
            output_side=_floats(window.output_side for window in windows),
            taps=_floats(window.taps for window in windows),
            input_channels=_floats(window.input_channels for window in windows),
            output_channels=_floats(window.output_channels for window in windows),
            convolves=np.array([layer.kind in CONVOLUTIONS for layer in table.layers]),
        )


def _floats(numbers: Iterable[int]) -> Floats:
    return np.array(list(numbers), dtype=np.float64)


def delay_terms(windows: Windows, swap_channels: bool = False) -> Floats:
    """The three terms of each layer, one row for each; with them `layer_delays` multiplies.

    >>> conv = Windows(  # G = 2, K = 3, O = 4 input and I = 5 output channels
    ...     output_side=np.array([2.0]),
    ...     taps=np.array([9.0]),
    ...     input_channels=np.array([4.0]),
    ...     output_channels=np.array([5.0]),
    ...     convolves=np.array([True]),
    ... )
    >>> delay_terms(conv).tolist(), delay_terms(conv, swap_channels=True).tolist()
    ([[720.0, 180.0, 16.0]], [[720.0, 144.0, 20.0]])
    """
    literal = (windows.input_channels, windows.output_channels)
    O, I = reversed(literal) if swap_channels else literal  # noqa: E741  # as in (6)
    positions = windows.output_side**2
    taps = positions * windows.taps
    # what does not convolve reads `taps` values for each output, whichever channels are meant
    one = np.where(windows.convolves, I, windows.output_channels)
    return np.column_stack(
        (windows.convolves * taps * O * I, taps * one, windows.convolves * positions * O)
    )


def layer_delays(
    windows: Windows, coefficients: DelayCoefficients, swap_channels: bool = False
) -> Floats:
    """The time of each layer [s], (6) and (7).

    `swap_channels`: O are the output and I the input channels, not as the paper prints them.
    """
    return delay_terms(windows, swap_channels) @ coefficients.array()
