"""The fog models in the language: data, closed forms, identities and forms of problems (31) and
(24), by Ipopt.

`smallest_latency` is a second, independent statement of the feasibility of the problem: a linear
programme in which everything runs at full speed and power.
"""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

import mecdsl
from mecdsl.backends.fog.newton import newton
from mecdsl.backends.fog.recognise import Recognised, recognise
from mecdsl.diagnostics import ModelError
from mecdsl.instances.algebra import Floats
from mecdsl.instances.instance import difference
from mecdsl.results.result import Result

pytestmark = pytest.mark.slow  # whole solves of the fog model
MODELS = Path(__file__).resolve().parent.parent / "models"
MODEL = MODELS / "fog.mec"
POWERS = MODELS / "fog_powers.mec"
CASE: dict[str, Any] = {
    "node_count": 3,
    "layer_count": 2,
    "master": 2,
    "input_columns": 128,
    "input_rows": 96,
    "latency": 0.12,
    "bandwidth": 1e6,
    "noise_density": 4e-21,
    "bits_per_element": 1,
    "nats_per_bit": 1,
    "fog_node": {
        "capacitance": [1e-28, 2e-28, 1.5e-28],
        "cycles_per_mac": [300, 450, 600],
        "cpu_max": [2.0e9, 2.5e9, 3.0e9],
        "power_max": [0.2, 0.25, 0.1],
        "circuit_power": [0.05, 0.1, 0.08],
    },
    "layer_pack": {"filter_size": [3, 3]},
    "distribution": {"gain": [2e-9, 5e-9]},
    "neighbour": {"gain": [[4e-9, 3e-9], [4e-9, 3e-9], [6e-10, 7e-10], [8e-10, 9e-10]]},
}
Case = dict[str, Any]


def solve(form: str = "", model: Path = MODEL, **changes: Any) -> Result:
    result = mecdsl.load(model, data={**CASE, **changes}).solve("ipopt", form)
    assert result.verified, result.faults
    return result


def value(result: Result) -> float:
    assert result.objective is not None
    return result.objective


def alone(**changes: Any) -> Case:
    """The data of a single node."""
    node = {name: [values[0]] for name, values in CASE["fog_node"].items()}
    empty: Case = {"distribution": {"gain": []}, "neighbour": {"gain": []}}
    return {"node_count": 1, "master": 1, "fog_node": node, **empty, **changes}


def random_case(
    seed: int, nodes: int, layers: int, decades: float, master: int | None = None
) -> Case:
    """A system whose gains and capacitances spread over decades; pairs are reciprocal."""
    random = np.random.default_rng(seed)

    def gains(count: int) -> np.ndarray[Any, Any]:
        return (
            1e-4
            * random.uniform(5, 50, count) ** -3
            * 10 ** random.uniform(-decades, decades, count)
        )

    pair = gains(nodes - 1)
    links = [[k, m] for k in range(nodes) for m in (k - 1, k + 1) if 0 <= m < nodes]
    return {
        **CASE,
        "node_count": nodes,
        "layer_count": layers,
        "master": master or int(random.integers(1, nodes + 1)),
        "input_columns": 512,
        "input_rows": 100 * nodes,
        "bandwidth": 5e5,
        "fog_node": {
            "capacitance": (
                1e-28 * 10 ** random.uniform(-decades / 2, decades / 2, nodes)
            ).tolist(),
            "cycles_per_mac": random.uniform(270, 730, nodes).tolist(),
            "cpu_max": random.uniform(2e9, 3e9, nodes).tolist(),
            "power_max": [0.2] * nodes,
            "circuit_power": [0.1] * nodes,
        },
        "layer_pack": {"filter_size": [3] * layers},
        "distribution": {"gain": gains(nodes - 1).tolist()},
        "neighbour": {"gain": [[float(pair[min(ends)])] * layers for ends in links]},
    }


