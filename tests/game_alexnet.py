"""AlexNet as the `game` models have it, from the delay model (6), (7) of the paper, by plain loops."""

from collections.abc import Iterator
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent / "models" / "data" / "game_alexnet.csv"

# name, kind, side of the output, side of the kernel, channels in, channels out; the 21 layers of
# Caffe's deploy text for an input of 227 x 227 x 3, without its data and dropout
LAYERS = (
    ("conv1", "conv", 55, 11, 3, 96),
    ("relu1", "relu", 55, 1, 96, 96),
    ("norm1", "lrn", 55, 5, 96, 96),
    ("pool1", "pool", 27, 3, 96, 96),
    ("conv2", "conv", 27, 5, 96, 256),
    ("relu2", "relu", 27, 1, 256, 256),
    ("norm2", "lrn", 27, 5, 256, 256),
    ("pool2", "pool", 13, 3, 256, 256),
    ("conv3", "conv", 13, 3, 256, 384),
    ("relu3", "relu", 13, 1, 384, 384),
    ("conv4", "conv", 13, 3, 384, 384),
    ("relu4", "relu", 13, 1, 384, 384),
    ("conv5", "conv", 13, 3, 384, 256),
    ("relu5", "relu", 13, 1, 256, 256),
    ("pool5", "pool", 6, 3, 256, 256),
    ("fc6", "conv", 1, 6, 256, 4096),
    ("relu6", "relu", 1, 1, 4096, 4096),
    ("fc7", "conv", 1, 1, 4096, 4096),
    ("relu7", "relu", 1, 1, 4096, 4096),
    ("fc8", "conv", 1, 1, 4096, 1000),
    ("prob", "softmax", 1, 1, 1000, 1000),
)


def milliseconds(kind: str, side: int, kernel: int, read: int, made: int) -> tuple[float, float]:
    """Delay of a layer on the device and at the server; the paper's O is `read`, its I `made`.

    What is no convolution takes the middle term alone, over its outputs and the values it reads for
    each of them: an assumption, the paper has none.
    """
    area, taps = side * side, kernel * kernel
    if kind != "conv":
        taps = kernel if kind == "lrn" else taps  # five channels side by side
        return 2.6e-5 * area * taps * made, 7.4e-7 * area * taps * made
    products = area * taps * read * made
    return (
        1e-5 * (0.3 * products + 2.6 * area * taps * made + 4.8 * area * read),
        1e-7 * (3.0 * products + 7.4 * area * taps * made + 25.8 * area * read),
    )


def rows() -> Iterator[tuple[int, float, float, int]]:
    """Number, both delays in ms and the bits handed on, 32 for each value."""
    for number, (_, kind, side, kernel, read, made) in enumerate(LAYERS, 1):
        local, server = milliseconds(kind, side, kernel, read, made)
        yield number, local, server, 32 * side * side * made
