"""The exact form of the NOMA model has the optimum of the model: every point of the model has one of
the form that costs no more, and every point of the form one of the model that costs no more.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.instances.instance import Instance
from mecdsl.instances.restated import restated
from mecdsl.parsing.syntax import Kind
from mecdsl.results.violations import broken
from mecdsl.solution import Guarantee, SolveOptions
from mecdsl.solve import solve
from tests.noma_literal import draw_decisions, draw_system, model_data, model_values
from tests.test_noma_model import FORMS, point_of

MODELS = Path(__file__).resolve().parent.parent / "models"


def lifted(base: Instance, x: np.ndarray, form: Instance) -> np.ndarray:
    """The point of the form that says the same as one of the model: rates by the sinr of the model,
    and the price of a bit from its rate.
    """
    values = base.symbol_values(x, (Kind.LET,))
    of_form = form.symbol_values(np.zeros(form.columns), (Kind.LET,))
    own = {family.name: x[family.columns] for family in base.variables}
    prices = {}
    for link in ("uplink", "downlink"):
        assigned = own[f"user.{link}_assigned"]
        users, active = len(own[f"user.{link}_power"]), values["user.active"]
        most = form.data(f"{link}_power_max")[0]
        power = np.where(active > 0, own[f"user.{link}_power"], most)
        noise = form.data(f"{link}_noise")[0]
        heard = values[f"user.{link}_heard"] / noise
        sinr = (values[f"user.{link}_sinr"] * assigned).reshape(users, -1).sum(axis=1)
        sinr[active == 0] = np.exp(of_form[f"user.{link}_most"][active == 0])
        own[f"user.{link}_level"] = np.log(power / most)
        own[f"user.{link}_heard_nats"] = np.log(heard)
        own[f"user.{link}_log_sinr"] = np.log(sinr)
        own[f"user.{link}_nats"] = np.log1p(sinr)
        own[f"user.{link}_log_rate"] = np.log(np.log1p(sinr))
        spent = form.data("user.energy_weight") * own[f"user.{link}_power"]
        prices[link] = active * (form.data("user.time_weight") + spent) / np.log1p(sinr)
    own["user.downlink_price"] = prices["downlink"]
    cut = own["user.cut"].reshape(users, -1)
    own["user.cut_price"] = (cut * prices["uplink"][:, None]).ravel()
    best = of_form["user.best_speed"]
    exponent, home = form.data("edge_exponent")[0], form.data("user.home").astype(int) - 1
    own["user.edge_units"] = (best / form.data("access_point.unit_speed")[home]) ** (1 / exponent)
    result = np.empty(form.columns)
    for family in form.variables:
        result[family.columns] = own[family.name]
    return result


@pytest.mark.parametrize("form", ["", "silent"])
@pytest.mark.parametrize("shape", [(2, 5, 3), (3, 7, 2), (1, 4, 2), (1, 1, 1)])
@pytest.mark.slow
def test_points_of_the_model_and_of_its_form_cost_the_same(
    form: str, shape: tuple[int, int, int]
) -> None:
    system = draw_system(sum(shape), *shape)
    base = mecdsl.load(MODELS / "noma.mec", data=model_data(system)).instance(form)
    stated = restated(base)
    assert stated is not None
    free = stated.instance
    for seed in range(12):
        x = point_of(base, model_values(system, draw_decisions(system, seed, FORMS[form])))
        y = lifted(base, x, free)
        missed = {v.family for v in broken(free, y)} - {v.family for v in broken(base, x)}
        assert missed <= {"dominated_cut"}  # a cut that is never better than another one
        better = x.copy()
        units = base.variable("user.edge_units").columns
        better[units] = y[free.variable("user.edge_units").columns]
        assert base.objective(better) <= base.objective(x) * (1 + 1e-12)
        assert free.objective(y) == pytest.approx(base.objective(better), rel=1e-9)
        assert y[stated.columns] == pytest.approx(better)


# what a solver would like to change at a point of the model, and the row that keeps it from that
GAINS = {
    "heard_nats": (-1e-3, "all_heard"),
    "log_sinr": (1e-3, "sinr_there"),
    "nats": (1e-3, "sinr_rate"),
    "log_rate": (1e-3, "log_of_rate"),
    "level": (-1e-3, "power_spent"),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.slow
def test_nothing_of_the_form_is_cheaper_than_the_model(seed: int) -> None:
    system = draw_system(seed, 2, 5, 2)
    base = mecdsl.load(MODELS / "noma.mec", data=model_data(system)).instance("silent")
    stated = restated(base)
    assert stated is not None
    x = point_of(base, model_values(system, draw_decisions(system, seed, FORMS["silent"])))
    y = lifted(base, x, stated.instance)
    before = {v.family for v in broken(stated.instance, y)}
    for link, (name, (step, row)) in product(("uplink", "downlink"), GAINS.items()):
        better = y.copy()
        better[stated.instance.variable(f"user.{link}_{name}").columns] += step
        after = {v.family for v in broken(stated.instance, better)}
        assert f"{link}_{row}" in after - before


@pytest.mark.parametrize("form", ["", "silent"])
@pytest.mark.slow
def test_prices_of_the_form_are_those_of_the_model(form: str) -> None:
    system = draw_system(3, 2, 5, 2)
    base = mecdsl.load(MODELS / "noma.mec", data=model_data(system)).instance(form)
    stated = restated(base)
    assert stated is not None
    x = point_of(base, model_values(system, draw_decisions(system, 3, FORMS[form])))
    y = lifted(base, x, stated.instance)
    for link, name in (("uplink", "cut_price"), ("downlink", "downlink_price")):
        less = y.copy()
        less[stated.instance.variable(f"user.{name}").columns] *= 1 - 1e-4
        assert f"{link}_price_paid" in {v.family for v in broken(stated.instance, less)}


@pytest.mark.slow
@pytest.mark.parametrize(("form", "users"), [("", 4), ("silent", 3)])
def test_scip_proves_what_the_derived_method_proves(form: str, users: int) -> None:
    instance = mecdsl.load(MODELS / "noma.mec", seed=1, user_count=users).instance(form)
    exact = solve(instance, "noma-exact", SolveOptions())
    result = solve(instance, "scip", SolveOptions(time_limit=600, seed=1))
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(exact.objective, rel=1e-6)
    assert result.bound == pytest.approx(exact.objective, rel=1e-6)