def smallest_latency(case: Case) -> float:
    """The least sum of layer times and distribution at full speed and power, by a linear
    programme.
    """
    nodes, layers, master = case["node_count"], case["layer_count"], case["master"] - 1
    node, noise = case["fog_node"], case["noise_density"] * case["bandwidth"]
    columns = np.floor(case["input_columns"] / 2.0 ** np.arange(layers))
    macs = np.array(case["layer_pack"]["filter_size"]) ** 2 * columns / 2.0 ** np.arange(layers)
    seconds_per_row = np.outer(np.array(node["cycles_per_mac"]) / np.array(node["cpu_max"]), macs)
    power = np.array(node["power_max"])
    senders = [k for k in range(nodes) for m in (k - 1, k + 1) if 0 <= m < nodes]
    exchange = np.zeros((nodes, layers))
    for sender, gain in zip(senders, case["neighbour"]["gain"], strict=True):
        exchange[sender] += columns / (
            case["bandwidth"] * np.log1p(power[sender] * np.array(gain) / noise)
        )
    per_row = np.zeros(nodes)
    others = [k for k in range(nodes) if k != master]
    for k, gain in zip(others, case["distribution"]["gain"], strict=True):
        per_row[k] = case["input_columns"] / (
            case["bandwidth"] * np.log1p(power[master] * gain / noise)
        )
    boundary = sum(per_row[k] * (1 + (0 < k < nodes - 1)) for k in others)
    rows = [
        np.concatenate([np.diag(seconds_per_row[:, n]), -np.eye(layers)[[n] * nodes]], axis=1)
        for n in range(layers)
    ]
    found = linprog(
        np.concatenate([per_row, np.ones(layers)]),
        A_ub=np.concatenate(rows),
        b_ub=-exchange.T.ravel(),
        A_eq=np.concatenate([np.ones(nodes), np.zeros(layers)])[None],
        b_eq=[case["input_rows"]],
    )
    return float(found.fun + boundary)


# Data


def test_data_stand_at_their_indices() -> None:
    instance = mecdsl.load(MODEL, data=CASE).instance()
    assert instance.world.row_text("distribution.gain", 1) == "distribution.gain[3]"
    assert instance.world.row_text("neighbour.gain", 4) == "neighbour.gain[2, 3, 1]"
    assert instance.data("neighbour.gain")[4] == 6e-10
    assert instance.data("fog_node.boundary_rows").tolist() == [1, 2, 1]
    assert instance.data("layer_pack.columns").tolist() == [128, 64]
    assert instance.data("layer_pack.macs_per_row").tolist() == [9 * 128, 9 * 64 / 2]
    assert instance.data("fog_node.cycles_per_row")[:2].tolist() == [
        300 * 9 * 128,
        300 * 9 * 64 / 2,
    ]


@pytest.mark.parametrize("model", [MODEL, POWERS])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"distribution": {"gain": [2e-9, 5e-9, 1e-9]}},
            "`distribution.gain` has 3 values, expected 2",
        ),
        ({"distribution": {"gain": [2e-9]}}, "`distribution.gain` has 1 value, expected 2"),
        ({"neighbour": {"gain": [[4e-9, 3e-9]] * 3}}, "`neighbour.gain` has 3 lists, expected 4"),
        ({"neighbour": {"gain": [[4e-9]] * 4}}, "`neighbour.gain` item 1 has 1 value, expected 2"),
        ({"neighbour": {"gain": 4e-9}}, "needs a list"),
        ({"layer_pack": {"filter_size": [3]}}, "`layer_pack.filter_size` has 1 value, expected 2"),
        ({"node_count": 4}, "expected 4"),
        ({"master": 4}, "`master`"),
        ({"master": 1.5}, "`master`"),
        ({"distribution": {"gian": [2e-9, 5e-9]}}, "gian"),
    ],
)
def test_data_of_another_shape_are_errors(model: Path, changes: Case, message: str) -> None:
    with pytest.raises(ModelError) as raised:
        mecdsl.load(model, data={**CASE, **changes}).instance()
    assert message in str(raised.value)


