"""The chains of small images that `noma.mec` splits, against counts done by hand."""

from importlib import resources

import pytest

from mecdsl.networks.small_images import CHAINS, table


@pytest.mark.parametrize(
    ("name", "layers", "megaflop"),
    [("nin", 9, 445.3), ("tiny_yolov2", 17, 41.3), ("vgg16", 24, 664.4)],
)
def test_chains_have_the_layers_of_the_paper(name: str, layers: int, megaflop: float) -> None:
    chain = CHAINS[name]()
    assert len(chain.work) == len(chain.values) == layers
    assert sum(chain.work) / 1e6 == pytest.approx(megaflop, abs=0.05)


def test_the_first_layers_are_counted_as_by_hand() -> None:
    # 5 x 5 over 3 channels to 192 at each of 32 x 32 places; the third layer has a pool to 16 x 16
    chain = CHAINS["nin"]()
    assert chain.work[:3] == [
        2 * 32 * 32 * 192 * 75,
        2 * 32 * 32 * 160 * 192,
        2 * 32 * 32 * 96 * 160 + 9 * 16 * 16 * 96,
    ]
    assert chain.values == [196608, 163840, 24576, 49152, 49152, 12288, 12288, 12288, 10]


def test_the_shipped_table_is_what_is_counted() -> None:
    shipped = resources.files("mecdsl.models").joinpath("data", "noma_networks.csv")
    assert shipped.read_text(encoding="utf-8") == table()
