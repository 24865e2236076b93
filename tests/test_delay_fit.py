"""The fit of layer delays: rows drawn around known coefficients give these back."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure

import mecdsl
from mecdsl.diagnostics import ModelError
from mecdsl.networks.delay_fit import DelayFit, fit_delay
from mecdsl.networks.delays import Windows
from mecdsl.networks.measurements import Measurements, read_measurements
from mecdsl.output.picture.delay_fit import delay_fit_picture
from mecdsl.output.text.delay_fit import delay_fit_text

Floats = npt.NDArray[np.float64]

MADE = np.array([3e-9, 2.6e-8, 4.8e-8])  # s


def windows(rows: int, draw: np.random.Generator) -> Windows:
    """Convolutions of usual sizes."""
    return Windows(
        output_side=draw.choice([7.0, 14.0, 28.0, 56.0, 112.0], rows),
        taps=draw.choice([1.0, 9.0, 25.0, 49.0], rows),
        input_channels=draw.choice([3.0, 16.0, 64.0, 128.0, 256.0], rows),
        output_channels=draw.choice([16.0, 64.0, 128.0, 256.0], rows),
        convolves=np.ones(rows, bool),
    )


def exact(layers: Windows, made: Floats = MADE) -> Floats:
    """The times of the paper's form, written out: G^2 K^2 O I, G^2 K^2 I, G^2 O."""
    squares = layers.output_side**2
    return np.asarray(
        made[0] * squares * layers.taps * layers.input_channels * layers.output_channels
        + made[1] * squares * layers.taps * layers.output_channels
        + made[2] * squares * layers.input_channels
    )


def measured(layers: Windows, times: Floats) -> Measurements:
    rows = len(times)
    names = ("",) * rows
    return Measurements(
        file="rows.csv", windows=layers, times=times, lines=tuple(range(2, rows + 2)), names=names
    )


def drawn(
    seed: int, rows: int = 60, noise: float = 0.03, disturbed: int = 6, factor: float = 4.0
) -> tuple[Measurements, set[int]]:
    """Rows with errors in proportion to their time, some of which took `factor` times as long."""
    draw = np.random.default_rng(seed)
    layers = windows(rows, draw)
    times = exact(layers) * (1.0 + noise * draw.standard_normal(rows))
    off = draw.choice(rows, disturbed, replace=False)
    times[off] *= factor
    return measured(layers, times), set(off.tolist())


def outliers(fit: DelayFit) -> set[int]:
    return set(np.flatnonzero(fit.outliers).tolist())


def test_rows_without_errors_give_the_coefficients_back() -> None:
    fit = fit_delay(drawn(1, noise=0.0, disturbed=0)[0])
    assert fit.estimate == pytest.approx(MADE, rel=1e-9)
    assert outliers(fit) == set()
    assert fit.r_square == pytest.approx(1.0)


@pytest.mark.parametrize("factor", [0.3, 1.5, 4.0, 50.0])
def test_disturbed_rows_are_named_and_turn_nothing(factor: float) -> None:
    measurements, off = drawn(2, factor=factor)
    fit = fit_delay(measurements)
    assert outliers(fit) == off
    assert fit.estimate == pytest.approx(MADE, rel=0.15)
    assert fit.estimate[0] == pytest.approx(MADE[0], rel=0.03)
    assert fit.spread == pytest.approx(0.03, rel=0.3)


def test_a_fifth_of_disturbed_rows_is_no_trouble() -> None:
    measurements, off = drawn(3, rows=100, disturbed=20, factor=3.0)
    fit = fit_delay(measurements)
    assert off <= outliers(fit)
    assert fit.estimate[:2] == pytest.approx(MADE[:2], rel=0.05)


@pytest.mark.slow
def test_nineteen_of_twenty_intervals_hold_the_coefficient() -> None:
    held = np.array(
        [
            (fit.low <= MADE) & (fit.high >= MADE)
            for fit in (fit_delay(drawn(seed)[0]) for seed in range(100, 200))
        ]
    )
    # of 300 intervals at 95 % that hold independently, 99.9 % of draws have from 271 to 295
    assert 0.90 <= held.mean() <= 0.985
    assert (held.mean(axis=0) >= 0.87).all()


def test_more_rows_make_intervals_shorter() -> None:
    few, many = (fit_delay(drawn(4, rows=rows, disturbed=0)[0]) for rows in (25, 400))
    # four times the deviation with a sixteenth of the rows, give or take
    ratio = (few.high - few.low) / (many.high - many.low)
    assert (ratio > 2.0).all()
    assert (ratio < 10.0).all()


