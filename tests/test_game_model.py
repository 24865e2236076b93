"""The shipped texts of the game against plain loops over the paper's formulas, and general solvers
on them against an enumeration.
"""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.instances.instance import Instance
from mecdsl.parsing.syntax import Kind
from tests.game_alexnet import TABLE, rows
from tests.game_literal import (
    Case,
    Profile,
    cost,
    delay_and_energy,
    draw_case,
    feasible,
    profiles,
    random_profile,
)

MODELS = Path(__file__).resolve().parent.parent / "models"


@cache
def case_of(name: str) -> Case:
    layers, slots, parallel, deadline, gamma = {
        "three": ([2, 1, 2], 2, 2, 20.0, None),
        "alike weights": ([2, 1, 2], 2, 1, 20.0, 0.002),
        "late": ([3, 2], 2, 1, 1.9, None),
    }[name]
    return draw_case(5, layers, slots, parallel, deadline=deadline, gamma=gamma)


def as_values(case: Case, profile: Profile) -> np.ndarray:
    return np.concatenate(
        [
            [float(h == place) for h in range(case["slot_count"] + 1)]
            for places in profile
            for place in places
        ]
    )


def keeps(instance: Instance, x: np.ndarray) -> bool:
    differences = instance.differences(x)
    return all(
        (differences[family.name] <= 1e-12).all()
        if family.relation.value == "<="
        else (differences[family.name] >= -1e-12).all()
        if family.relation.value == ">="
        else (differences[family.name] == 0.0).all()
        for family in instance.constraints
    )


def optimum(case: Case, *, shared: bool = False) -> float:
    """The least sum of costs, by enumeration."""
    return min(
        sum(cost(case, n, profile) for n in range(case["device_count"]))
        for profile in profiles(case)
        if feasible(case, profile, shared=shared)
    )


@pytest.mark.parametrize("form", ["", "total_capacity"])
@pytest.mark.slow
def test_the_model_says_what_the_paper_says(form: str) -> None:
    case = case_of("three")
    instance = mecdsl.load(MODELS / "game.mec", data=case).instance(form)
    random = np.random.default_rng(1)
    verdicts = set()
    for _ in range(40):
        profile = random_profile(case, random)
        x = as_values(case, profile)
        found = instance.symbol_values(x, (Kind.LET, Kind.REPORT))
        costs = [cost(case, n, profile) for n in range(3)]
        both = [delay_and_energy(case, n, places) for n, places in enumerate(profile)]
        assert instance.objective(x) == pytest.approx(sum(costs), rel=1e-12)
        assert found["cost"] == pytest.approx(costs, rel=1e-12)
        assert found["delay"] == pytest.approx([pair[0] for pair in both], rel=1e-12)
        assert found["energy"] == pytest.approx([pair[1] for pair in both], rel=1e-12)
        assert found["mean_delay"][0] == pytest.approx(np.mean([pair[0] for pair in both]))
        assert found["mean_energy"][0] == pytest.approx(np.mean([pair[1] for pair in both]))
        verdicts.add(kept := feasible(case, profile, shared=form != ""))
        assert keeps(instance, x) == kept
    assert verdicts == ({True} if form == "" else {True, False})


def test_the_model_refuses_what_the_constraints_refuse() -> None:
    case = case_of("late")
    instance = mecdsl.load(MODELS / "game.mec", data=case).instance()
    verdicts = [
        (keeps(instance, as_values(case, profile)), feasible(case, profile))
        for profile in profiles(case)
    ]
    assert all(found == wanted for found, wanted in verdicts)
    assert {wanted for _, wanted in verdicts} == {True, False}


@pytest.mark.parametrize(
    ("name", "form"),
    [("three", ""), ("alike weights", ""), ("late", ""), ("three", "+total_capacity")],
)
@pytest.mark.slow
def test_scip_finds_the_social_optimum_of_an_enumeration(name: str, form: str) -> None:
    case = case_of(name)
    result = mecdsl.load(MODELS / "game.mec", data=case).solve("scip", form=f"social{form}")
    assert result.verified
    assert result.worth.startswith("globally optimal if form ")  # the exact form of `social`
    assert "staircase is exact" in result.worth
    assert result.objective == pytest.approx(optimum(case, shared=form != ""), rel=1e-6)


@pytest.mark.slow
def test_places_come_with_every_answer() -> None:
    case = case_of("three")
    result = mecdsl.load(MODELS / "game.mec", data=case).solve("scip", form="social")
    runs_in = result["layer.runs_in"].reshape(5, 3)  # five layers; the device and two slots
    assert result["layer.place"].tolist() == runs_in.argmax(axis=1).tolist()


def test_the_table_of_alexnet_is_that_of_the_delay_model() -> None:
    with TABLE.open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    names = ("index", "local_time [s]", "server_time [s]", "output_size [bit]")
    found = np.array([[float(line[name]) for name in names] for line in lines])
    wanted = np.array(list(rows())) * [1.0, 1e-3, 1e-3, 1.0]
    assert found == pytest.approx(wanted, rel=1e-12)
    # by hand, (6) for conv1: 55^2 11^2 = 366,025, times 3 times 96 is 105,415,200
    first = (0.3 * 105_415_200 + 2.6 * 366_025 * 96 + 4.8 * 3_025 * 3) * 1e-8
    assert found[0, 1] == pytest.approx(first, rel=1e-12)


def test_a_device_has_the_layers_of_its_network() -> None:
    model = mecdsl.load(MODELS / "game.mec", device_count=2)
    data = {"device.network": ["lenet", "vgg13"], "device.deadline": [5.0, 100.0]}
    instance = mecdsl.load(MODELS / "game.mec", data={"device_count": 2, **data}).instance()
    assert instance.data("device.layer_count").tolist() == [8.0, 31.0]
    assert instance.data("device.input_size").tolist() == [32 * 28 * 28, 32 * 3 * 224 * 224]
    assert len(instance.data("layer.local_time")) == 39
    # conv5_1 of VGG13, layer 21, takes 140 ms at the server, just inside a slot
    assert instance.data("layer.server_time")[8 + 20] == pytest.approx(0.140, abs=1e-3)
    assert model.instance().data("layer.server_time")[21] == pytest.approx(
        instance.data("alexnet_layer.server_time")[0]
    )
