"""The fog algorithms as backends: what they recognise, and the whole pipeline from the text of the
model.

Checked against Ipopt on the compiled model, against finite differences and identities of the
optimal energy.
"""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.api import LoadedModel
from mecdsl.backend import Request
from mecdsl.backends.fog.cases import draw, from_case
from mecdsl.backends.fog.recognise import Recognised, recognise
from mecdsl.backends.fog.system import System
from mecdsl.command_line import main as cli
from mecdsl.diagnostics import ModelError
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, SolveOptions, Termination
from mecdsl.solve import find
from tests.test_readme import CONSOLE, run

pytestmark = pytest.mark.slow  # whole solves of the fog model
MODELS = Path(__file__).resolve().parent.parent / "models"
MODEL, POWERS = MODELS / "fog.mec", MODELS / "fog_powers.mec"
EXACT = ("fog-newton", "fog-dual")
CASE: dict[str, Any] = {
    "node_count": 3,
    "layer_count": 2,
    "master": 2,
    "input_columns": 128,
    "input_rows": 96,
    "latency": 0.12,
    "bandwidth": 1e6,
    "noise_density": 4e-21,
    "bits_per_element": 2,
    "nats_per_bit": 0.7,
    "fog_node": {
        "capacitance": [1e-28, 2e-28, 1.5e-28],
        "cycles_per_mac": [300, 450, 600],
        "cpu_max": [2.0e9, 2.5e9, 3.0e9],
        "power_max": [0.2, 0.25, 0.1],
        "circuit_power": [0.05, 0.1, 0.08],
    },
    "layer_pack": {"filter_size": [3, 5]},
    "distribution": {"gain": [2e-9, 5e-9]},
    "neighbour": {"gain": [[4e-9, 3e-9], [4.5e-9, 3.5e-9], [6e-10, 7e-10], [8e-10, 9e-10]]},
}


def case(model: Path = MODEL, **changes: Any) -> LoadedModel:
    """The data file of the contract with numbers that all differ; `fog_node={"cpu_max": ...}`
    changes attributes.
    """
    data = {
        name: {**value, **changes.get(name, {})}
        if isinstance(value, dict)
        else changes.get(name, value)
        for name, value in CASE.items()
    }
    return mecdsl.load(model, data=data)


def drawn(seed: int = 1, model: Path = MODEL, **settings: Any) -> LoadedModel:
    """The defaults of the model at random places."""
    return mecdsl.load(model, seed=seed, **settings)


def edited(folder: Path, *edits: tuple[str, str]) -> LoadedModel:
    """The model with some of its text replaced, on the data of `case`."""
    for name in ("fog_system.mec", "fog.mec"):
        text = (MODELS / name).read_text(encoding="utf-8")
        for old, new in edits:
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    changed = any(
        (folder / name).read_text() != (MODELS / name).read_text()
        for name in ("fog_system.mec", "fog.mec")
    )
    assert changed or not edits
    return mecdsl.load(folder / "fog.mec", data=CASE)


def value(result: Result) -> float:
    assert result.verified, result.faults
    assert result.objective is not None
    return result.objective


def optimum(model: LoadedModel, backend: str = "fog-newton", form: str = "") -> Result:
    result = model.solve(backend, form)
    assert result.guarantee is Guarantee.GLOBAL, result.solution.message
    return result


def multiplier(result: Result, name: str) -> np.ndarray:
    return result.solution.multipliers[name]


# What is recognised


def test_the_system_of_a_data_file_is_the_one_in_the_file() -> None:
    found = recognise(case().instance())
    assert isinstance(found, Recognised)
    # the reader of data files is another path from the same numbers
    for name in (
        "work",
        "gain_up",
        "gain_down",
        "distribution_gain",
        "boundary_rows",
        "exchange_nats",
        "macs",
    ):
        np.testing.assert_allclose(
            getattr(found.system, name), getattr(from_case(CASE), name), rtol=1e-14
        )
    assert found.system.master == 1
    # q d^x = 2 bit * 0.7 nat/bit * 128
    assert found.system.row_nats == pytest.approx(179.2)
    assert found.system.gain_up[2, 1] == 9e-10  # neighbour.gain[3, 2, 2]