def test_default_gains_are_those_of_places_and_the_same_both_ways() -> None:
    instance = mecdsl.load(MODEL, node_count=6, layer_count=4).instance()
    pairs = instance.data("neighbour.gain").reshape(10, 4)
    assert (pairs == pairs[:, :1]).all()  # the same for all layers
    down, up = pairs[0::2, 0], pairs[1::2, 0]  # 1->2, 2->1, 2->3, 3->2, ...
    assert (down == up).all()
    assert len(set(down.tolist())) == 5
    for gains in (down, instance.data("distribution.gain")):
        assert ((gains >= 1e-4 * 50.0**-3) & (gains <= 1e-4 * 5.0**-3)).all()


def test_the_master_is_drawn_from_all_nodes_and_can_be_set() -> None:
    model = mecdsl.load(MODEL, node_count=3)
    drawn = {int(replace(model, seed=seed).instance().data("master")[0]) for seed in range(30)}
    assert drawn == {1, 2, 3}
    receivers = (
        mecdsl.load(MODEL, master=1).instance().world.families["distribution"].table.columns["k"]
    )
    assert receivers.tolist() == list(range(2, 11))


def test_both_models_read_one_file_and_draw_the_same_numbers() -> None:
    names = (
        "master",
        "fog_node.cycles_per_mac",
        "fog_node.cpu_max",
        "distribution.gain",
        "neighbour.gain",
    )
    one, other = (mecdsl.load(model, seed=5).instance() for model in (MODEL, POWERS))
    for name in names:
        assert one.data(name).tolist() == other.data(name).tolist()


@pytest.mark.parametrize("model", [MODEL, POWERS])
def test_starts_lie_strictly_inside_rates_and_powers(model: Path) -> None:
    instance = mecdsl.load(model, seed=3).instance()
    start = instance.first_point()
    assert (instance.start[instance.free] > 0).all()
    evaluator = instance.evaluator(Floats(start))
    inside = [f for f in instance.constraints if f.name.endswith(("_rate", "_power"))]
    assert len(inside) == 4
    for family in inside:
        assert (difference(evaluator, family) < 0).all()


# Energies


def test_one_node_has_the_closed_form() -> None:
    # V = kappa (d^y sum_n a_n)^3 / tau^2 while the processor can; M_n = 9 d_n^x / 2^(n-1), d_n^x =
    # 128, 64
    cycles = 96 * 300 * (9 * 128 + 9 * 64 / 2)
    assert value(solve(**alone(latency=0.5))) == pytest.approx(1e-28 * cycles**3 / 0.5**2, rel=1e-6)


def test_energy_scales_with_powers_and_noise() -> None:
    # kappa, P^c, p^max and N0 times s: the energy times s
    node = CASE["fog_node"]
    tripled = ("capacitance", "power_max", "circuit_power")
    scaled = {**node, **{name: [3 * v for v in node[name]] for name in tripled}}
    assert value(solve(fog_node=scaled, noise_density=3 * 4e-21)) == pytest.approx(
        3 * value(solve()), rel=1e-6
    )


def test_only_nats_of_an_element_count() -> None:
    # bits per element and nats per bit stand only in their product
    one = solve(bits_per_element=2, nats_per_bit=0.5)
    assert value(one) == pytest.approx(value(solve()), rel=1e-7)


def test_reversing_the_nodes_changes_nothing() -> None:
    node = {name: values[::-1] for name, values in CASE["fog_node"].items()}
    distribution, neighbour = {"gain": [5e-9, 2e-9]}, {"gain": CASE["neighbour"]["gain"][::-1]}
    mirrored = solve(fog_node=node, distribution=distribution, neighbour=neighbour)
    assert value(mirrored) == pytest.approx(value(solve()), rel=1e-6)
    assert mirrored["fog_node.rows"][::-1] == pytest.approx(solve()["fog_node.rows"], rel=1e-3)


