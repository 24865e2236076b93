"""Mobile edge learning end to end: the model file, the data contract, the algorithms as
backends.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.api import LoadedModel
from mecdsl.diagnostics import ModelError
from mecdsl.solution import Guarantee

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "mel.mec"
CASE = {
    "learner_count": 3,
    "cycle_time": 2.0,
    "total_samples": 240,
    "features": 64,
    "data_precision": 8,
    "model_precision": 16,
    "coefficients_per_sample": 0,
    "coefficients_constant": 5000,
    "learner": {"cpu": [2.0e9, 1.2e9, 0.5e9], "work": [3.0e6, 3.0e6, 3.0e6]},
    "radio.bandwidth": [2e6, 2e6, 1e6],
    "radio.gain": [4e-9, 1.5e-9, 6e-10],
    "radio.power": [0.1, 0.1, 0.1],
    "radio.noise_density": [4e-21, 4e-21, 4e-21],
}


def load(**changes: object) -> LoadedModel:
    return mecdsl.load(MODEL, data={**CASE, **changes})


def by_hand() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """C2, C1, C0 of the case, equations (9) to (11) written out again."""
    bandwidth, gain = np.array([2e6, 2e6, 1e6]), np.array([4e-9, 1.5e-9, 6e-10])
    rate = bandwidth * np.log2(1 + 0.1 * gain / (4e-21 * bandwidth))
    return 3.0e6 / np.array([2.0e9, 1.2e9, 0.5e9]), 64 * 8 / rate, 2 * 16 * 5000 / rate


def test_definitions_are_those_of_the_paper() -> None:
    instance = load().instance()
    for name, expected in zip(("compute", "transfer", "overhead"), by_hand(), strict=True):
        assert instance.data(name) == pytest.approx(expected, rel=1e-12)


def test_integer_optimum_equals_a_scan_over_all_updates() -> None:
    compute, transfer, overhead = by_hand()
    best = max(
        t for t in range(200) if np.floor((2.0 - overhead) / (compute * t + transfer)).sum() >= 240
    )
    result = load().solve("mel-integer")
    assert result.verified
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == best
    assert result["learner.batch"].sum() == 240


def test_auto_takes_the_exact_algorithm_and_says_why() -> None:
    result = load().solve()
    assert result.backend == "mel-integer"
    assert "exact" in result.choice
    assert load().solve(form="relaxed").backend == "mel-root"


def test_root_solves_the_relaxed_form_with_every_learner_busy_to_the_end() -> None:
    compute, transfer, overhead = by_hand()
    result = load().solve("mel-root", form="relaxed")
    assert result.verified
    duration = (
        compute * result.objective * result["learner.batch"]
        + transfer * result["learner.batch"]
        + overhead
    )
    assert duration == pytest.approx(np.full(3, 2.0), rel=1e-9)


@pytest.mark.parametrize("form", ["relaxed", "relaxed+distributed", "relaxed+dropout"])
def test_polynomial_and_root_agree(form: str) -> None:
    root, polynomial = (
        load().solve("mel-root", form=form),
        load().solve("mel-polynomial", form=form),
    )
    assert polynomial.verified
    assert polynomial.objective == pytest.approx(root.objective, rel=1e-8)


def test_distributed_form_has_the_closed_form_of_no_transfer() -> None:
    compute, _, overhead = by_hand()
    result = load().solve("mel-root", form="relaxed+distributed")
    assert result.objective == pytest.approx(((2.0 - overhead) / compute).sum() / 240, rel=1e-9)


def test_a_form_overrides_the_data_file() -> None:
    assert load().instance("distributed").data("data_precision").tolist() == [0.0]


def test_equal_form_by_highs_and_by_formula() -> None:
    compute, transfer, overhead = by_hand()
    tau = np.floor(((2.0 - overhead - transfer * 80) / (compute * 80)).min())
    for backend in ("mel-equal", "highs"):
        result = load().solve(backend, form="equal")
        assert result.verified
        assert result.objective == tau


def test_a_dead_link_makes_the_base_infeasible_and_is_named_and_dropout_goes_on() -> None:
    model = load(**{"radio.gain": [4e-9, 1.5e-9, 1e-17]})
    base = model.solve()
    assert base.exit_code == 3
    assert base.guarantee is Guarantee.INFEASIBLE
    assert "3" in base.solution.message
    dropout = model.solve(form="dropout")
    assert dropout.backend == "mel-integer"
    assert dropout.verified
    assert dropout["learner.used"].tolist() == [1.0, 1.0, 0.0]
    assert dropout["learner.batch"][2] == 0.0


def test_no_learners_is_infeasible() -> None:
    empty: dict[str, list[float]] = {"cpu": [], "work": []}
    radio: dict[str, object] = {
        f"radio.{name}": [] for name in ("bandwidth", "gain", "power", "noise_density")
    }
    result = load(learner_count=0, learner=empty, **radio).solve("mel-integer")
    assert result.exit_code == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("constraint more: updates <= 3", "more"),
        ("constraint all_samples: sum(2*k.batch for k in learner) == total_samples", "all_samples"),
        ("maximize local_updates = 2*updates", "objective"),
        ("constraint cycle[k in learner]: 2*duration[k] <= cycle_time", "cycle"),
    ],
)
def test_an_edited_model_is_refused_with_the_reason(change: str, reason: str) -> None:
    text = MODEL.read_text()
    name = change.split()[1].split("[")[0].rstrip(":")
    kept = [
        line
        for line in text.splitlines()
        if not line.startswith((f"constraint {name}", f"maximize {name}"))
    ]
    model = mecdsl.loads("\n".join([*kept, change]), data=CASE)
    with pytest.raises(ModelError) as caught:
        model.solve("mel-integer")
    assert caught.value.diagnostics[0].code == "E502"
    assert reason in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    "cycle",
    [
        "k.batch*(transfer[k] + updates*compute[k]) + overhead[k] <= cycle_time",
        "cycle_time - overhead[k] >= k.batch*(transfer[k] + updates*compute[k])",
    ],
)
def test_a_rewritten_but_equal_model_is_recognised(cycle: str) -> None:
    text = MODEL.read_text().replace("duration[k] <= cycle_time", cycle)
    assert mecdsl.loads(text, data=CASE).solve("mel-integer").objective == load().solve().objective


def test_multipliers_belong_to_the_rows_as_they_are_written() -> None:
    text = MODEL.read_text().replace("duration[k] <= cycle_time", "2*cycle_time >= 2*duration[k]")
    plain = load().solve("mel-root", form="relaxed")
    turned = mecdsl.loads(text, data=CASE).solve("mel-root", form="relaxed")
    assert turned.kkt is not None
    assert turned.kkt.accepted
    assert turned.solution.multipliers["cycle"] == pytest.approx(
        -plain.solution.multipliers["cycle"] / 2.0, rel=1e-9
    )


def test_equal_batches_with_other_rows_are_refused() -> None:
    text = MODEL.read_text().replace("duration[k] <= cycle_time", "2*duration[k] <= cycle_time")
    with pytest.raises(ModelError, match="`cycle` is not"):
        mecdsl.loads(text, data=CASE).solve("mel-equal", form="equal")


def test_rounding_options_are_checked() -> None:
    exact = load().solve("mel-integer")
    assert load().solve("mel-round", raw={"moves": True}).objective == exact.objective
    for raw in ({"movse": True}, {"rounding": "up"}, {"moves": "yes"}):
        with pytest.raises(ModelError) as caught:
            load().solve("mel-round", raw=raw)
        assert caught.value.diagnostics[0].code == "E505"


def test_data_file_round_trip(tmp_path: Path) -> None:
    file = tmp_path / "case.json"
    file.write_text(json.dumps(CASE))
    assert mecdsl.load(MODEL, data=file).solve().objective == load().solve().objective


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 100_000])
def test_one_and_a_hundred_thousand_learners(count: int) -> None:
    generator = np.random.default_rng(count)
    case = {
        **{name: value for name, value in CASE.items() if not isinstance(value, dict | list)},
        "learner_count": count,
        "total_samples": 50 * count,
        "learner.cpu": generator.uniform(1e9, 3e9, count).tolist(),
        "learner.work": [3e6] * count,
        "radio.bandwidth": [2e6] * count,
        "radio.gain": generator.uniform(1e-9, 1e-8, count).tolist(),
        "radio.power": [0.1] * count,
        "radio.noise_density": [4e-21] * count,
    }
    model = mecdsl.load(MODEL, data=case)
    result = model.solve()
    assert result.verified
    assert result.guarantee is Guarantee.GLOBAL
    relaxed = model.solve(form="relaxed")
    assert relaxed.verified
    assert relaxed.objective is not None
    assert result.objective == np.floor(
        relaxed.objective
    )  # 50 samples a learner: the floors hardly matter