@pytest.mark.parametrize("model", [MODEL, POWERS])
@pytest.mark.parametrize("size", [(1, 3), (2, 1), (7, 4)])
def test_both_models_are_recognised_in_any_size(model: Path, size: tuple[int, int]) -> None:
    found = recognise(drawn(3, model, node_count=size[0], layer_count=size[1]).instance())
    assert isinstance(found, Recognised)
    assert found.powers == (model == POWERS)
    assert found.system.shape == size


EDITS = {
    "the objective is not that of (31)": (
        "minimize energy = energy_used",
        "minimize energy = 2*energy_used",
    ),
    "the objective is maximised": (
        "minimize energy = energy_used",
        "maximize energy = energy_used",
    ),
    "`deadline` is not (23)": ("<= latency  ", "<= 2*latency  "),
    "`cpu_limit` is not (16)": (
        "<= k.compute_time[n]*k.cpu_max",
        "<= k.compute_time[n]*fog_node.cpu_max[1]",
    ),
    "`exchange_power` is not (30)": (
        "<= neighbour.time[k, l, n] * fog_node.power_max[k]",
        "<= neighbour.time[k, l, n] * fog_node.power_max[l]",
    ),
    "`layer_deadline` is not (22)": (
        "    k.compute_time[n] + sum(",
        "    k.compute_time[n] + 2*sum(",
    ),
    "`all_rows` is not (4)": (
        "for k in fog_node) == input_rows",
        "for k in fog_node) >= input_rows",
    ),
    "`distribution_rate` is not (9), (10): `distribution_rate[1]` differs in its constant": (
        "(fog_node.rows[k] + fog_node.boundary_rows[k]) <=",
        "fog_node.rows[k] <=",
    ),
    "`cap` is not part of the problem": (
        "minimize energy = energy_used\n",
        "constraint cap: fog_node.rows[1] <= 50 row\nminimize energy = energy_used\n",
    ),
    "`fog_node.rows[1]` has a bound of its own": (
        "var rows                          : row >= 0",
        "var rows : row >= 1 row",
    ),
    "`neighbour.time[1, 2, 1]` has a bound of its own": (
        "var time[n in layer_pack] : s >= 0",
        "var time[n in layer_pack] : s in 0..0.5 ms",
    ),
    "`neighbour.gain` has no member [2, 3, 1]": (
        "where abs(k - l) == 1]",
        "where k == l + 1 or k == l - 2 or k + l == 3]",
    ),
    "the model has no `layer_pack.macs_per_row`": ("macs_per_row", "work_per_row"),
}


@pytest.mark.parametrize("reason", EDITS)
def test_an_edited_model_is_refused_with_the_reason(reason: str, tmp_path: Path) -> None:
    instance = edited(tmp_path, EDITS[reason]).instance()
    found = recognise(instance)
    assert isinstance(found, str)
    assert reason in found
    request = Request(instance, SolveOptions())
    for name in (
        "fog-newton",
        "fog-dual",
        "fog-algorithm1",
        "fog-equal",
        "fog-rule",
        "fog-latency",
    ):
        answer = find(name).accepts(request)
        assert not answer.accepted
        assert reason in answer.reason
        assert f"`{name}`" in answer.reason


def test_whole_rows_and_other_variables_are_refused() -> None:
    assert recognise(case().instance("whole_rows")) == "`fog_node.rows[1]` is an integer"
    found = recognise(case().instance("back_end_joint"))
    assert isinstance(found, str)
    assert found.startswith("`back_end_")