def test_equal_rows_cost_more_and_a_later_deadline_less() -> None:
    assert value(solve(latency=0.2)) < value(solve()) < value(solve("equal"))


def test_the_deadline_is_tight_at_the_optimum() -> None:
    result = solve()
    used = result["distribution.time"].sum() + result["layer_pack.time"].sum()
    assert used == pytest.approx(0.12, rel=1e-6)


def test_energy_per_mac_is_the_energy_by_all_macs() -> None:
    result = solve()
    assert result.reports["energy_per_mac"][0] == pytest.approx(
        value(result) / (96 * (9 * 128 + 9 * 64 / 2))
    )


# Ipopt on easy and hard instances; the powers of (24) give another path to the same optimum

SIZES = [(1, 3, 0.0), (2, 1, 1.0), (5, 3, 1.0), (20, 3, 0.5)]


@pytest.mark.slow
@pytest.mark.parametrize("slack", [1.001, 1.1, 10.0])
@pytest.mark.parametrize(("nodes", "layers", "decades"), SIZES)
def test_energies_and_powers_have_one_optimum(
    nodes: int, layers: int, decades: float, slack: float
) -> None:
    case = random_case(nodes, nodes, layers, decades, master=nodes)
    case["latency"] = slack * smallest_latency(case)
    by_energy, by_power = (solve(model=model, **case) for model in (MODEL, POWERS))
    assert value(by_power) == pytest.approx(value(by_energy), rel=1e-6)
    assert max(len(by_energy.iterations), len(by_power.iterations)) <= 100


def test_fifty_nodes_by_both_models() -> None:
    case = random_case(7, 50, 3, 0.3)
    case["latency"] = 2 * smallest_latency(case)
    by_energy, by_power = (solve(model=model, **case) for model in (MODEL, POWERS))
    assert value(by_power) == pytest.approx(value(by_energy), rel=1e-6)
    assert max(len(by_energy.iterations), len(by_power.iterations)) <= 100
    # a lower bound: nothing is sent, so each node has all the time: rows that minimise sum kappa
    # (work d)^3 / tau^2
    work = np.array(case["fog_node"]["cycles_per_mac"]) * sum(9 * 512 / 4**n for n in range(3))
    kappa = np.array(case["fog_node"]["capacitance"])
    share = (kappa * work**3) ** -0.5
    rows = case["input_rows"] * share / share.sum()
    assert value(by_energy) > float((kappa * (work * rows) ** 3).sum()) / case["latency"] ** 2


@pytest.mark.parametrize("model", [MODEL, POWERS])
def test_a_deadline_too_short_is_locally_infeasible_just_below_the_smallest(model: Path) -> None:
    case = random_case(3, 4, 2, 0.3)
    case["latency"] = 0.999 * smallest_latency(case)
    result = mecdsl.load(model, data=case).solve("ipopt")
    assert result.termination.value == "locally infeasible"
    assert result.objective is None


# Forms


@pytest.mark.slow
def test_whole_rows_are_the_best_of_all_allocations() -> None:
    # two nodes, 8 rows: all nine allocations, each with the rest optimal, against branch and bound
    case: Case = {**random_case(4, 2, 1, 0.3), "input_rows": 8}
    case["latency"] = 1.2 * smallest_latency(case)
    fixed = "\n".join(
        f"form at{d}: fix fog_node.rows[1] = {d} row, fix fog_node.rows[2] = {8 - d} row"
        for d in range(9)
    )
    model = mecdsl.loads(f"{MODEL.read_text()}\n{fixed}\n", data=case, folder=MODELS)
    results = [model.solve("ipopt", f"at{d}") for d in range(9)]
    energies = [value(r) for r in results if r.verified]
    assert 1 < len(energies) < 9  # the deadline excludes some
    # the rows keep all rates away from the poles of the energies
    for backend, worth in (("bonmin", "globally optimal"), ("scip", "globally optimal")):
        best = model.solve(backend, "whole_rows")
        assert best.guarantee.value == worth
        assert value(best) == pytest.approx(min(energies), rel=1e-5)
    assert min(energies) > value(model.solve("ipopt"))


