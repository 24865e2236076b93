"""Split inference over NOMA: what the exact method is as a backend, against the text of the model."""

from pathlib import Path
from typing import Any

import pytest

import mecdsl
from mecdsl.backend import Request
from mecdsl.backends.noma.exact_backend import NomaExact
from mecdsl.backends.noma.recognise import recognise
from mecdsl.backends.noma.system import Form
from mecdsl.command_line.main import main
from mecdsl.solution import Guarantee, SolveOptions
from tests.noma_enumeration import Oracle

MODELS = Path(__file__).resolve().parent.parent / "models"
FORMS = ("", "silent", "oma", "oma_silent")
EXAMPLE: dict[str, Any] = {
    "access_point_count": 2,
    "user_count": 3,
    "subchannel_count": 2,
    "layer_count": 2,
    "users_per_subchannel_max": 2,
    "uplink_bandwidth": 1e5,
    "downlink_bandwidth": 2e5,
    "uplink_noise": 2e-16,
    "downlink_noise": 4e-16,
    "uplink_power_min": 0.002,
    "uplink_power_max": 0.2,
    "downlink_power_min": 0.02,
    "downlink_power_max": 2.0,
    "edge_units_min": 1,
    "edge_units_max": 16,
    "edge_exponent": 0.8,
    "access_point": {
        "unit_speed": [2e9, 2e9],
        "capacitance": [1e-29, 1e-29],
        "cycles_per_flop": [1, 1],
    },
    "user": {
        "home": [1, 2, 1],
        "cpu": [7e8, 9e8, 8e8],
        "capacitance": [2e-27, 2e-27, 2e-27],
        "cycles_per_flop": [1, 1, 1],
        "time_weight": [0.6, 0.6, 0.6],
        "energy_weight": [0.4, 0.4, 0.4],
        "layer_work": [[3e7, 9e7], [3e7, 9e7], [5e7, 5e7]],
        "cut_size": [[50000, 20000, 800], [50000, 20000, 800], [40000, 30000, 640]],
        "result_size": [800, 800, 640],
    },
    "uplink": {
        "gain": [
            [[3e-10, 5e-11], [2e-12, 6e-12], [8e-10, 7e-10]],
            [[4e-12, 1e-12], [6e-10, 9e-10], [3e-12, 2e-12]],
        ]
    },
    "downlink": {
        "gain": [
            [[2e-10, 9e-11], [5e-12, 3e-12], [6e-10, 4e-10]],
            [[1e-12, 2e-12], [7e-10, 5e-10], [2e-12, 8e-12]],
        ]
    },
}


@pytest.mark.parametrize("split", ["", "common_split"])
@pytest.mark.parametrize("access", FORMS)
@pytest.mark.slow
def test_the_model_grants_the_optimum(access: str, split: str) -> None:
    model = mecdsl.load(MODELS / "noma.mec", data=EXAMPLE)
    form = "+".join(name for name in (access, split) if name)
    result = model.solve(form=form)
    assert result.backend == "noma-exact"
    assert result.guarantee is Guarantee.GLOBAL
    assert result.verified
    assert result.solution.values is not None
    recomputed = model.instance(form).objective(result.solution.values)
    assert result.objective == pytest.approx(recomputed, rel=1e-9)
    assert result.solution.objective == pytest.approx(result.objective, rel=1e-9)


@pytest.mark.slow
def test_the_model_knows_its_optimum_by_enumeration() -> None:
    model = mecdsl.load(MODELS / "noma.mec", data=EXAMPLE)
    found = recognise(model.instance())
    assert not isinstance(found, str)
    wanted = Oracle(found.system, Form()).optimum()
    assert model.solve("noma-exact").objective == pytest.approx(wanted, rel=1e-6)


def test_too_many_users_end_the_command_as_infeasible(capsys: pytest.CaptureFixture[str]) -> None:
    cap = ["--set", "users_per_subchannel_max=0", "--backend", "noma-exact"]
    with pytest.raises(SystemExit) as ended:
        main(["solve", str(MODELS / "noma.mec"), *cap])
    assert ended.value.code == 3
    assert "access point 1 has" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"user_count": 17}, "takes 16 users at most, found 17"),
        ({"uplink_power_min": 0.0, "energy_weight_of_all": 1.0}, "without a time weight"),
        ({"uplink_power_min": 0.0, "downlink_power_min": 0.0}, ""),
    ],
)
def test_what_it_cannot_solve_is_refused_with_the_reason(
    data: dict[str, float], reason: str
) -> None:
    instance = mecdsl.load(MODELS / "noma.mec", data=data).instance()
    acceptance = NomaExact().accepts(Request(instance, SolveOptions()))
    assert acceptance.accepted is not bool(reason)
    assert reason in acceptance.reason