DATA = {
    "more boundary rows": [("then 2 else 1) * 1 row", "then 5 else 3) * 1 row")],
    "columns that are not whole": [
        ("= floor(input_columns / 2^(n-1))", "= input_columns / 3^(n-1)")
    ],
    "a row times three on both sides": [
        ("[k in distribution]:\n    nats_per_bit", "[k in distribution]:\n    3*nats_per_bit"),
        (
            "bandwidth * 1 bit * perspective(distribution",
            "3*bandwidth * 1 bit * perspective(distribution",
        ),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA)
def test_other_numbers_are_other_data_and_solved(name: str, tmp_path: Path) -> None:
    model = edited(tmp_path, *DATA[name])
    assert value(optimum(model)) == pytest.approx(value(model.solve("ipopt")), rel=1e-6)


def test_swapped_and_scaled_rows_keep_the_optimum_and_change_their_multipliers(
    tmp_path: Path,
) -> None:
    plain = optimum(case())
    rows = (
        "sum(k.rows for k in fog_node) == input_rows",
        "input_rows == sum(k.rows for k in fog_node)",
    )
    cycles = (
        "k.cycles_per_row[n]*k.rows <= k.compute_time[n]*k.cpu_max",
        "k.compute_time[n]*k.cpu_max >= k.cycles_per_row[n]*k.rows",
    )
    times = (
        "sum(link.time for link in distribution) + sum(n.time for n in layer_pack) <= latency",
        "4*sum(link.time for link in distribution) + 4*sum(n.time for n in layer_pack) <= 4*latency",
    )
    found = optimum(edited(tmp_path, rows, cycles, times))
    assert value(found) == pytest.approx(value(plain), rel=1e-12)
    np.testing.assert_allclose(
        multiplier(found, "all_rows"), -multiplier(plain, "all_rows"), rtol=1e-9
    )
    np.testing.assert_allclose(
        multiplier(found, "deadline"), multiplier(plain, "deadline") / 4.0, rtol=1e-9
    )
    assert (multiplier(found, "cpu_limit") >= 0.0).all()
    assert found.kkt is not None
    assert found.kkt.accepted


# The optimum


SIZES = [
    (1, 3, 2, 1.5),
    (2, 5, 3, 0.6),
    (3, 10, 3, 0.5),
    (4, 10, 3, 0.25),
    (5, 2, 1, 0.7),
]  # seed, K, N, tau


@pytest.mark.slow
@pytest.mark.parametrize("model", [MODEL, POWERS])
@pytest.mark.parametrize("size", SIZES)
def test_ipopt_on_the_compiled_model_finds_the_same_optimum(
    model: Path, size: tuple[int, int, int, float]
) -> None:
    seed, nodes, layers, latency = size
    loaded = drawn(seed, model, node_count=nodes, layer_count=layers, latency=latency)
    by_ipopt = value(loaded.solve("ipopt"))
    for backend in EXACT:
        found = optimum(loaded, backend)
        assert value(found) == pytest.approx(by_ipopt, rel=1e-6)
        assert found.gap is not None
        assert found.gap <= 1.0001e-8
        assert found.bound is not None
        assert found.bound <= by_ipopt * (1.0 + 1e-7)


@pytest.mark.parametrize("backend", EXACT)
def test_the_contracts_case_with_numbers_that_all_differ(backend: str) -> None:
    assert value(optimum(case(), backend)) == pytest.approx(value(case().solve("ipopt")), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("backend", EXACT)
@pytest.mark.parametrize("master", [1, 5, 9])
def test_the_master_may_stand_anywhere(backend: str, master: int) -> None:
    loaded = drawn(6, node_count=9, layer_count=2, master=master, latency=0.4)
    assert value(optimum(loaded, backend)) == pytest.approx(value(loaded.solve("ipopt")), rel=1e-6)


@pytest.mark.parametrize("backend", EXACT)
def test_one_node_has_the_closed_form(backend: str) -> None:
    # V = kappa (d^y sum_n a_n)^3 / tau^2 while the processor can; M_n = f_n^2 d_n^x / 2^(n-1),
    # d_n^x = 128, 64
    cycles = 96 * 300 * (9 * 128 + 25 * 64 / 2)
    node = {name: values[:1] for name, values in CASE["fog_node"].items()}
    lone = {**CASE, "node_count": 1, "master": 1, "fog_node": node, "latency": 0.5}
    lone |= {"distribution": {"gain": []}, "neighbour": {"gain": []}}
    found = optimum(mecdsl.load(MODEL, data=lone), backend)
    assert value(found) == pytest.approx(1e-28 * cycles**3 / 0.5**2, rel=2e-8)
    # dV/dtau = -2 V/tau and dV/dd^y = 3 V/d^y
    assert multiplier(found, "deadline")[0] == pytest.approx(-2 * value(found) / 0.5, rel=1e-6)
    assert multiplier(found, "all_rows")[0] == pytest.approx(3 * value(found) / 96, rel=1e-6)


def test_auto_takes_the_exact_method_and_says_why() -> None:
    for form in ("", "equal", "back_end_fixed"):
        found = case().solve(form=form)
        assert found.backend == "fog-newton"
        assert "exact" in found.choice
        assert found.guarantee is Guarantee.GLOBAL
    assert case(POWERS).solve().backend == "fog-newton"
    assert not case().solve(form="back_end_joint").backend.startswith("fog-")


def test_a_constant_beside_the_energy_changes_nothing_but_the_numbers() -> None:
    plain, charged = optimum(case()), optimum(case(), form="back_end_fixed")
    # total_layers 5, layer_count 2: W = d^y c_2 sum_{n=3..5} 9 floor(128 / 2^(n-1)) / 2^(n-1); at f
    # = v_2 = 2.5 GHz
    cycles = 96 * 450 * 9 * (32 / 4 + 16 / 8 + 8 / 16)
    assert value(charged) - value(plain) == pytest.approx(2e-28 * 2.5e9**2 * cycles, rel=1e-6)
    assert charged.gap is not None
    assert charged.gap < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("model", [MODEL, POWERS])
def test_layers_without_columns_need_nothing(model: Path) -> None:
    few = {"input_columns": 2, "layer_pack": {"filter_size": [3, 3, 3]}, "layer_count": 3}
    few |= {"neighbour": {"gain": [[4e-9] * 3, [4e-9] * 3, [6e-10] * 3, [8e-10] * 3]}}
    data = {**CASE, **few}
    for backend in EXACT:
        found = optimum(mecdsl.load(model, data=data), backend)
        assert found["layer_pack.time"][2] < 1e-9
    without = {**data, "layer_count": 2, "layer_pack": {"filter_size": [3, 3]}}
    without["neighbour"] = {"gain": [row[:2] for row in few["neighbour"]["gain"]]}  # type: ignore[index]
    assert value(found) == pytest.approx(value(optimum(mecdsl.load(model, data=without))), rel=1e-7)


def as_data(system: System) -> dict[str, Any]:
    """The data file of a drawn system."""
    nodes, layers = system.shape
    gains = [(system.gain_up[k], system.gain_down[k]) for k in range(nodes)]
    pairs = [
        gain for k, both in enumerate(gains) for gain in both[int(k == 0) : 2 - int(k == nodes - 1)]
    ]
    node = {
        name: getattr(system, name)
        for name in ("capacitance", "cpu_max", "power_max", "circuit_power")
    }
    return {
        "node_count": nodes,
        "layer_count": layers,
        "master": system.master + 1,
        "input_columns": int(system.row_nats),
        **{
            name: getattr(system, name)
            for name in ("input_rows", "latency", "bandwidth", "noise_density")
        },
        "fog_node": {**node, "cycles_per_mac": system.work[:, 0] / system.macs[0]},
        "distribution": {"gain": np.delete(system.distribution_gain, system.master)},
        "neighbour": {"gain": [gain.tolist() for gain in pairs]},
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_data_over_decades_end_at_a_proven_optimum_that_keeps_the_conditions(seed: int) -> None:
    generator = np.random.default_rng(seed)
    nodes, layers = int(generator.integers(1, 12)), int(generator.integers(1, 5))
    system = draw(
        generator,
        nodes,
        layers,
        input_columns=(64, 512)[seed % 2],
        decades=(0.0, 2.0, 4.0)[seed % 3],
    )
    smallest = mecdsl.load(MODEL, data=as_data(system), latency=1e6).solve("fog-latency")
    factor = (1.001, 1.1, 2.0, 20.0)[seed % 4]
    data = {
        **as_data(system),
        "latency": factor * smallest.solution.certificate["smallest_deadline"],
    }
    found = [
        optimum(mecdsl.load(model, data=data), backend)
        for model in (MODEL, POWERS)
        for backend in EXACT
    ]
    for result in found:
        assert value(result) == pytest.approx(value(found[0]), rel=2e-8)
        assert result.kkt is not None
        assert result.kkt.accepted


# Given rows


@pytest.mark.slow
@pytest.mark.parametrize("backend", [*EXACT, "fog-equal"])
def test_form_equal_is_solved_to_its_optimum(backend: str) -> None:
    for model in (MODEL, POWERS):
        found = optimum(case(model), backend, "equal")
        assert value(found) == pytest.approx(value(case().solve("ipopt", "equal")), rel=1e-6)
        np.testing.assert_allclose(found["fog_node.rows"], 32.0)
        assert "all_rows" not in found.solution.multipliers


def test_any_given_rows_are_taken_by_the_exact_methods(tmp_path: Path) -> None:
    form = "\nform mine: fix fog_node.rows[k] = k*input_rows / 6\n"
    (tmp_path / "fog_system.mec").write_text((MODELS / "fog_system.mec").read_text())
    (tmp_path / "fog.mec").write_text(MODEL.read_text() + form)
    model = mecdsl.load(tmp_path / "fog.mec", data={**CASE, "latency": 0.3})
    for backend in EXACT:
        assert value(optimum(model, backend, "mine")) == pytest.approx(
            value(model.solve("ipopt", "mine")), rel=1e-6
        )
    for backend, reason in (("fog-equal", "others are fixed"), ("fog-rule", "chooses the rows")):
        with pytest.raises(ModelError) as caught:
            model.solve(backend, "mine")
        assert reason in caught.value.diagnostics[0].message
    text = (tmp_path / "fog.mec").read_text().replace("k*input_rows / 6", "k*input_rows / 7")
    (tmp_path / "fog.mec").write_text(text)
    short = mecdsl.load(tmp_path / "fog.mec", data=CASE)
    assert (
        recognise(short.instance("mine")) == "the rows are fixed, but do not add up to `input_rows`"
    )


# Heuristics


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["fog-equal", "fog-rule", "fog-latency", "fog-algorithm1"])
@pytest.mark.parametrize("model", [MODEL, POWERS])
def test_heuristics_are_feasible_beside_the_bound_of_the_whole_problem(
    backend: str, model: Path
) -> None:
    loaded = drawn(2, model)
    best = value(optimum(loaded))
    found = loaded.solve(backend)
    assert found.guarantee is Guarantee.FEASIBLE
    assert value(found) >= best * (1.0 - 1e-8)
    assert found.bound == pytest.approx(best, rel=1e-7)
    assert found.solution.multipliers == {}


def test_equal_rows_on_the_base_model_are_those_of_the_form() -> None:
    assert value(drawn(2).solve("fog-equal")) == pytest.approx(
        value(optimum(drawn(2), form="equal")), rel=1e-8
    )


def test_the_rule_is_what_its_formula_says() -> None:
    found = case(latency=1.0).solve("fog-rule")
    weight = np.array([1e-28, 2e-28, 1.5e-28]) ** -0.5 * np.array([300.0, 450.0, 600.0]) ** -1.5
    np.testing.assert_allclose(found["fog_node.rows"], 96 * weight / weight.sum(), rtol=1e-9)


def test_the_fastest_plan_keeps_the_smallest_deadline_and_nothing_shorter_is_possible() -> None:
    smallest = drawn(1).solve("fog-latency").solution.certificate["smallest_deadline"]
    found = drawn(1, latency=smallest).solve("fog-latency")
    used = found["distribution.time"].sum() + found["layer_pack.time"].sum()
    assert found.verified
    assert used == pytest.approx(smallest, rel=1e-9)
    below = drawn(1, latency=smallest * (1.0 - 1e-6))
    for backend in (*EXACT, "fog-latency", "fog-equal", "fog-rule", "fog-algorithm1"):
        refused = below.solve(backend)
        assert refused.termination is Termination.INFEASIBLE
        assert refused.guarantee is Guarantee.INFEASIBLE
    assert value(optimum(drawn(1, latency=smallest * (1.0 + 1e-4)))) > 0.0


def test_rows_that_are_too_many_for_a_node_prove_nothing_about_others() -> None:
    # equal rows need more time than the smallest deadline: between the two only other rows do
    smallest = drawn(1).solve("fog-latency").solution.certificate["smallest_deadline"]
    tight = drawn(1, latency=smallest * 1.02)
    found = tight.solve("fog-equal")
    assert found.termination is Termination.NOT_FOUND
    assert found.guarantee is Guarantee.NONE
    assert "the smallest deadline that would do is" in found.solution.message
    assert tight.solve("fog-equal", "equal").guarantee is Guarantee.INFEASIBLE
    assert value(optimum(tight)) > 0.0


# What a user sees


def test_an_impossible_deadline_is_proven_said_and_an_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["solve", str(MODEL), "--set", "latency=0.1s", "--seed", "1"])
    text = " ".join(capsys.readouterr().out.split())
    assert left.value.code == 3
    assert "infeasible, proven" in text
    smallest = drawn(1).solve("fog-latency").solution.certificate["smallest_deadline"]
    assert f"no plan meets 0.1 s; the smallest deadline that would do is {smallest:.6g} s" in text


def test_algorithm_1_takes_its_reading_as_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "solve",
        str(MODEL),
        "--backend",
        "fog-algorithm1",
        "--option",
        "reading=printed",
        "--json",
    ]
    with pytest.raises(SystemExit) as left:
        cli.main(command)
    assert left.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["label"] == "Algorithm 1, reading `printed`"
    assert told["message"].startswith("broke down in iteration 1")
    assert told["guarantee"] == "feasible only"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (
            {"reading": "literal"},
            "`reading` of `fog-algorithm1` is one of frozen, printed, gradient, alternating",
        ),
        ({"steps": -1}, "`steps` of `fog-algorithm1` must be a positive number"),
        ({"steps": 2.5}, "`steps` of `fog-algorithm1` must be a whole number"),
        ({"readin": "frozen"}, "`fog-algorithm1` has no option `readin`"),
    ],
)
def test_wrong_options_are_said(option: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        case().solve("fog-algorithm1", raw=option)
    assert said in caught.value.diagnostics[0].message


@pytest.mark.parametrize("backend", [*EXACT, "fog-algorithm1"])
def test_iterations_are_recorded(backend: str) -> None:
    steps = case().solve(backend).iterations
    assert len(steps) >= 2
    assert all(step.objective is not None and step.seconds is not None for step in steps)
    bounds = [step.bound for step in steps if step.bound is not None]
    assert bounds == sorted(bounds)


# Multipliers and identities


@pytest.mark.slow
@pytest.mark.parametrize("model", [MODEL, POWERS])
@pytest.mark.parametrize("backend", EXACT)
@pytest.mark.parametrize("latency", [0.12, 0.0125, 3.0])
def test_multipliers_keep_the_optimality_conditions(
    model: Path, backend: str, latency: float
) -> None:
    found = optimum(case(model, latency=latency), backend)
    assert found.kkt is not None
    assert found.kkt.accepted
    prices = -multiplier(found, "layer_deadline").reshape(3, 2)
    assert (prices >= 0.0).all()
    # at the optimum sum_k beta_kn = phi in every layer
    np.testing.assert_allclose(prices.sum(axis=0), -multiplier(found, "deadline")[0], rtol=1e-9)


@pytest.mark.parametrize("form", ["", "equal"])
def test_the_deadline_is_worth_its_multiplier(form: str) -> None:
    found = optimum(case(), form=form)
    later, sooner = (
        value(optimum(case(latency=0.12 * (1.0 + h)), form=form)) for h in (1e-3, -1e-3)
    )
    assert multiplier(found, "deadline")[0] == pytest.approx(
        (later - sooner) / (2e-3 * 0.12), rel=1e-4
    )


def test_a_row_of_the_image_costs_its_multiplier() -> None:
    more, fewer = (value(optimum(case(input_rows=96 * (1.0 + h)))) for h in (1e-3, -1e-3))
    assert multiplier(optimum(case()), "all_rows")[0] == pytest.approx(
        (more - fewer) / (2e-3 * 96), rel=1e-4
    )


def test_a_processor_at_its_limit_is_worth_its_multiplier() -> None:
    # v_2 enters 0 <= tl v - a d: dV/dv = sum_n multiplier_2n tl_2n, by the envelope theorem
    tight = 0.0125  # s; the smallest deadline is 0.0119 s
    found = optimum(case(latency=tight))
    prices = multiplier(found, "cpu_limit").reshape(3, 2)
    node = int(np.argmin(prices.sum(axis=1)))
    assert prices[node].sum() < 0.0
    slope = float((prices[node] * found["fog_node.compute_time"][node]).sum())

    def at(share: float) -> float:
        speeds = list(CASE["fog_node"]["cpu_max"])
        speeds[node] *= share
        return value(optimum(case(latency=tight, fog_node={"cpu_max": speeds})))

    speed = CASE["fog_node"]["cpu_max"][node]
    assert slope == pytest.approx((at(1.001) - at(0.999)) / (2e-3 * speed), rel=1e-3)


def times(factor: float, *names: str) -> dict[str, Any]:
    """Attributes of `CASE` multiplied by a factor."""
    return {name: (factor * np.array(CASE["fog_node"][name])).tolist() for name in names}


IDENTITIES: dict[str, tuple[dict[str, Any], float]] = {
    "columns and deadline": ({"input_columns": 384, "latency": 3 * 0.12}, 3.0),
    "capacitance, powers and noise": (
        {
            "fog_node": times(3.0, "capacitance", "circuit_power", "power_max"),
            "noise_density": 3 * 4e-21,
        },
        3.0,
    ),
    "a faster clock": (
        {
            "bandwidth": 3e6,
            "latency": 0.04,
            "fog_node": times(3.0, "cpu_max", "circuit_power", "power_max")
            | times(1 / 9, "capacitance"),
        },
        1.0,
    ),
    "only the product of bits and nats": ({"bits_per_element": 0.7, "nats_per_bit": 2}, 1.0),
    "band and bits": ({"bandwidth": 3e6, "bits_per_element": 6, "noise_density": 4e-21 / 3}, 1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", IDENTITIES)
@pytest.mark.parametrize("backend", EXACT)
def test_scaling_laws(name: str, backend: str) -> None:
    changes, factor = IDENTITIES[name]
    assert value(optimum(case(**changes), backend)) == pytest.approx(
        factor * value(optimum(case())), rel=3e-8
    )


@pytest.mark.parametrize("backend", EXACT)
def test_reversing_the_nodes_changes_nothing(backend: str) -> None:
    node = {name: values[::-1] for name, values in CASE["fog_node"].items()}
    gains = CASE["neighbour"]["gain"]  # 1->2, 2->1, 2->3, 3->2 become 3->2, 2->3, 2->1, 1->2
    backward = case(
        fog_node=node,
        distribution={"gain": CASE["distribution"]["gain"][::-1]},
        neighbour={"gain": gains[::-1]},
    )
    forward = optimum(case(), backend)
    found = optimum(backward, backend)
    assert value(found) == pytest.approx(value(forward), rel=2e-8)
    np.testing.assert_allclose(found["fog_node.rows"], forward["fog_node.rows"][::-1], rtol=1e-3)


def test_equal_nodes_share_equally_but_for_who_sends_and_receives() -> None:
    # one image without exchange costs: gains so large that radio hardly counts; then d_k = d^y / K
    # by symmetry
    node = {name: [values[0]] * 3 for name, values in CASE["fog_node"].items()}
    good: dict[str, Any] = {
        "distribution": {"gain": [1.0, 1.0]},
        "neighbour": {"gain": [[1.0, 1.0]] * 4},
        "bandwidth": 1e9,
    }
    found = optimum(case(fog_node=node, **good))
    np.testing.assert_allclose(found["fog_node.rows"], 32.0, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "better",
    [
        {"fog_node": times(1.3, "cpu_max")},
        {"fog_node": times(1.3, "power_max")},
        {"distribution": {"gain": [3e-9, 6e-9]}},
        {"latency": 0.013},
    ],
)
def test_more_of_a_good_thing_costs_no_energy(better: dict[str, Any]) -> None:
    changes: dict[str, Any] = {"latency": 0.0125, **better}
    assert value(optimum(case(**changes))) <= value(optimum(case(latency=0.0125))) * (1.0 + 1e-8)


def test_a_large_system_is_recognised_and_solved() -> None:
    found = optimum(drawn(1, node_count=300, layer_count=3, latency=1.5))
    assert found.kkt is not None
    assert found.kkt.accepted


# The page


PAGE = MODELS / "README.md"


@pytest.mark.slow
def test_the_commands_of_the_page_give_what_stands_there() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## `fog.mec` and its paper")[2]
    section = section.partition("\n## ")[0]
    commands = CONSOLE.findall(section)
    assert len(commands) == 2
    compared, refused = commands
    table = {
        words[0]: (float(words[1]), words[-1])
        for words in map(str.split, compared[2].splitlines()[5:10])
    }
    assert "objective energy in mJ" in compared[2]  # JSON is in J
    found = json.loads(run([*shlex.split(compared[1]), "--json"]).stdout)["entries"]
    assert [entry["backend"] for entry in found] == list(table)
    for entry in found:
        stated, guarantee = table[entry["backend"]]
        assert 1e3 * entry["result"]["objective"]["value"] == pytest.approx(stated, rel=1e-6)
        assert entry["result"]["guarantee"].startswith(guarantee)
    message = json.loads(run([*shlex.split(refused[1]), "--json"]).stdout)["message"]
    assert " ".join(message.split()) in " ".join(refused[2].split())