def test_the_back_end_is_one_more_share_of_the_work_of_a_single_node() -> None:
    # one node, W1 cycles in t1 and W2 in tb with t1 + tb = tau: kappa (W1 + W2)^3/tau^2, tb = tau
    # W2/(W1 + W2)
    front, back = 9 * 128 + 9 * 64 / 2, 9 * 32 / 4 + 25 * 16 / 8
    data = alone(latency=0.5, total_layers=4, back_end_filter_size=[3, 5])
    result = solve("back_end_joint", **data)
    assert value(result) == pytest.approx(
        1e-28 * (96 * 300 * (front + back)) ** 3 / 0.5**2, rel=1e-6
    )
    assert result["back_end_time"] == pytest.approx(0.5 * back / (front + back), rel=1e-4)


def test_a_back_end_at_a_fixed_frequency_adds_a_constant() -> None:
    # W = d^y c_m sum over layers 3, 4 of 9 d_n^x/2^(n-1), d_n^x = 32, 16; energy kappa_m f^2 W, f
    # by default v_m
    cycles = 96 * 450 * (9 * 32 / 4 + 9 * 16 / 8)
    base = value(solve())
    default = solve("back_end_fixed", total_layers=4)
    slower = solve("back_end_fixed", total_layers=4, back_end_frequency=1e9)
    assert value(default) == pytest.approx(base + 2e-28 * 2.5e9**2 * cycles, rel=1e-6)
    assert value(slower) == pytest.approx(base + 2e-28 * 1e9**2 * cycles, rel=1e-6)


def test_a_back_end_before_the_deadline_costs_time_and_energy() -> None:
    base, joint, without = (
        solve(),
        solve("back_end_joint", total_layers=4),
        solve("back_end_joint", total_layers=2),
    )
    assert value(joint) > value(base)
    assert value(without) == pytest.approx(value(base), rel=1e-6)
    used = (
        joint["distribution.time"].sum() + joint["layer_pack.time"].sum() + joint["back_end_time"]
    )
    assert used == pytest.approx(0.12, rel=1e-6)


def test_more_layers_together_cost_no_more_than_at_one_node_in_the_end() -> None:
    # energies of the part done together grow with the number of layers
    energies = [
        value(
            solve(
                layer_count=n,
                layer_pack={"filter_size": [3] * n},
                neighbour={"gain": [[1e-9] * n] * 4},
                latency=1,
            )
        )
        for n in (1, 2, 3)
    ]
    assert all(low < high for low, high in pairwise(energies))


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "layers", "deadline"), [(2, 1, 1.0), (3, 2, 2.0)])
def test_scip_claims_no_bound_above_a_plan_with_whole_rows(
    nodes: int, layers: int, deadline: float
) -> None:
    # with SCIP's own tolerances of LPs the first came out as 321 mJ and the second as 48.07 mJ,
    # both called optimal
    model = mecdsl.load(MODEL, seed=1, node_count=nodes, layer_count=layers, latency=deadline)
    found = recognise(model.instance())
    assert isinstance(found, Recognised)
    best = newton(found.system).rows
    assert best is not None
    rows = np.floor(best)
    rows[0] += 1024 - rows.sum()
    plan = newton(found.system, rows=rows)
    assert plan.objective is not None
    claimed = model.solve("scip", form="whole_rows", raw={"limits/nodes": 1000})
    assert claimed.bound is not None
    assert claimed.bound <= plan.objective * (1 + 1e-6)
