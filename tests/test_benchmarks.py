"""The benchmarks run, and compare the same thing; how long they take is nobody's test."""

import numpy as np
import pyomo.environ as pyo
import pytest

from tests.benchmarks import compile as benchmark
from tests.benchmarks import fog, game, noma, noma_scip


@pytest.mark.slow
def test_compile_benchmark_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["5", "7", "--repetitions", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [
        ["5", "on"],
        ["5", "off"],
        ["7", "on"],
        ["7", "off"],
    ]


def test_both_models_have_the_same_names_objective_and_rows() -> None:
    learners = 23
    data = benchmark.draw_data(learners)
    instance, model = benchmark.build(data)
    by_hand = benchmark.build_by_hand(data)
    for kind in (pyo.Var, pyo.Constraint, pyo.Objective):
        names = [[c.name for c in m.component_data_objects(kind)] for m in (model, by_hand)]
        assert sorted(names[0]) == sorted(names[1])
    for ours, theirs in zip(
        model.component_data_objects(pyo.Var), by_hand.component_data_objects(pyo.Var), strict=True
    ):
        assert ours.bounds == theirs.bounds
        assert ours.is_integer()
        assert theirs.is_integer()
        assert ours.value == theirs.value
    x = benchmark.point(learners)
    objective, rows = benchmark.evaluate(instance, x)
    for candidate in (model, by_hand):
        benchmark.set_point(candidate, x)
        found_objective, found_rows = benchmark.evaluate_pyomo(candidate)
        assert found_objective == objective == 7.0
        for name, values in rows.items():
            np.testing.assert_allclose(found_rows[name], values, rtol=1e-12, atol=1e-9)


@pytest.mark.slow
def test_fog_benchmark_compares_optima_of_the_same_instances(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = fog.measure(4, 2, repetitions=1)
    assert [row.deadline for row in rows] == ["slack", "tight"]
    for row in rows:
        objectives = [
            np.nan if timing.objective is None else timing.objective for timing in row.timings
        ]
        np.testing.assert_allclose(objectives, objectives[0], rtol=1e-6)
        assert all(timing.steps > 0 for timing in row.timings)
    fog.main(["--nodes", "3", "--layers", "2", "--repetitions", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[2:]] == [["3", "2", "slack"], ["3", "2", "tight"]]


def test_noma_benchmark_draws_what_the_paper_describes() -> None:
    work, size = noma.network()
    assert len(work) == 9
    assert work.sum() == pytest.approx(445.3e6, rel=1e-4)
    assert size[0] == 8 * 32 * 32 * 3
    system = noma.draw(0, 5, 4, 3)
    assert system.shape == (5, 20, 3)
    assert system.uplink.bandwidth == 3 * 40e3
    own = np.array([link.own.mean() for link in system.links])
    assert (own > 1.0).all()


@pytest.mark.slow
def test_noma_benchmark_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    noma.main(["--seeds", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["equal", "different"]
    assert [line.split()[0] for line in lines[-4:]] == ["2", "6", "12", "25"]


@pytest.mark.slow
def test_the_exact_form_is_proven_where_the_statement_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    noma_scip.main(["--users", "1", "--limit", "20"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:2] == ["users", "statement"]
    assert len(lines) == 4
    values = [float(words[3 if words[1] != "noma-exact" else 2]) for words in lines[1:]]
    assert values == pytest.approx([values[0]] * 3, rel=1e-5)
    assert [" ".join(words[-2:]) for words in lines[1:]] == [
        "feasible only",
        "globally optimal",
        "globally optimal",
    ]


def test_game_benchmark_prints_equilibria(capsys: pytest.CaptureFixture[str]) -> None:
    game.main(["--devices", "3", "20"])
    game.main(["--devices", "3", "--method", "cai"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [words for words in lines if words[0].isdigit()]
    assert [words[0] for words in rows] == ["3", "20", "3"]
    assert all(float(words[5]) < 1e-5 for words in rows)  # epsilon
