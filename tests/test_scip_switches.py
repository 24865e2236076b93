"""What SCIP is told of rates beside the model: their logarithms apart, and that a binary which
switches a signal off bounds its rate.
"""

import itertools
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.analysis.coefficients import Quadratics
from mecdsl.backends.scip.model import scip_model
from mecdsl.backends.scip.switches import switches
from mecdsl.reduction.plain_parts import PlainRows
from mecdsl.solution import Guarantee

SINR = Path(mecdsl.__file__).parent / "models" / "examples" / "sinr.mec"


def rows(entries: list[dict[int, float]], sides: list[tuple[float, float]]) -> PlainRows:
    triplets = [(r, c, v) for r, row in enumerate(entries) for c, v in row.items()]
    row, column, value = (np.array(part) for part in zip(*triplets, strict=True))
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    return PlainRows(
        rows=np.arange(len(entries)),
        coefficients=Quadratics(
            constant=np.zeros(len(entries)),
            row=row,
            column=column,
            value=value.astype(np.float64),
            quadratic_row=none,
            first=none,
            second=none,
            quadratic_value=nothing,
        ),
        lower=np.array([low for low, _ in sides]),
        upper=np.array([high for _, high in sides]),
    )


@pytest.mark.parametrize(
    ("row", "sides", "expected"),
    [
        ({0: 1.0, 2: -5.0}, (-np.inf, 0.0), [2, -1, -1]),  # p <= 5 z
        ({0: -1.0, 2: 5.0}, (0.0, np.inf), [2, -1, -1]),  # 5 z >= p
        ({0: 1.0, 2: -5.0}, (0.0, 0.0), [2, -1, -1]),  # p == 5 z
        ({0: 1.0, 1: 2.0, 2: -5.0}, (-np.inf, 0.0), [2, 2, -1]),  # p + 2 q <= 5 z
        ({0: 1.0, 2: -5.0}, (-np.inf, 1.0), [-1, -1, -1]),  # p <= 5 z + 1
        ({0: 1.0, 1: -1.0, 2: -5.0}, (-np.inf, 0.0), [-1, -1, -1]),  # p <= q + 5 z
        ({0: 1.0, 2: 5.0}, (-np.inf, 0.0), [-1, -1, -1]),  # p + 5 z <= 0
        ({0: 1.0, 2: -5.0}, (0.0, np.inf), [-1, -1, -1]),  # p >= 5 z
    ],
)
def test_rows_that_switch(
    row: dict[int, float], sides: tuple[float, float], expected: list[int]
) -> None:
    binary, lower = np.array([False, False, True]), np.zeros(3)
    assert switches(rows([row], [sides]), binary, lower).tolist() == expected


def test_what_may_be_negative_is_not_switched_off() -> None:
    binary, lower = np.array([False, True]), np.array([-1.0, 0.0])
    found = switches(rows([{0: 1.0, 1: -5.0}], [(-np.inf, 0.0)]), binary, lower)
    assert found.tolist() == [-1, -1]


def test_each_rate_of_the_example_has_a_row_of_its_switch() -> None:
    model = mecdsl.load(SINR, seed=1, pair_count=3, most_on=2)
    built = scip_model(model.instance())
    # 3 switches, the limit of pairs that are on, the row of the objective, and 3 rates
    assert built.model.getNConss() == 3 + 1 + 1 + 3


@pytest.mark.parametrize("most_on", [1, 2])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.slow
def test_two_pairs_send_at_full_power_or_not_at_all(seed: int, most_on: int) -> None:
    """The sum rate of two pairs is largest at a corner of the box of powers (Gjendemsjo et al.,
    Binary power control for sum rate maximization, 2008), which are enumerated here.
    """
    model = mecdsl.load(SINR, seed=seed, pair_count=2, most_on=most_on)
    instance = model.instance()
    gain = instance.data("gain").reshape(2, 2)
    noise, largest = instance.data("noise")[0], instance.data("pair.largest_power")
    best = 0.0
    for on in itertools.product((0.0, 1.0), repeat=2):
        power = largest * on
        heard = noise + np.array([gain[1, 0] * power[1], gain[0, 1] * power[0]])
        if sum(on) <= most_on:
            best = max(best, 1e6 * float(np.log2(1 + np.diag(gain) * power / heard).sum()))
    result = model.solve("scip")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(best, rel=1e-6)


def test_a_quotient_of_two_negative_sums_keeps_its_logarithm() -> None:
    text = """model signs "Both parts of the quotient are negative"
var x : in -4..-1
var y : in -2..-1
maximize z = ln(x/y)
"""
    result = mecdsl.loads(text).solve("scip")
    assert result.objective == pytest.approx(np.log(4.0), rel=1e-6)
