"""The chains of three networks over 32 x 32 images that `noma.mec` splits.

`python -m mecdsl.networks.small_images` writes `models/data/noma_networks.csv` anew. The paper of
the model gives 9, 17 and 24 layers and no table, so these are counted as its text can be read: 2
FLOP for each MAC, a pool k^2 for each output value, a dropout 1 and the boxes of a detector 5 for
each value, a softmax 5 for each class, a mean over an image 1 for each value; 32 bit for each
value that is handed on.
"""

from dataclasses import dataclass, field
from importlib import resources
from math import ceil
from pathlib import Path

BITS_PER_VALUE = 32
IMAGE = (32, 3)  # width and channels


@dataclass(slots=True)
class Chain:
    """Layers one after the other: FLOP of each, and values that it hands on."""

    width: int = IMAGE[0]
    channels: int = IMAGE[1]
    work: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def layer(self, work: int) -> None:
        """A layer of that work, which hands on what is there now."""
        self.work.append(work)
        self.values.append(self.width**2 * self.channels)

    def also(self, work: int) -> None:
        """Work of the last layer beside its own, after which it hands on what is there now."""
        self.work[-1] += work
        self.values[-1] = self.width**2 * self.channels

    def convolution(self, kernel: int, channels: int) -> None:
        """One that keeps the width."""
        macs = self.width**2 * channels * kernel**2 * self.channels
        self.channels = channels
        self.layer(2 * macs)

    def pooled(self, kernel: int, step: int) -> int:
        """Make the image smaller; the work of that."""
        self.width = ceil(self.width / step)
        return kernel**2 * self.width**2 * self.channels

    def dense(self, outputs: int) -> None:
        """All values to some outputs."""
        macs = self.values[-1] * outputs
        self.width, self.channels = 1, outputs
        self.layer(2 * macs)


def nin() -> Chain:
    """Network in network, Lin, Chen and Yan 2014; pools belong to the layer before them."""
    net = Chain()
    for kernel, channels in ((5, 192), (1, 160), (1, 96)):
        net.convolution(kernel, channels)
    net.also(net.pooled(3, 2))
    for kernel, channels in ((5, 192), (1, 192), (1, 192)):
        net.convolution(kernel, channels)
    net.also(net.pooled(3, 2))
    for kernel, channels in ((3, 192), (1, 192), (1, 10)):
        net.convolution(kernel, channels)
    mean = net.width**2 * net.channels
    net.width = 1
    net.also(mean)
    return net


def tiny_yolov2() -> Chain:
    """Tiny YOLOv2, Redmon and Farhadi 2017."""
    net = Chain()
    for channels in (16, 32, 64, 128, 256):
        net.convolution(3, channels)
        net.layer(net.pooled(2, 2))
    net.convolution(3, 512)
    net.layer(net.pooled(2, 1))
    for kernel, channels in ((3, 1024), (3, 1024), (1, 125)):
        net.convolution(kernel, channels)
    for _ in ("region", "decode"):
        net.layer(5 * net.values[-1])
    return net


def vgg16() -> Chain:
    """Configuration D of Simonyan and Zisserman 2015, for ten classes."""
    net = Chain()
    for depth, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(depth):
            net.convolution(3, channels)
        net.layer(net.pooled(2, 2))
    net.layer(0)  # flatten
    for _ in range(2):
        net.dense(4096)
        net.layer(net.values[-1])  # dropout
    net.dense(10)
    net.also(5 * 10)
    return net


CHAINS = {chain.__name__: chain for chain in (nin, tiny_yolov2, vgg16)}


def table() -> str:
    """The table of all chains, padded at their ends to one length by layers without work."""
    chains = {name: chain() for name, chain in CHAINS.items()}
    longest = max(len(chain.work) for chain in chains.values())
    lines = ["k,l,listed_work [flop],listed_size [bit]"]
    for name, chain in chains.items():
        padding = longest - len(chain.work)
        work = [*chain.work, *[0] * padding]
        values = [*chain.values, *[chain.values[-1]] * padding]
        lines += [
            f"{name},{layer},{flop},{BITS_PER_VALUE * count}"
            for layer, (flop, count) in enumerate(zip(work, values, strict=True), 1)
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    path = Path(str(resources.files("mecdsl.models").joinpath("data", "noma_networks.csv")))
    path.write_text(table(), encoding="utf-8", newline="\n")
    print(path)
