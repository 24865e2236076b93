"""The valid cuts of a graph of layers: sets that hold, with each layer, all that it reads.

One side of a cut runs the set, the other the rest. Cuts are numbered from 0 (nothing) by their
size, then with the earlier layers first; for a chain cut c is its first c layers.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Before = tuple[tuple[int, ...], ...]

MOST_CUTS = 100_000


class TooManyCutsError(ValueError):
    """The graph has more than `MOST_CUTS` valid cuts."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerGroups:
    """A set of layers for each label: bool[labels, layers], and the same row by row.

    The layers of label i are `members[starts[i]:starts[i + 1]]`, numbers from 1 in ascending order.
    """

    truth: BoolArray
    starts: IntArray
    members: IntArray

    @classmethod
    def of(cls, truth: BoolArray) -> "LayerGroups":
        """The groups of a bool[labels, layers]."""
        _, layers = np.nonzero(truth)
        starts = np.concatenate(([0], np.cumsum(truth.sum(axis=1)))).astype(np.int64)
        return cls(truth, starts, (layers + 1).astype(np.int64))


@lru_cache(maxsize=8)
def valid_cuts(before: Before) -> LayerGroups:
    """The layers in each valid cut; `before[i]`: the numbers of the layers that layer i + 1 reads.

    Cuts of the first k layers are cuts of the whole, so that their number only grows from layer to
    layer. Raises `TooManyCutsError`.

    >>> valid_cuts(((), (1,), (1,), (2, 3))).truth.astype(int).tolist()
    [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    """
    cuts = np.zeros((1, len(before)), dtype=bool)
    for layer, read in enumerate(before):
        longer = cuts[cuts[:, [number - 1 for number in read]].all(axis=1)]
        longer[:, layer] = True
        if len(cuts) + len(longer) > MOST_CUTS:
            raise TooManyCutsError
        cuts = np.concatenate((cuts, longer))
    order = np.lexsort((*(~cuts).T[::-1], cuts.sum(axis=1)))
    return LayerGroups.of(cuts[order])


@lru_cache(maxsize=8)
def crossings(before: Before) -> LayerGroups:
    """The layers in each valid cut whose output a layer outside of it reads.

    Raises `TooManyCutsError`.
    """
    cuts = valid_cuts(before).truth
    needed = (~cuts).astype(np.float32) @ layers_before(before).truth.astype(np.float32) > 0
    return LayerGroups.of(cuts & needed)


@lru_cache(maxsize=8)
def layers_before(before: Before) -> LayerGroups:
    """The layers each layer reads; label i is layer i + 1."""
    truth = np.zeros((len(before), len(before)), dtype=bool)
    for layer, read in enumerate(before):
        truth[layer, [number - 1 for number in read]] = True
    return LayerGroups.of(truth)


@lru_cache(maxsize=8)
def layers_after(before: Before) -> LayerGroups:
    """The layers that read each layer; label i is layer i + 1."""
    return LayerGroups.of(layers_before(before).truth.T.copy())
