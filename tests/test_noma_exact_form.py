"""The exact form of the NOMA model has the optimum of the model: every point of the model has one of
the form that costs no more, and every point of the form one of the model that costs no more.
"""

from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.instances.instance import Instance
from mecdsl.instances.restated import restated
from mecdsl.parsing.syntax import Kind
from mecdsl.results.violations import broken
from tests.noma_literal import draw_decisions, draw_system, model_data, model_values
from tests.test_noma_model import FORMS, point_of

MODELS = Path(__file__).resolve().parent.parent / "models"


def lifted(base: Instance, x: np.ndarray, form: Instance) -> np.ndarray:
    """The point of the form that says the same as one of the model: rates by the sinr of the model,
    and the price of a bit from its rate.
    """
    values = base.symbol_values(x, (Kind.LET,))
    own = {family.name: x[family.columns] for family in base.variables}
    for link in ("uplink", "downlink"):
        assigned = own[f"user.{link}_assigned"]
        users = len(own[f"user.{link}_power"])
        power = np.repeat(own[f"user.{link}_power"], len(assigned) // users)
        own[f"user.{link}_on"] = power * assigned
        own[f"user.{link}_nats"] = np.log1p(values[f"user.{link}_sinr"])
        nats = own[f"user.{link}_nats"].reshape(users, -1).sum(axis=1)
        active = values["user.active"]
        paid = (
            form.data("user.time_weight") * active
            + form.data("user.energy_weight") * own[f"user.{link}_power"]
        )
        own[f"user.{link}_price"] = np.divide(paid, nats, out=np.zeros(users), where=active > 0)
    cut = own["user.cut"].reshape(users, -1)
    own["user.cut_price"] = (cut * own["user.uplink_price"][:, None]).ravel()
    best = form.symbol_values(np.zeros(form.columns), (Kind.LET,))["user.best_speed"]
    exponent, home = form.data("edge_exponent")[0], form.data("user.home").astype(int) - 1
    own["user.edge_units"] = (best / form.data("access_point.unit_speed")[home]) ** (1 / exponent)
    result = np.empty(form.columns)
    for family in form.variables:
        result[family.columns] = own[family.name]
    return result


@pytest.mark.parametrize("form", ["", "silent"])
@pytest.mark.parametrize("shape", [(2, 5, 3), (3, 7, 2), (1, 4, 2), (1, 1, 1)])
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
        # rates below the true ones cost more: the rows bind them from above, prices from below
        for link in ("uplink", "downlink"):
            y[free.variable(f"user.{link}_nats").columns] *= 0.9
            y[free.variable(f"user.{link}_price").columns] /= 0.9
        y[free.variable("user.cut_price").columns] /= 0.9
        assert free.objective(y) >= base.objective(better)
