"""Valid cuts of layer graphs against the definition, applied to every subset."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mecdsl.checking.layer_cuts import (
    Before,
    LayerGroups,
    TooManyCutsError,
    crossings,
    layers_after,
    layers_before,
    valid_cuts,
)
from mecdsl.networks.architectures import NETWORKS

SIZE = 7


@st.composite
def graphs(draw: st.DrawFn) -> Before:
    """Graphs of a few layers, each reading any earlier ones."""
    size = draw(st.integers(1, SIZE))
    return tuple(
        tuple(sorted(draw(st.sets(st.integers(1, layer))))) if layer else ()
        for layer in range(size)
    )


def sets_of(groups: LayerGroups) -> list[set[int]]:
    """The groups as sets of layer numbers, from the bounds of their rows."""
    return [
        set(groups.members[a:b].tolist())
        for a, b in zip(groups.starts, groups.starts[1:], strict=False)
    ]


def by_definition(before: Before) -> list[set[int]]:
    """All sets that hold with each layer everything it reads, by size, earlier layers first."""
    numbers = range(1, len(before) + 1)
    subsets = (
        set(chosen) for size in range(len(before) + 1) for chosen in combinations(numbers, size)
    )
    return [
        subset for subset in subsets if all(set(before[layer - 1]) <= subset for layer in subset)
    ]


@given(graphs())
def test_cuts_are_all_sets_closed_under_reading(before: Before) -> None:
    assert sets_of(valid_cuts(before)) == by_definition(before)


@given(graphs())
def test_crossing_layers_are_read_from_outside(before: Before) -> None:
    expected = [
        {
            j
            for j in cut
            if any(j in before[k - 1] for k in range(1, len(before) + 1) if k not in cut)
        }
        for cut in by_definition(before)
    ]
    assert sets_of(crossings(before)) == expected


@given(graphs())
def test_neighbours_are_those_of_the_edges(before: Before) -> None:
    edges = {(read, layer) for layer, reads in enumerate(before, 1) for read in reads}
    numbers = range(1, len(before) + 1)
    assert sets_of(layers_before(before)) == [
        {i for i, j in edges if j == layer} for layer in numbers
    ]
    assert sets_of(layers_after(before)) == [
        {j for i, j in edges if i == layer} for layer in numbers
    ]


@given(graphs())
def test_truth_and_members_agree(before: Before) -> None:
    groups = crossings(before)
    rows = np.repeat(np.arange(len(groups.truth)), np.diff(groups.starts))
    rebuilt = np.zeros_like(groups.truth)
    rebuilt[rows, groups.members - 1] = True
    assert np.array_equal(rebuilt, groups.truth)


def test_a_chain_is_cut_after_each_layer() -> None:
    before: Before = ((), (1,), (2,), (3,))
    assert sets_of(valid_cuts(before)) == [set(range(1, cut + 1)) for cut in range(5)]


def test_resnet_has_as_many_cuts_as_its_blocks_allow() -> None:
    # A chain of 31 layers has 32 cuts. A block with an identity shortcut is a chain inside (conv1,
    # conv2, add): no more. One with a convolution in its shortcut can have run it beside conv1 and
    # conv2 in 2 * 3 ways where a chain of the same three layers has 4: 2 more in each of the three
    # stages that shrink.
    assert len(valid_cuts(NETWORKS["resnet18"](32).before).truth) == 32 + 3 * 2


def test_too_many_cuts_are_refused_early() -> None:
    with pytest.raises(TooManyCutsError):
        valid_cuts(((), *[(1,)] * 60))  # 2^60 + 1 cuts
