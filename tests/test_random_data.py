"""Random data in the language: the same text and seed give the same numbers, whatever else the
model holds.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.instances.data_out import data_of

TEXT = """
param count : integer = 4
nodes device[m in 1..count] {
    work : cycle = uniform(1 Gcycle, 2 Gcycle)
    cpu  : GHz_like = 1 GHz_like
}
nodes server[n in 1..2] { cpu : Gcycle/s = normal(10 Gcycle/s, 1 Gcycle/s) }
links uplink[m in device, n in server]: m -> n { gain : 1 = exponential(2) * rayleigh(1) }
param total : cycle = sum(uniform(0 cycle, 1 cycle) for m in device)
var x[m in device] : 1 >= 0
minimize cost = sum(x[m] for m in device)
constraint least[m in device]: x[m] * 1 Gcycle >= m.work
constraint used:
    sum(uplink.gain[m, n] * x[m] for m in device, n in server) * 1 cycle/s >= 0 * server.cpu[1] + total / 1e9 s
""".replace("    cpu  : GHz_like = 1 GHz_like\n", "")


def values(name: str, text: str = TEXT, **options: Any) -> np.ndarray:
    return mecdsl.loads(text, **options).instance().data(name)


def test_same_seed_same_numbers_other_seed_other_numbers() -> None:
    assert values("device.work", seed=3).tolist() == values("device.work", seed=3).tolist()
    assert not np.isin(values("device.work", seed=3), values("device.work", seed=4)).any()


def test_a_member_more_and_a_parameter_more_change_no_other_draw() -> None:
    more = "param extra : 1 = uniform(0, 1)\n" + TEXT
    assert values("device.work", more, count=6)[:4].tolist() == values("device.work").tolist()
    wide, narrow = values("uplink.gain", count=6).reshape(6, 2), values("uplink.gain").reshape(4, 2)
    assert wide[:4].tolist() == narrow.tolist()


def test_draws_are_all_different_also_inside_a_sum() -> None:
    drawn = np.concatenate([values("device.work"), values("server.cpu"), values("uplink.gain")])
    assert len(set(drawn.tolist())) == len(drawn)
    assert values("total") not in 4 * np.arange(0.0, 1.0, 0.25)


def test_bounds_of_a_uniform_draw() -> None:
    drawn = values("device.work", count=2000)
    assert drawn.min() >= 1e9
    assert drawn.max() <= 2e9
    assert drawn.mean() == pytest.approx(1.5e9, rel=0.02)


def test_the_written_data_solve_to_the_same_last_bit(tmp_path: Path) -> None:
    model = mecdsl.loads(TEXT, seed=7)
    file = tmp_path / "case.json"
    file.write_text(json.dumps(data_of(model.instance())))
    again = mecdsl.loads(TEXT, data=json.loads(file.read_text()))
    for name in ("device.work", "server.cpu", "uplink.gain", "total"):
        assert again.instance().data(name).tolist() == model.instance().data(name).tolist()
    assert again.solve("highs").objective == model.solve("highs").objective


def test_given_data_replace_the_draw() -> None:
    assert values("device.work", data={"device": {"work": [1e9, 2e9, 3e9, 4e9]}}).tolist() == [
        1e9,
        2e9,
        3e9,
        4e9,
    ]


def test_a_draw_outside_a_parameter_is_a_fault() -> None:
    with pytest.raises(mecdsl.ModelError) as caught:
        mecdsl.loads("let a : 1 = uniform(0, 1)\nvar x : 1 >= a\nminimize cost = x").instance()
    assert [d.code for d in caught.value.diagnostics] == ["E115"]
