"""The picture of a study: what it shows is what the study holds."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from mecdsl.output.picture.study import FLOOR, study_picture
from mecdsl.solution import Termination
from mecdsl.studies.study_result import Goal, Outcome, Run, Study, summaries


def study(distances: dict[str, list[float | None]], forms: tuple[str, ...] = ("",)) -> Study:
    """A study with these distances by backend and seed, in every form; None breaks a limit."""
    runs = [
        Run(
            seed,
            form,
            backend,
            Outcome.BROKEN if distance is None else Outcome.VERIFIED,
            termination=Termination.FINISHED,
            objective=1.0,
            distance=distance,
            violation=0.1,
        )
        for form in forms
        for backend, found in distances.items()
        for seed, distance in enumerate(found)
    ]
    goals = {form: Goal("cost", "s", "minimize") for form in forms}
    seeds = tuple(range(len(next(iter(distances.values())))))
    return Study(
        model="buy",
        seeds=seeds,
        goals=goals,
        runs=tuple(runs),
        summaries=summaries(runs, goals),
        contradictions=(),
        same_data=False,
        interrupted=False,
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are written, in their order."""
    figures: list[Figure] = []
    write = Figure.savefig

    def keep(self: Figure, path: Path, dpi: int) -> None:
        figures.append(self)
        write(self, path, dpi=dpi)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def dots(figure: Figure, panel: int = 0) -> list[list[float]]:
    """The positions of the dots of each row of a panel, from the top."""
    return [
        sorted(np.asarray(row.get_offsets())[:, 0].tolist())
        for row in figure.axes[panel].collections
    ]


def test_every_verified_answer_has_a_dot_in_per_cent(drawn: list[Figure], tmp_path: Path) -> None:
    found = study({"near": [0.02, 0.05, 0.1, 0.04], "far": [0.3, None, 0.2, 0.25]})
    study_picture(found, tmp_path / "gaps.png")
    (figure,) = drawn
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["near", "far"]
    assert dots(figure) == [pytest.approx([2, 4, 5, 10]), pytest.approx([20, 25, 30])]
    assert axes.get_xscale() == "linear"
    assert [text.get_text() for text in axes.texts] == ["4/4 verified", "3/4 verified, 1 broken"]
    assert "[%]" in axes.get_xlabel()
    assert figure.get_suptitle() == "buy: verified answers against the best proven bound, 4 seeds"


def test_a_wide_span_is_logarithmic_and_its_left_end_stands_for_all_below(
    drawn: list[Figure], tmp_path: Path
) -> None:
    study_picture(study({"exact": [0.0, 1e-13], "pa": [0.1, 0.01]}), tmp_path / "gaps.png")
    (figure,) = drawn
    assert figure.axes[0].get_xscale() == "log"
    assert dots(figure)[0] == pytest.approx([100 * FLOOR, 100 * FLOOR])
    figure.draw_without_rendering()
    assert "≤ 0.0001" in [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_each_form_has_a_panel(drawn: list[Figure], tmp_path: Path) -> None:
    study_picture(study({"a": [0.1, 0.2]}, ("", "tight")), tmp_path / "gaps.png")
    assert [axes.get_title(loc="left") for axes in drawn[0].axes] == ["form base", "form tight"]


@pytest.mark.parametrize("found", [{"cheat": [None, None]}, {"exact": [0.0, 0.0]}])
def test_no_answer_and_no_distance_can_be_drawn(
    found: dict[str, list[float | None]], tmp_path: Path
) -> None:
    study_picture(study(found), tmp_path / "gaps.png")
    assert imread(tmp_path / "gaps.png").std() > 0


@pytest.mark.parametrize(
    ("name", "start"), [("gaps.svg", b"<?xml"), ("gaps.pdf", b"%PDF"), ("gaps.png", b"\x89PNG")]
)
@pytest.mark.slow
def test_the_suffix_gives_the_format(name: str, start: bytes, tmp_path: Path) -> None:
    study_picture(study({"a": [0.1, 0.2]}), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)