def test_errors_of_alike_many_seconds_are_fitted_so() -> None:
    draw = np.random.default_rng(5)
    layers = windows(80, draw)
    layers_big = Windows(
        output_side=np.full(80, 56.0),
        taps=layers.taps,
        input_channels=layers.input_channels,
        output_channels=layers.output_channels,
        convolves=layers.convolves,
    )
    times = exact(layers_big)
    times = times + 0.01 * times.min() * draw.standard_normal(80)
    fit = fit_delay(measured(layers_big, times), errors="absolute")
    assert fit.spread == pytest.approx(0.01 * exact(layers_big).min(), rel=0.3)
    assert (fit.low <= MADE).all()
    assert (fit.high >= MADE).all()


def test_swapped_channels_are_told_by_the_fit() -> None:
    draw = np.random.default_rng(6)
    layers = windows(60, draw)
    swapped = Windows(
        output_side=layers.output_side,
        taps=layers.taps,
        input_channels=layers.output_channels,
        output_channels=layers.input_channels,
        convolves=layers.convolves,
    )
    times = exact(layers) * (1.0 + 0.01 * draw.standard_normal(60))
    right = fit_delay(measured(swapped, times), swap_channels=True)
    wrong = fit_delay(measured(swapped, times), swap_channels=False)
    assert right.estimate == pytest.approx(MADE, rel=0.1)
    assert wrong.spread > 3 * right.spread
    text = " ".join(delay_fit_text(wrong).split())
    assert "note: with `--swap-channels` the spread is " in text
    assert wrong.other_spread == pytest.approx(right.spread)
    assert right.other_spread == pytest.approx(wrong.spread)
    assert "note" not in delay_fit_text(right)


def test_times_that_follow_other_laws_are_said_to_be_described_badly() -> None:
    draw = np.random.default_rng(10)
    layers = windows(60, draw)
    fit = fit_delay(measured(layers, 10.0 ** draw.uniform(-3.0, 0.0, 60)))
    assert "describe these times badly" in " ".join(delay_fit_text(fit).split())


def test_a_term_that_takes_no_time_has_the_coefficient_0_and_is_named() -> None:
    draw = np.random.default_rng(7)
    layers = windows(60, draw)
    made = np.array([3e-9, 0.0, 4.8e-8])
    # two rows take less than the other terms alone, which pulls the middle one below 0
    times = exact(layers, made) * (1.0 + 0.03 * draw.standard_normal(60))
    fit = fit_delay(measured(layers, times))
    assert (fit.estimate >= 0.0).all()
    assert fit.low[1] == 0.0
    assert fit.high[1] > 0.0
    assert fit.undetermined == ("per_tap",)


def test_as_many_rows_as_coefficients_have_no_interval() -> None:
    layers = Windows(
        output_side=np.array([28.0, 14.0, 7.0]),
        taps=np.array([9.0, 1.0, 25.0]),
        input_channels=np.array([3.0, 64.0, 16.0]),
        output_channels=np.array([32.0, 64.0, 128.0]),
        convolves=np.ones(3, bool),
    )
    fit = fit_delay(measured(layers, exact(layers)))
    assert fit.estimate == pytest.approx(MADE, rel=1e-9)
    assert np.isnan(fit.low).all()
    assert np.isnan(fit.high).all()
    assert fit.undetermined == ()


def test_few_rows_more_are_said_to_be_few(tmp_path: Path) -> None:
    example = Path(mecdsl.__file__).parent / "models" / "examples" / "layer_times.csv"
    lines = example.read_text(encoding="utf-8").splitlines()
    for rows, words in ((3, "nothing is known of its errors"), (5, "no row is called an outlier")):
        (tmp_path / "few.csv").write_text("\n".join(lines[: rows + 1]) + "\n", encoding="utf-8")
        assert words in " ".join(str(mecdsl.fit_delay(tmp_path / "few.csv")).split())


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"taps", "input_channels", "output_channels"}, "G^2 K^2 O I, G^2 K^2 I, G^2 O"),
        ({"input_channels"}, "G^2 K^2 O I, G^2 K^2 I are"),
    ],
)
def test_terms_in_proportion_are_refused_and_the_fix_is_right(fixed: set[str], words: str) -> None:
    draw = np.random.default_rng(9)
    layers = windows(40, draw)
    alike = {name: np.full(40, 9.0) for name in fixed}
    sizes = {
        name: alike.get(name, getattr(layers, name))
        for name in ("output_side", "taps", "input_channels", "output_channels")
    }
    same = Windows(convolves=layers.convolves, **sizes)
    with pytest.raises(ModelError) as caught:
        fit_delay(measured(same, exact(same)))
    (fault,) = caught.value.diagnostics
    assert fault.code == "E506"
    assert words in fault.message
    # the help: several input channels, each with several kernels; all else stays as it was
    varied = {**sizes, "input_channels": np.tile([3.0, 64.0], 20)}
    varied["taps"] = np.repeat([1.0, 9.0], 20)
    mended = Windows(convolves=layers.convolves, **varied)
    assert fit_delay(measured(mended, exact(mended))).estimate == pytest.approx(MADE, rel=1e-6)


