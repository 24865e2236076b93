"""The shipped models of the NOMA paper against plain loops over its formulas, and the derivatives of
the relaxation against those of the arrays.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.analysis.derivatives import SmoothProgram
from mecdsl.backends.noma.relaxation import Load, Point, Sharing
from mecdsl.backends.noma.system import Form, Reals, System
from mecdsl.instances.instance import Instance
from tests.noma_literal import (
    draw_decisions,
    draw_system,
    model_data,
    model_values,
    objective,
    of_decisions,
    plain,
)

MODELS = Path(__file__).resolve().parent.parent / "models"
FORMS = {
    "": Form(),
    "silent": Form(silent=True),
    "oma": Form(oma=True),
    "oma_silent": Form(silent=True, oma=True),
}
SHAPES = [(2, 5, 3), (3, 7, 2), (1, 4, 2), (2, 4, 1), (2, 1, 2), (1, 1, 1)]


@cache
def case(
    shape: tuple[int, int, int], ties: bool
) -> tuple[System, mecdsl.LoadedModel, mecdsl.LoadedModel]:
    system = draw_system(sum(shape), *shape, ties=ties)
    data = model_data(system)
    return (
        system,
        mecdsl.load(MODELS / "noma.mec", data=data),
        mecdsl.load(MODELS / "noma_relaxed.mec", data=data),
    )


def point_of(instance: Instance, values: dict[str, Reals]) -> Reals:
    x = np.empty(instance.columns)
    for family in instance.variables:
        x[family.columns] = np.ravel(values[family.name])
    return x


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.slow
def test_the_model_says_what_the_paper_says(
    form: str, shape: tuple[int, int, int], ties: bool
) -> None:
    system, model, _ = case(shape, ties)
    instance = model.instance(form)
    for seed in range(6):
        decisions = draw_decisions(system, seed, FORMS[form])
        found = instance.objective(point_of(instance, model_values(system, decisions)))
        assert found == pytest.approx(of_decisions(system, FORMS[form], decisions), rel=1e-11)


def draw_relaxed(system: System, seed: int) -> dict[str, Reals]:
    draw, shape = np.random.default_rng(seed), system.shape[1:]
    cut = draw.integers(0, system.layers + 1, shape[0])
    found = {
        "user.cut": (cut[:, None] == np.arange(system.layers + 1)).astype(float),
        "user.edge_units": draw.uniform(1.0, 32.0, shape[0]),
    }
    for link in system.links:
        found[f"user.{link.way.value}_assigned"] = draw.dirichlet(np.ones(shape[1]), shape[0])
        power = draw.uniform(link.power_min, link.power_max, shape)
        found[f"user.{link.way.value}_subchannel_power"] = power
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ties", [False, True])
def test_the_relaxed_model_says_what_the_paper_says(
    shape: tuple[int, int, int], ties: bool
) -> None:
    system, _, model = case(shape, ties)
    instance = model.instance()
    for seed in range(4):
        values = draw_relaxed(system, seed)
        beta = [values[f"user.{way}_assigned"].tolist() for way in ("uplink", "downlink")]
        power = [values[f"user.{way}_subchannel_power"].tolist() for way in ("uplink", "downlink")]
        cut = values["user.cut"].argmax(axis=1).tolist()
        units = values["user.edge_units"].tolist()
        expected = objective(plain(system), cut, (beta[0], beta[1]), (power[0], power[1]), units)
        assert instance.objective(point_of(instance, values)) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ties", [False, True])
def test_the_gradient_on_arrays_is_that_of_the_model(
    shape: tuple[int, int, int], ties: bool
) -> None:
    system, _, model = case(shape, ties)
    instance = model.instance()
    values = draw_relaxed(system, 9)
    gradient = np.zeros(instance.columns)
    program = SmoothProgram(instance)
    gradient[program.columns] = program.gradient(point_of(instance, values)[program.columns])
    cut, every = values["user.cut"].argmax(axis=1), np.arange(shape[1])
    sizes = system.cut_size[every, cut], system.result_size
    for link, size in zip(system.links, sizes, strict=True):
        load = Load(size, system.time_weight, system.energy_weight)
        beta, power = (
            values[f"user.{link.way.value}_{name}"] for name in ("assigned", "subchannel_power")
        )
        found = Point(Sharing(link), load, beta, power).gradient()
        for name, slopes in zip(("assigned", "subchannel_power"), found, strict=True):
            expected = gradient[instance.variable(f"user.{link.way.value}_{name}").columns]
            least = 1e-12 * np.abs(expected).max()
            assert slopes.ravel() == pytest.approx(expected, rel=1e-8, abs=least)
