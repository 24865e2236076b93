"""The backends for split inference over NOMA: what they take, and their answers after verification."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.api import LoadedModel
from mecdsl.backend import Request
from mecdsl.backends.noma.recognise import Recognised, recognise
from mecdsl.diagnostics import ModelError
from mecdsl.solution import Guarantee, SolveOptions
from mecdsl.solve import find
from tests.noma_literal import draw_system, model_data

MODEL = Path(__file__).resolve().parent.parent / "models" / "noma.mec"
FORMS = ("", "silent", "oma", "oma_silent")
EVERY = frozenset(FORMS)
TAKES = {
    "noma-ligd": frozenset({"", "silent"}),
    "noma-ligd-printed": frozenset({"", "silent"}),
    "noma-greedy": EVERY,
    "noma-improved": EVERY,
    "noma-device-only": frozenset({"silent", "oma_silent"}),
    "noma-edge-only": frozenset({"oma", "oma_silent"}),
    "noma-neurosurgeon": frozenset({"oma_silent"}),
    "noma-dnn-surgeon": frozenset({"oma_silent"}),
    "noma-bound": EVERY,
}
FEASIBLE = [name for name in TAKES if name not in ("noma-ligd-printed", "noma-bound")]
NO_COMMON = ("noma-neurosurgeon", "noma-dnn-surgeon")
QUICK: dict[str, dict[str, Any]] = {
    "noma-improved": {"time_limit": 0.3},
    "noma-ligd": {"raw": {"epsilon": 1e-3}},
}


def model(
    seed: int = 1, access_points: int = 2, users: int = 4, subchannels: int = 2, **changed: Any
) -> LoadedModel:
    system = draw_system(seed, access_points, users, subchannels, **changed)
    return mecdsl.load(MODEL, data=model_data(system))


def with_common(form: str) -> str:
    return f"{form}+common_split".lstrip("+")


@pytest.mark.parametrize("backend", TAKES)
@pytest.mark.slow
def test_only_the_forms_it_was_made_for_are_taken(backend: str) -> None:
    loaded = model()
    for form in FORMS:
        for common in (False, True):
            instance = loaded.instance(with_common(form) if common else form)
            found = find(backend).accepts(Request(instance, SolveOptions()))
            expected = form in TAKES[backend] and not (common and backend in NO_COMMON)
            assert found.accepted == expected, (form, common, found.reason)
            assert bool(found.reason) != expected


@pytest.mark.slow
def test_the_form_and_the_data_are_found() -> None:
    system = draw_system(3, 3, 5, 2, ties=True)
    loaded = mecdsl.load(MODEL, data=model_data(system))
    for form in FORMS:
        for common in (False, True):
            found = recognise(loaded.instance(with_common(form) if common else form))
            assert isinstance(found, Recognised)
            assert (found.form.silent, found.form.oma, found.form.common) == (
                "silent" in form,
                "oma" in form,
                common,
            )
            for name in ("home", "cpu", "layer_work", "cut_size", "unit_speed", "edge_capacitance"):
                assert np.array_equal(getattr(found.system, name), getattr(system, name)), name
            for ours, link in zip(found.system.links, system.links, strict=True):
                assert np.array_equal(ours.gain, link.gain)
                assert (ours.noise, ours.power_max) == (link.noise, link.power_max)


def test_the_relaxed_model_is_another_problem() -> None:
    data = model_data(draw_system(0))
    relaxed = mecdsl.load(MODEL.with_name("noma_relaxed.mec"), data=data)
    found = recognise(relaxed.instance())
    assert isinstance(found, str)
    assert "is not part of the problem" in found


@pytest.mark.slow
@pytest.mark.parametrize("backend", FEASIBLE)
@pytest.mark.parametrize("common", [False, True])
def test_its_points_are_verified_beside_the_bound(backend: str, common: bool) -> None:
    if common and backend in NO_COMMON:
        return
    loaded = model()
    for form in sorted(TAKES[backend]):
        form = with_common(form) if common else form
        result = loaded.solve(backend, form, **QUICK.get(backend, {}))
        assert result.verified, result.faults
        assert result.guarantee is Guarantee.FEASIBLE
        assert result.objective is not None
        assert result.bound is not None
        assert result.bound <= result.objective
        best = loaded.solve("noma-bound", form)
        assert best.bound == result.bound
        assert best.objective is None
        assert best.guarantee is Guarantee.NONE


@pytest.mark.slow
def test_a_printed_point_that_breaks_rows_is_not_verified() -> None:
    result = model().solve("noma-ligd-printed", raw={"step": 1e-12})
    assert not result.verified
    assert any("uplink_one_subchannel" in fault for fault in result.faults)


@pytest.mark.slow
def test_too_many_users_are_infeasible_only_where_all_must_send() -> None:
    loaded = model(2, 1, 5, 2, users_per_subchannel_max=2)
    for backend in ("noma-greedy", "noma-ligd", "noma-improved"):
        base = loaded.solve(backend)
        assert base.guarantee is Guarantee.INFEASIBLE
        silent = loaded.solve(backend, "silent", **QUICK.get(backend, {}))
        assert silent.verified, silent.faults
    found = loaded.solve("noma-neurosurgeon", "oma_silent")
    assert "knows no K" in found.solution.message


@pytest.mark.slow
def test_options_are_checked() -> None:
    loaded = model()
    with pytest.raises(ModelError, match=r"one of 0\.\.F, 1\.\.F"):
        loaded.solve("noma-ligd", raw={"cuts": "all"})
    with pytest.raises(ModelError, match="one of common, found `user`"):
        loaded.solve("noma-ligd", "common_split", raw={"split": "user"})
    with pytest.raises(ModelError, match="one of corrected, printed"):
        loaded.solve("noma-ligd-printed", raw={"gradient": "exact"})
    cold = loaded.solve("noma-ligd", raw={"warm": False, "cuts": "1..F", "epsilon": 1e-3})
    assert "cold" in cold.solution.label
    assert cold.verified


@pytest.mark.slow
def test_one_user_is_a_problem_too() -> None:
    loaded = model(0, 1, 1, 1)
    for form in FORMS:
        result = loaded.solve("noma-greedy", form)
        assert result.verified, (form, result.faults)
        assert result.objective == pytest.approx(result.bound, rel=1e-9)
