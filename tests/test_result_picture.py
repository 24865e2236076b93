"""The picture of one answer: a chart of who is where, and bars with units."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle

from mecdsl.api import loads
from mecdsl.command_line.main import main
from mecdsl.output.picture.result import result_picture

CHAIN = """
nodes device[n in 1..2] {}
layers layer[n in device, m in 1..4] { var runs_in[h in 0..2] : binary }
let load[h in 0..2] : s = sum(layer.runs_in[n, m, h] for n in device, m in 1..4)*2 ms
minimize late = sum(h*layer.runs_in[n, m, h] for n in device, m in 1..4, h in 0..2)
constraint one[n in device, m in 1..4]: sum(layer.runs_in[n, m, h] for h in 0..2) == 1
constraint cut[n in device, m in 1..4 where m > n]: layer.runs_in[n, m, 2] == 1
"""


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are written."""
    written: list[Figure] = []
    write = Figure.savefig

    def keep(self: Figure, path: Path, dpi: int) -> None:
        written.append(self)
        write(self, path, dpi=dpi)

    monkeypatch.setattr(Figure, "savefig", keep)
    return written


def panels(figure: Figure) -> dict[str, Axes]:
    """The panels by what stands over them."""
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_visible()}


def heights(axes: Axes) -> list[float]:
    """Of the bars of a panel."""
    return [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]


def test_layers_stand_in_the_slot_they_run_in(figures: list[Figure], tmp_path: Path) -> None:
    result_picture(loads(CHAIN).solve(), tmp_path / "chain.png")
    chart = panels(figures[0])["layer.runs_in (m in the bars)"]
    cells = {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in chart.texts}
    # device 1 keeps its first layer in place 0, device 2 its first two; the others are in slot 2
    assert cells == {(0, 0): "1", (0, 2): "2-4", (1, 0): "1-2", (1, 2): "3-4"}
    assert [label.get_text() for label in chart.get_yticklabels()] == ["1", "2"]
    assert chart.get_ylabel() == "device n"
    assert np.ptp(imread(tmp_path / "chain.png")[..., 0]) > 0.5


def test_bars_have_the_unit_that_suits_them(figures: list[Figure], tmp_path: Path) -> None:
    result_picture(loads(CHAIN).solve(), tmp_path / "chain.svg")
    bars = heights(panels(figures[0])["load [ms]"])
    # three layers in place 0, five in slot 2, 2 ms each
    assert bars == pytest.approx([6.0, 0.0, 10.0])


def test_names_of_members_are_on_the_axis(figures: list[Figure], tmp_path: Path) -> None:
    text = """
    set site = {north, south}
    var share[s in site] : in 0..1
    maximize sold = 2*share["north"] + share["south"]
    constraint all: sum(share[s] for s in site) <= 1.5
    """
    result_picture(loads(text).solve(), tmp_path / "sites.pdf")
    axes = panels(figures[0])["share"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["north", "south"]
    assert heights(axes) == pytest.approx([1.0, 0.5])


def test_nothing_with_an_index_is_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, picture = tmp_path / "one.mec", tmp_path / "one.png"
    model.write_text("var x : in 1..2\nminimize cost = x\n")
    with pytest.raises(SystemExit) as left:
        main(["solve", str(model), "--plot", str(picture)])
    assert left.value.code == 0
    assert "nothing with an index to draw" in capsys.readouterr().err
    assert not picture.exists()


def test_a_picture_of_no_known_kind_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "one.mec"
    model.write_text("var x : in 1..2\nminimize cost = x\n")
    with pytest.raises(SystemExit) as left:
        main(["solve", str(model), "--plot", str(tmp_path / "one.doc")])
    assert left.value.code == 2
    assert "no known kind of picture" in capsys.readouterr().err
