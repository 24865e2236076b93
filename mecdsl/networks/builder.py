"""Networks layer by layer with shape inference: MACs, parameters and outputs follow from the
architecture.

Activations, batch and response normalisation, and dropout belong to the layer before them: they
change no shape. The trained scale and shift of a batch normalisation are parameters of that layer.
Counted as Caffe's deploy files list them, activations, response normalisations and the softmax are
layers of their own, and pools keep a window that sticks out.
"""

from math import ceil, prod

from mecdsl.networks.layer_table import BITS_PER_VALUE, Layer, LayerTable, Window

NETWORK_INPUT = 0


class NetworkBuilder:
    """Collects layers; every method returns the number of the new layer, which later layers name as
    their source.

    Shapes are (channels, height, width) or (features,). `source` is the last layer if it is left
    out. `caffe`: count as Caffe's deploy files list the layers.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        bits: int = BITS_PER_VALUE,
        *,
        caffe: bool = False,
    ) -> None:
        self.name = name
        self.bits = bits
        self.caffe = caffe
        self.shapes = [shape]
        self.layers: list[Layer] = []

    def table(self) -> LayerTable:
        """The network so far."""
        return LayerTable(self.name, tuple(self.layers), self.bits)

    def convolution(
        self,
        name: str,
        channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        *,
        groups: int = 1,
        normalized: bool = False,
        kernels: int | None = None,
        source: int | None = None,
    ) -> int:
        """A convolution with `padding` on each side; `normalized`: batch normalisation in place of
        a bias.

        `kernels`: the number of two-dimensional kernels where not every map reads every channel.
        """
        depth, height, width = self._shape(source)
        if depth % groups or channels % groups:
            raise ValueError(
                f"{name}: {depth} and {channels} channels do not divide into {groups} groups"
            )
        shape = (
            channels,
            *((side + 2 * padding - kernel) // stride + 1 for side in (height, width)),
        )
        weights = (channels * depth // groups if kernels is None else kernels) * kernel**2
        own = 2 * channels if normalized else channels
        return self._add(
            name,
            "conv",
            weights * prod(shape[1:]),
            weights + own,
            shape,
            (source,),
            _window(shape, kernel**2, depth),
        )

    def dense(self, name: str, features: int, source: int | None = None) -> int:
        """A fully connected layer with bias."""
        read = self._shape(source)
        inputs = prod(read)
        return self._add(
            name,
            "dense",
            inputs * features,
            (inputs + 1) * features,
            (features,),
            (source,),
            _window((features,), prod(read[1:]), read[0]),
        )

    def pool(
        self,
        name: str,
        kind: str,
        kernel: int,
        stride: int,
        *,
        padding: int = 0,
        round_up: bool = False,
        source: int | None = None,
    ) -> int:
        """`maxpool` or `avgpool`; `padding` is the sum of both sides, `round_up` keeps a window
        that sticks out.
        """
        depth, height, width = self._shape(source)
        whole = ceil if round_up or self.caffe else int
        sides = (whole((side + padding - kernel) / stride) + 1 for side in (height, width))
        shape = (depth, *sides)
        return self._add(name, kind, 0, 0, shape, (source,), _window(shape, kernel**2, depth))

    def step(self, name: str, kind: str, taps: int = 1) -> int:
        """What changes no shape and reads `taps` values for each of its own: `relu`, `lrn`,
        `softmax`.

        A layer of its own only as Caffe counts; else the number returned is that of the layer
        before, which it belongs to.
        """
        if not self.caffe:
            return len(self.layers)
        shape = self._shape(None)
        return self._add(name, kind, 0, 0, shape, (None,), _window(shape, taps, shape[0]))

    def global_average(self, name: str) -> int:
        """The mean of each channel."""
        return self._add(name, "avgpool", 0, 0, (self._shape(None)[0],), (None,))

    def subsampling(self, name: str) -> int:
        """LeNet's pooling: four values times a trained coefficient plus a trained bias, one of each
        for a map.

        Each value counts as one connection, as LeCun et al. 1998 count them.
        """
        depth, height, width = self._shape(None)
        shape = (depth, height // 2, width // 2)
        return self._add(name, "subsampling", 4 * prod(shape), 2 * depth, shape, (None,))

    def radial(self, name: str, features: int) -> int:
        """LeNet's output: squared distances to fixed codes, nothing trained."""
        return self._add(
            name, "radial", prod(self._shape(None)) * features, 0, (features,), (None,)
        )

    def add(self, name: str, first: int, second: int) -> int:
        """The sum of two outputs of the same shape."""
        if self._shape(first) != self._shape(second):
            raise ValueError(
                f"{name}: shapes {self._shape(first)} and {self._shape(second)} differ"
            )
        return self._add(name, "add", 0, 0, self._shape(first), (first, second))

    def _shape(self, source: int | None) -> tuple[int, ...]:
        return self.shapes[-1 if source is None else source]

    def _add(
        self,
        name: str,
        kind: str,
        macs: int,
        parameters: int,
        shape: tuple[int, ...],
        sources: tuple[int | None, ...],
        window: Window | None = None,
    ) -> int:
        read = {len(self.layers) if source is None else source for source in sources}
        taken = prod(self.shapes[NETWORK_INPUT]) * self.bits if NETWORK_INPUT in read else 0
        before = tuple(sorted(read - {NETWORK_INPUT}))
        self.layers.append(
            Layer(
                name=name,
                kind=kind,
                macs=macs,
                parameters=parameters,
                input=taken,
                output=prod(shape) * self.bits,
                before=before,
                window=window,
            )
        )
        self.shapes.append(shape)
        return len(self.layers)


def _window(shape: tuple[int, ...], taps: int, input_channels: int) -> Window | None:
    """The window of a layer with outputs of that shape; None if they are no square image."""
    channels, *sides = shape
    if len(set(sides)) > 1:
        return None
    side = sides[0] if sides else 1
    return Window(
        output_side=side, taps=taps, input_channels=input_channels, output_channels=channels
    )