def test_other_layers_than_convolutions_take_the_middle_term(tmp_path: Path) -> None:
    # G^2 I outputs, K^2 values read for each: 14^2 * 64 * 4 of a pool; a relu reads one value
    rows = [
        ("conv", 28, 3, 64, 32, 3e-9 * 28**2 * 9 * 64 * 32 + 2.6e-8 * 28**2 * 9 * 32 + 4.8e-8 * 28**2 * 64),
        ("dense", 1, 7, 64, 500, 3e-9 * 49 * 64 * 500 + 2.6e-8 * 49 * 500 + 4.8e-8 * 64),
        ("maxpool", 14, 2, 64, 64, 2.6e-8 * 14**2 * 64 * 4),
        ("relu", 14, 1, 64, 64, 2.6e-8 * 14**2 * 64),
    ]  # fmt: skip
    titles = ("kind", "output_side", "kernel", "input_channels", "output_channels", "time")
    records = [dict(zip(titles, row, strict=True)) for row in rows]
    (tmp_path / "rows.json").write_text(json.dumps(records), encoding="utf-8")
    fit = fit_delay(read_measurements(tmp_path / "rows.json"))
    assert fit.estimate == pytest.approx(MADE, rel=1e-6)


def test_python_gives_what_the_command_writes(tmp_path: Path) -> None:
    example = Path(mecdsl.__file__).parent / "models" / "examples" / "layer_times.csv"
    fit = mecdsl.fit_delay(example)
    assert str(fit).startswith("layer_times.csv: 24 rows, 2 outliers left out of the fit\n")
    assert json.loads(fit.to_json()) == fit.as_dict()
    fit.draw(tmp_path / "fit.svg")
    fit.save(tmp_path / "board.json")
    layers = mecdsl.layers("game_vgg13", time=tmp_path / "board.json")
    assert "time: on board, O the input channels" in str(layers)


def test_the_example_is_what_its_description_says() -> None:
    example = read_measurements(
        Path(mecdsl.__file__).parent / "models" / "examples" / "layer_times.csv"
    )
    off = example.times / exact(example.windows)
    disturbed = {"conv9": 1.7, "conv21": 2.4}
    factors = np.array([disturbed.get(name, 1.0) for name in example.names])
    # 24 normal errors of 3 % stay within 10.5 %, all but once in 50 times a thousand
    assert off / factors == pytest.approx(np.ones(24), abs=0.105)
    assert float(np.std(off / factors)) == pytest.approx(0.03, rel=0.5)


def test_the_picture_has_a_mark_for_every_row_and_crosses_for_outliers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    write = Figure.savefig

    def keep(self: Figure, path: Path, dpi: int) -> None:
        figures.append(self)
        write(self, path, dpi=dpi)

    monkeypatch.setattr(Figure, "savefig", keep)
    measurements, off = drawn(11)
    fit = fit_delay(measurements)
    delay_fit_picture(fit, tmp_path / "fit.png")
    top, below = figures[0].axes
    rows, crosses = (np.asarray(marks.get_offsets()) for marks in top.collections)
    size = 1.0 if measurements.times.max() >= 1.0 else 1e-3
    kept = np.array([row not in off for row in range(60)])
    assert rows[:, 1] * size == pytest.approx(measurements.times[kept])
    assert crosses[:, 1] * size == pytest.approx(measurements.times[~kept])
    assert np.concatenate((rows, crosses))[:, 0].min() > 0.0
    errors = np.concatenate([np.asarray(marks.get_offsets()) for marks in below.collections])
    assert len(errors) == 60
    # the errors that were drawn, 3 %, stand on the axis in per cent; crosses lie beyond its end
    assert float(np.std(errors[: len(rows), 1])) == pytest.approx(3.0, rel=0.4)
    assert below.get_ylim()[1] < float(errors[len(rows) :, 1].min())
