"""The hand-derived algorithms of mobile edge learning against enumeration, other solvers and closed
forms.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from math import floor

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog

from mecdsl.backends.mel.integer import apportion, caps, integer, largest_updates
from mecdsl.backends.mel.polynomial import polynomial
from mecdsl.backends.mel.rounding import equal, equal_real, rounding
from mecdsl.backends.mel.system import Allocation, Learners, root
from mecdsl.solution import Termination

quick = settings(max_examples=150, deadline=None)
RULES = ("largest-remainder", "fastest")

# one learner in tenths of a second: (C2, C1, C0); small numbers make exact ties frequent
Tenths = list[tuple[int, int, int]]
tenths = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from([0, 0, 1, 2, 7]), st.integers(0, 50)),
    min_size=1,
    max_size=4,
)


def from_tenths(rows: Tenths, cycle_time: int, total: int) -> Learners:
    compute, transfer, overhead = (np.array(column) / 10 for column in zip(*rows, strict=True))
    return Learners(compute, transfer, overhead, cycle_time / 10, float(total))


def splits(total: int, count: int) -> Iterator[tuple[int, ...]]:
    if count == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in splits(total - first, count - 1):
            yield (first, *rest)


def updates_of(rows: Tenths, cycle_time: int, batch: tuple[int, ...], drop_out: bool) -> int:
    """Largest tau of a given batch in integer arithmetic, from (12b); -1 if the batch is
    infeasible.
    """
    best = 10**9
    for (compute, transfer, overhead), samples in zip(rows, batch, strict=True):
        if samples == 0 and drop_out:
            continue
        left = cycle_time - overhead - transfer * samples
        if left < 0:
            return -1
        if samples > 0:
            best = min(best, left // (compute * samples))
    return best


def enumerated(rows: Tenths, cycle_time: int, total: int, drop_out: bool) -> int:
    return max(updates_of(rows, cycle_time, batch, drop_out) for batch in splits(total, len(rows)))


def random_learners(seed: int, count: int, total: float, spread: float = 1.0) -> Learners:
    """Moderate data: milliseconds per sample, overheads below half of the cycle of 30 s."""
    random = np.random.default_rng(seed)
    return Learners(
        1e-3 * 10 ** random.uniform(-spread, spread, count),
        1e-3 * 10 ** random.uniform(-2, 0, count),
        random.uniform(0, 15, count),
        30.0,
        total,
    )


def share(learners: Learners, updates: float) -> np.ndarray:
    return (learners.cycle_time - learners.overhead) / (
        learners.compute * updates + learners.transfer
    )


def found(allocation: Allocation) -> tuple[float, np.ndarray]:
    assert allocation.updates is not None
    assert allocation.batch is not None
    return allocation.updates, allocation.batch


# --- problem (12): enumeration ---


@quick
@given(tenths, st.integers(10, 150), st.integers(1, 12), st.booleans())
@pytest.mark.slow
def test_whole_optimum_is_that_of_enumeration(
    rows: Tenths, cycle_time: int, total: int, drop_out: bool
) -> None:
    learners = from_tenths(rows, cycle_time, total)
    best = enumerated(rows, cycle_time, total, drop_out)
    exact = [integer(learners, drop_out)] + [
        rounding(learners, rule, True, drop_out) for rule in RULES
    ]
    for answer in exact:
        if best < 0:
            assert answer.termination is Termination.INFEASIBLE
            assert answer.updates is None
            assert answer.message
        else:
            updates, batch = found(answer)
            assert answer.termination is Termination.OPTIMAL
            assert updates == answer.bound == best
            assert batch.sum() == total
            assert updates_of(rows, cycle_time, tuple(map(int, batch)), drop_out) >= best


@quick
@given(tenths, st.integers(10, 150), st.integers(1, 12), st.booleans())
@pytest.mark.slow
def test_heuristics_claim_what_their_batches_allow(
    rows: Tenths, cycle_time: int, total: int, drop_out: bool
) -> None:
    learners = from_tenths(rows, cycle_time, total)
    best = enumerated(rows, cycle_time, total, drop_out)
    answers = [rounding(learners, rule, False, drop_out) for rule in RULES] + [
        equal(learners, drop_out)
    ]
    for answer in answers:
        if best < 0:
            assert answer.termination is Termination.INFEASIBLE
            continue
        assert answer.bound is not None
        assert answer.bound >= best
        if answer.termination is Termination.NOT_FOUND:
            assert answer.updates is None
            assert "cycle time" in answer.message
            continue
        updates, batch = found(answer)
        assert batch.sum() == total
        assert updates == updates_of(rows, cycle_time, tuple(map(int, batch)), drop_out)
        assert (answer.termination is Termination.OPTIMAL) == (updates == best)


@quick
@given(tenths, st.integers(10, 150), st.integers(1, 12))
@pytest.mark.slow
def test_equal_batches_in_closed_form(rows: Tenths, cycle_time: int, total: int) -> None:
    # (12b) with d_k = d/K in rational arithmetic; the smallest quotient decides
    allowed = min(
        (Fraction(cycle_time - overhead) * len(rows) / total - transfer) / compute
        for compute, transfer, overhead in rows
    )
    learners = from_tenths(rows, cycle_time, total)
    whole, real = (
        equal_real(learners, integer_updates=True),
        equal_real(learners, integer_updates=False),
    )
    if allowed < 0:
        assert whole.termination is real.termination is Termination.INFEASIBLE
    else:
        assert whole.updates == floor(allowed)
        assert real.updates == pytest.approx(float(allowed), rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(found(whole)[1], total / len(rows), rtol=1e-15)


def test_equal_gives_the_rest_to_the_least_burdened() -> None:
    # 7 samples, 3 learners: two each, one left. With three samples they could make 12/3, 12/6 and
    # 12/9 updates, so learner 1 takes it; learner 3 with two samples decides: 12/6
    learners = Learners(np.array([1.0, 2.0, 3.0]), np.zeros(3), np.zeros(3), 12.0, 7.0)
    updates, batch = found(equal(learners))
    assert (updates, batch.tolist()) == (2.0, [3.0, 2.0, 2.0])


def test_rounding_without_moves_can_lose_updates_and_moves_win_them_back() -> None:
    # one sample: learner 1 makes 1.6/0.7 = 2.3 updates with it, learner 2, the faster, 0.75/0.5 =
    # 1.5; the relaxed batches are in proportion to these, 0.6 and 0.4
    learners = Learners(np.array([0.7, 0.5]), np.zeros(2), np.array([0.0, 0.85]), 1.6, 1.0)
    assert found(rounding(learners, "largest-remainder"))[0] == 2.0
    fastest = rounding(learners, "fastest")
    assert (fastest.updates, fastest.bound, fastest.termination) == (1.0, 3.0, Termination.FINISHED)
    assert found(rounding(learners, "fastest", moves=True))[0] == 2.0


def test_rounding_without_moves_can_end_late() -> None:
    # the only sample goes to learner 3, the fastest, which has no time left for its transfer
    learners = Learners(
        np.array([1.0, 1.0, 0.1]), np.ones(3), np.array([0.0, 0.0, 10.0]), 10.0, 1.0
    )
    late = rounding(learners, "fastest")
    assert late.termination is Termination.NOT_FOUND
    assert late.batch is None
    assert "learner 3 needs 11 s" in late.message
    assert found(rounding(learners, "fastest", moves=True))[0] == 9.0  # (10 - 1) / 1


def test_an_unknown_rounding_is_refused() -> None:
    with pytest.raises(ValueError, match="nearest"):
        rounding(random_learners(0, 3, 10.0), "nearest")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("per_learner", [0.4, 3.0, 50.0])
def test_moves_end_at_the_whole_optimum(seed: int, per_learner: float) -> None:
    learners = random_learners(seed, 300, float(int(300 * per_learner)))
    for rule in RULES:
        answer = rounding(learners, rule, moves=True)
        assert answer.termination is Termination.OPTIMAL
        assert answer.updates == integer(learners).updates
        assert answer.certificate["surplus_next"] < 0
        levels = [step.objective for step in answer.iterations if step.objective is not None]
        assert levels == sorted(levels)


@quick
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 400))
@pytest.mark.slow
def test_whole_optimum_lies_between_the_relaxed_bounds(seed: int, count: int, total: int) -> None:
    learners = random_learners(seed, count, float(total))
    answer, relaxed = integer(learners), root(learners)
    assume(relaxed.updates is not None)
    if answer.updates is None:
        assert (
            share(learners, 0.0).sum() < total + count
        )  # floors lose less than one sample per learner
        return
    assert answer.updates <= floor(found(relaxed)[0] * (1 + 1e-9))
    if share(learners, 0.0).sum() >= total + count - 1:
        harder = Learners(
            learners.compute, learners.transfer, learners.overhead, 30.0, float(total + count - 1)
        )
        assert answer.updates >= floor(found(root(harder))[0] * (1 - 1e-9))


@quick
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 400), st.integers(0, 40))
def test_caps_are_the_floors_of_rational_arithmetic(
    seed: int, count: int, total: int, updates: int
) -> None:
    learners = random_learners(seed, count, float(total))
    expected = [
        min(
            total,
            floor(
                (30 * (1 + Fraction(1, 10**12)) - Fraction(c0))
                / (Fraction(c2) * updates + Fraction(c1))
            ),
        )
        for c2, c1, c0 in zip(
            learners.compute.tolist(),
            learners.transfer.tolist(),
            learners.overhead.tolist(),
            strict=True,
        )
    ]
    assert caps(learners, updates).tolist() == expected


def test_a_boundary_inside_the_rounding_error_is_decided_by_fractions() -> None:
    # T (1 + 1e-12) / C2 straddles 3 by one unit in the last place of C2: only fractions tell the
    # sides apart
    third = float(1.000000000001 / 3)
    sides = []
    for compute in (np.nextafter(third, 0), third, np.nextafter(third, 1)):
        learners = Learners(np.array([compute]), np.zeros(1), np.zeros(1), 1.0, 1.0)
        fits = 3 * Fraction(float(compute)) <= 1 + Fraction(1, 10**12)
        assert integer(learners).updates == (3.0 if fits else 2.0)
        assert largest_updates(learners, np.array([1])) == (3 if fits else 2)
        sides.append(fits)
    assert True in sides
    assert False in sides


def test_an_overhead_at_the_edge_of_the_tolerance_is_decided_by_fractions() -> None:
    edge = 1.000000000001
    overhead = np.array([np.nextafter(edge, 0), edge, np.nextafter(edge, 2)])
    expected = [Fraction(value) <= 1 + Fraction(1, 10**12) for value in overhead.tolist()]
    assert Learners(np.ones(3), np.ones(3), overhead, 1.0, 1.0).selected.tolist() == expected
    assert set(expected) == {True, False}


def test_the_certificate_of_the_whole_optimum() -> None:
    # caps, at most 5: 5 + 2 at tau = 2, 4 + 1 at tau = 3, 3 + 1 at tau = 4
    learners = Learners(np.array([1.0, 3.0]), np.zeros(2), np.zeros(2), 12.0, 5.0)
    assert integer(learners).certificate == {"surplus": 0.0, "surplus_next": -1.0}
    assert integer(learners).message == root(learners).message == ""
    tried = [(step.objective, step.residual, step.bound) for step in integer(learners).iterations]
    # [0, 4): the right end 12 (1 + 1/3) / 5 = 3.2 is rounded down and raised by one
    assert tried == [(2.0, 2.0, 3.0), (3.0, 0.0, 3.0)]


@quick
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.data())
def test_apportioning_keeps_the_sum_and_the_caps(weights: list[int], data: st.DataObject) -> None:
    assume(sum(weights) > 0)
    total = data.draw(st.integers(1, sum(weights)))
    shares = apportion(np.array(weights, dtype=np.int64), total)
    assert shares.sum() == total
    for given_share, weight in zip(shares.tolist(), weights, strict=True):
        assert 0 <= given_share <= weight
        assert abs(given_share - Fraction(weight * total, sum(weights))) < 1


# --- problem (13): other solvers and closed forms ---


@quick
@given(st.integers(0, 10**6), st.integers(1, 40), st.floats(1.0, 1e5), st.floats(0.0, 3.0))
def test_root_agrees_with_brent(seed: int, count: int, total: float, spread: float) -> None:
    learners = random_learners(seed, count, total, spread)
    answer = root(learners)
    if share(learners, 0.0).sum() < total:
        assert answer.termination is Termination.INFEASIBLE
        assert "samples" in answer.message
        return
    right = float(((30.0 - learners.overhead) / learners.compute).sum()) / total
    # logarithms keep Brent's method accurate on the steep side
    expected = brentq(
        lambda t: np.log(share(learners, t).sum() / total),
        0.0,
        right * 1.001,
        xtol=1e-300,
        rtol=1e-15,
    )
    scale = expected + float((learners.transfer / learners.compute).max())
    assert found(answer)[0] == pytest.approx(expected, rel=1e-12, abs=1e-14 * scale)


@quick
@given(st.integers(0, 10**6), st.integers(1, 30), st.floats(1.0, 1e4))
@pytest.mark.slow
def test_every_cycle_is_used_up_and_the_multipliers_are_stationary(
    seed: int, count: int, total: float
) -> None:
    learners = random_learners(seed, count, total)
    answer = root(learners)
    assume(answer.updates is not None)
    updates, batch = found(answer)
    pace = learners.compute * updates + learners.transfer
    np.testing.assert_allclose(pace * batch + learners.overhead, 30.0, rtol=1e-12)
    assert batch.sum() == pytest.approx(total, rel=1e-14)
    price, nu = answer.multipliers["cycle"], answer.multipliers["all_samples"][0]
    assert np.all(price > 0)
    assert nu < 0
    # gradients of the Lagrangian (14) with respect to tau and d_k
    assert float((price * learners.compute * batch).sum()) == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(price * pace, -nu, rtol=1e-12)
    assert answer.certificate["nu"] == nu
    assert max(answer.certificate["stationarity"], answer.certificate["complementarity"]) < 1e-13


def test_multipliers_are_derivatives_of_the_optimum() -> None:
    learners = random_learners(3, 5, 4000.0)
    answer = root(learners)
    step = 1e-3

    def optimum(overhead: np.ndarray, total: float) -> float:
        return found(root(Learners(learners.compute, learners.transfer, overhead, 30.0, total)))[0]

    by_total = (
        optimum(learners.overhead, 4000 + step) - optimum(learners.overhead, 4000 - step)
    ) / (2 * step)
    assert answer.multipliers["all_samples"][0] == pytest.approx(by_total, rel=1e-5)
    for k in range(5):
        shift = step * np.eye(5)[k]  # a longer cycle for learner k alone is a smaller overhead
        by_cycle = (
            optimum(learners.overhead - shift, 4000.0) - optimum(learners.overhead + shift, 4000.0)
        ) / (2 * step)
        assert answer.multipliers["cycle"][k] == pytest.approx(by_cycle, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_linear_programs_on_either_side_of_the_root(seed: int) -> None:
    learners = random_learners(seed, 6, 3000.0)
    updates, _ = found(root(learners))
    for factor, feasible in ((1 - 1e-6, True), (1 + 1e-6, False)):
        pace = learners.compute * updates * factor + learners.transfer
        answer = linprog(
            np.zeros(6),
            A_ub=np.diag(pace),
            b_ub=30.0 - learners.overhead,
            A_eq=np.ones((1, 6)) / 3000,
            b_eq=[1.0],
            options={"primal_feasibility_tolerance": 1e-9},
        )
        assert (answer.status == 0) is feasible


def test_iterations_show_a_shrinking_bracket() -> None:
    answer = root(random_learners(1, 10, 5000.0))
    updates, _ = found(answer)
    bounds = [step.bound for step in answer.iterations if step.bound is not None]
    assert len(bounds) == len(answer.iterations) > 3
    assert bounds == sorted(bounds, reverse=True)
    assert min(bounds) >= updates * (1 - 1e-14)
    assert [step.number for step in answer.iterations] == list(range(1, len(bounds) + 1))
    last = answer.iterations[-1]
    assert last.note == "Newton"
    assert last.residual is not None
    assert abs(last.residual) < 1e-13


@quick
@given(st.integers(0, 10**6), st.integers(1, 20), st.floats(10.0, 1e5))
@pytest.mark.slow
def test_polynomial_of_the_paper_has_the_same_root(seed: int, count: int, total: float) -> None:
    learners = random_learners(seed, count, total)
    literal, answer = polynomial(learners), root(learners)
    if answer.updates is None:
        assert literal.termination is Termination.INFEASIBLE
        return
    assume(answer.updates > 1e-3)
    updates, batch = found(literal)
    assert updates == pytest.approx(answer.updates, rel=1e-6)
    np.testing.assert_allclose(batch, found(answer)[1], rtol=1e-5)
    assert literal.certificate["real_roots"] == 1  # the others lie between the -b_k


@quick
@given(st.integers(0, 10**6), st.integers(1, 30), st.floats(1.0, 1e5))
@pytest.mark.slow
def test_without_transfer_times_the_root_is_a_mean(seed: int, count: int, total: float) -> None:
    moderate = random_learners(seed, count, total)
    learners = Learners(moderate.compute, np.zeros(count), moderate.overhead, 30.0, total)
    expected = float(((30.0 - learners.overhead) / learners.compute).sum()) / total
    assert found(root(learners))[0] == pytest.approx(expected, rel=1e-13)


def test_two_speeds_with_equal_links_are_a_quadratic_equation() -> None:
    # n slack (1/(p t + c) + 1/(q t + c)) = d  <=>  d p q t^2 + (p + q)(d c - n s) t + d c^2 - 2 n s
    # c = 0
    n, p, q, c, overhead, d = 5, 4.7e-4, 1.6e-3, 2e-4, 0.3, 60000.0
    s = 30.0 - overhead
    expected = max(np.roots([d * p * q, (p + q) * (d * c - n * s), d * c * c - 2 * n * s * c]).real)
    learners = Learners(np.repeat([p, q], n), np.full(2 * n, c), np.full(2 * n, overhead), 30.0, d)
    assert found(root(learners))[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [2, 10, 20])
@pytest.mark.parametrize("cycle_time", [12.0, 60.0])
def test_compute_bound_gain_is_mean_over_smallest_speed(count: int, cycle_time: float) -> None:
    speed = np.where(np.arange(count) < count // 2, 2.4e9, 0.7e9)
    learners = Learners(1123736 / speed, np.zeros(count), np.zeros(count), cycle_time, 60000.0)
    gain = found(root(learners))[0] / found(equal_real(learners, integer_updates=False))[0]
    assert gain == pytest.approx(31 / 14, rel=1e-12)  # (2.4 + 0.7) / 2 / 0.7


@pytest.mark.parametrize("seed", range(4))
def test_dropping_out_the_unreachable_is_the_best_selection(seed: int) -> None:
    base = random_learners(seed, 5, 2000.0)
    learners = Learners(
        base.compute, base.transfer, base.overhead * np.array([1, 1, 9, 1, 9]), 12.0, 2000.0
    )
    excluded = np.flatnonzero(learners.overhead > 12.0)
    assert len(excluded) > 0
    answer = root(learners, drop_out=True)
    best = 0.0
    for size in range(1, 6):
        for members in combinations(range(5), size):
            chosen = np.isin(np.arange(5), members)
            subset = root(learners.part(chosen))
            best = max(best, subset.updates or 0.0)
    assert (answer.updates or 0.0) == pytest.approx(best, rel=1e-12)
    if answer.batch is not None:
        assert np.all(answer.batch[excluded] == 0)
        assert np.all(answer.multipliers["cycle"][excluded] == 0)


# --- outcomes and edges ---

EVERY = (root, polynomial, integer, rounding, equal)
WHOLE = (integer, rounding, equal)


def test_an_overhead_above_the_cycle_time_is_named() -> None:
    learners = Learners(np.ones(3), np.zeros(3), np.array([1.0, 12.5, 11.0]), 10.0, 4.0)
    for algorithm in (root, integer, rounding, equal):
        answer = algorithm(learners)
        assert answer.termination is Termination.INFEASIBLE
        assert "learner 2" in answer.message
        assert "2.5 s" in answer.message
    assert equal_real(learners, True).termination is Termination.INFEASIBLE
    # learner 1 alone: 9 s for 4 samples
    assert found(root(learners, drop_out=True))[0] == pytest.approx(2.25, rel=1e-14)
    for algorithm in WHOLE:
        updates, batch = found(algorithm(learners, drop_out=True))
        assert (updates, batch.tolist()) == (2.0, [4.0, 0.0, 0.0])


@pytest.mark.parametrize("algorithm", EVERY)
def test_dropping_out_everybody_is_infeasible(algorithm) -> None:  # type: ignore[no-untyped-def]
    answer = algorithm(
        Learners(np.ones(2), np.ones(2), np.array([11.0, 12.0]), 10.0, 4.0), drop_out=True
    )
    assert answer.termination is Termination.INFEASIBLE
    assert "overhead of learner 2" in answer.message


@pytest.mark.parametrize("algorithm", EVERY)
def test_too_little_room_without_updates_is_infeasible(algorithm) -> None:  # type: ignore[no-untyped-def]
    # two learners with 10 s each and 3 s per sample: 6.67 samples, 6 whole ones
    answer = algorithm(Learners(np.ones(2), np.full(2, 3.0), np.zeros(2), 10.0, 7.0))
    assert answer.termination is Termination.INFEASIBLE
    assert "7 are to be shared" in answer.message


@pytest.mark.parametrize("algorithm", WHOLE)
def test_room_for_the_samples_but_not_for_an_update(algorithm) -> None:  # type: ignore[no-untyped-def]
    answer = algorithm(Learners(np.full(2, 9.0), np.full(2, 3.0), np.zeros(2), 10.0, 6.0))
    assert found(answer)[0] == 0.0
    assert answer.termination is Termination.OPTIMAL
    assert "not even one local update" in answer.message


@pytest.mark.parametrize("algorithm", EVERY)
def test_a_root_of_exactly_zero(algorithm) -> None:  # type: ignore[no-untyped-def]
    # 10 s / (2 s/sample) = 5 samples each; nothing is left for updates
    updates, batch = found(
        algorithm(Learners(np.array([1.0, 4.0]), np.full(2, 2.0), np.zeros(2), 10.0, 10.0))
    )
    assert updates == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(batch, [5.0, 5.0], rtol=1e-12)


def test_a_learner_whose_overhead_fills_the_cycle() -> None:
    # C0 = T with a transfer time: no sample; the other has 10 s for 5 samples of 1 s per update
    learners = Learners(np.ones(2), np.array([1.0, 0.0]), np.array([10.0, 0.0]), 10.0, 5.0)
    assert found(root(learners))[1].tolist() == [0.0, 5.0]
    assert found(root(learners))[0] == pytest.approx(2.0, rel=1e-14)
    for algorithm in (integer, rounding):
        updates, batch = found(algorithm(learners))
        assert (updates, batch.tolist()) == (2.0, [0.0, 5.0])
    assert equal(learners).termination is Termination.NOT_FOUND
    # without a transfer time it takes any batch at tau = 0, and only there
    free = Learners(np.ones(2), np.array([0.0, 4.0]), np.array([10.0, 0.0]), 10.0, 5.0)
    answer = root(free)
    assert (answer.termination, answer.updates) == (Termination.OPTIMAL, 0.0)
    assert found(answer)[1].tolist() == [2.5, 2.5]  # 10 s / 4 s
    assert answer.certificate["surplus_above_zero"] == pytest.approx(-0.5)
    assert found(integer(free))[0] == 0.0


@pytest.mark.parametrize("algorithm", EVERY)
def test_one_learner(algorithm) -> None:  # type: ignore[no-untyped-def]
    # (10 - 1) / 3 = 3 s per sample, minus 1 s, over 0.5 s
    learners = Learners(np.array([0.5]), np.array([1.0]), np.array([1.0]), 10.0, 3.0)
    updates, batch = found(algorithm(learners))
    assert updates == pytest.approx(4.0, rel=1e-12)
    assert batch.tolist() == pytest.approx([3.0])


@pytest.mark.parametrize("algorithm", EVERY)
def test_equal_learners_share_equally(algorithm) -> None:  # type: ignore[no-untyped-def]
    # 6 s / 4 samples = 1.5 s, minus 0.3 s, over 0.4 s, with decimals that are not exact as doubles
    learners = Learners(np.full(7, 0.4), np.full(7, 0.3), np.zeros(7), 6.0, 28.0)
    updates, batch = found(algorithm(learners))
    assert updates == pytest.approx(3.0, rel=1e-9)
    np.testing.assert_allclose(batch, 4.0, rtol=1e-9)


@pytest.mark.parametrize("algorithm", WHOLE)
def test_fewer_samples_than_learners(algorithm) -> None:  # type: ignore[no-untyped-def]
    # three samples go to the three fastest, 8 s / 2 s; any other choice makes less
    compute = np.array([2.0, 9.0, 2.0, 9.0, 2.0])
    answer = algorithm(Learners(compute, np.zeros(5), np.zeros(5), 8.0, 3.0))
    assert found(answer)[0] == 4.0
    assert found(answer)[1].tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("speed", [1e-12, 1.0, 1e12])
def test_magnitudes(scale: float, speed: float) -> None:
    # C0 = C1 = 0: tau = (T/C2) (1 + 1/3) / 4 = speed / 3, whatever the unit of time
    compute = np.array([1.0, 3.0]) * scale / speed
    learners = Learners(compute, np.zeros(2), np.zeros(2), scale, 4.0)
    assert found(root(learners))[0] == pytest.approx(speed / 3, rel=1e-14)
    assert found(root(learners))[1].tolist() == pytest.approx([3.0, 1.0], rel=1e-14)
    updates, batch = found(integer(learners))
    assert updates == pytest.approx(floor(speed / 3 * (1 + 1e-12)), rel=2e-12)
    assert batch.sum() == 4.0


def test_large_totals_and_counts_stay_exact() -> None:
    learners = random_learners(7, 100_000, 2.0**40, spread=0.5)
    fast = Learners(
        learners.compute * 1e-8, learners.transfer * 1e-8, learners.overhead, 30.0, 2.0**40
    )
    updates, batch = found(integer(fast))
    assert batch.sum() == 2.0**40
    assert np.all(batch >= 0)
    duration = fast.compute * updates * batch + fast.transfer * batch + fast.overhead
    assert duration.max() <= 30.0 * (1 + 2e-12)
    later = fast.compute * (updates + 1) + fast.transfer
    assert np.floor((30.0 - fast.overhead) / later * (1 - 1e-9)).sum() < 2.0**40


def test_polynomial_with_an_overhead_above_the_cycle_time_shows_a_negative_batch() -> None:
    # a = (60, -1), b = (0, 1): 2 t (t + 1) = 60 (t + 1) - t  <=>  2 t^2 - 57 t - 60 = 0
    learners = Learners(np.ones(2), np.array([0.0, 1.0]), np.array([0.0, 61.0]), 60.0, 2.0)
    answer = polynomial(learners)
    updates, batch = found(answer)
    assert updates == pytest.approx((57 + np.sqrt(57**2 + 480)) / 4, rel=1e-12)
    assert batch[1] < 0
    assert batch.sum() == pytest.approx(2.0)
    assert answer.termination is Termination.FINISHED
    assert answer.bound is None
    assert "learner 2" in answer.message
    assert "negative" in answer.message
    # and it lies below what learner 1 reaches alone, 60/2: not even a bound for form `dropout`
    assert updates < found(root(learners, drop_out=True))[0]


def test_polynomial_overflows_with_many_learners() -> None:
    # b_k = 1e4 for 100 learners: a product of 1e400
    answer = polynomial(
        Learners(np.full(100, 1e-6), np.full(100, 1e-2), np.zeros(100), 30.0, 6000.0)
    )
    assert answer.termination is Termination.ERROR
    assert answer.updates is None
    assert "overflow" in answer.message
    assert "10^400" in answer.message
    too_many = polynomial(random_learners(0, 501, 6000.0))
    assert too_many.termination is Termination.ERROR
    assert "501" in too_many.message


def test_polynomial_never_claims_an_inaccurate_root() -> None:
    for count in (40, 80, 150):
        learners = random_learners(2, count, 20.0 * count)
        answer, exact = polynomial(learners), found(root(learners))[0]
        if answer.bound is None:
            assert answer.message
        else:
            assert answer.bound == pytest.approx(exact, rel=1e-7)


def test_polynomial_takes_the_largest_of_two_positive_roots() -> None:
    # a = (60, -1), b = (1, 0): 60 / (t + 1) - 1 / t = 2  <=>  2 t^2 - 57 t + 1 = 0, both roots
    # positive
    learners = Learners(np.ones(2), np.array([1.0, 0.0]), np.array([0.0, 61.0]), 60.0, 2.0)
    answer = polynomial(learners)
    assert answer.certificate["real_roots"] == 2
    assert found(answer)[0] == pytest.approx((57 + np.sqrt(57**2 - 8)) / 4, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"compute": np.array([1.0, 0.0])}, "`compute` > 0"),
        ({"transfer": np.array([1.0, -1.0])}, ">= 0"),
        ({"overhead": np.array([1.0, np.nan])}, "`overhead`"),
        ({"compute": np.ones(3)}, "one length"),
        ({"cycle_time": 0.0}, "`cycle_time` > 0"),
        ({"total_samples": 0.0}, "`total_samples` >= 1"),
        ({"compute": np.array([1.0, 1e-310])}, "range of doubles"),
    ],
)
def test_bad_data_is_refused(change: dict[str, object], words: str) -> None:
    good: dict[str, object] = {
        **{name: np.ones(2) for name in ("compute", "transfer", "overhead")},
        "cycle_time": 9.0,
        "total_samples": 2.0,
    }
    with pytest.raises(ValueError, match=words):
        Learners(**(good | change))  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", WHOLE)
def test_a_fraction_of_a_sample_is_refused(algorithm) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="whole"):
        algorithm(Learners(np.ones(2), np.ones(2), np.zeros(2), 9.0, 2.5))


# --- the paper's parameters ---


def published(count: int, cycle_time: float) -> Learners:
    """Table I read as: 8 bit per value, one cycle per operation, gain 10^-1.06 (10.6 dB), noise in
    5 MHz.
    """
    power, noise = 10 ** (23 / 10 - 3), 10 ** (-174 / 10 - 3) * 5e6
    rate = 5e6 * np.log2(1 + power * 10**-1.06 / noise)
    speed = np.where(np.arange(count) < count // 2, 2.4e9, 0.7e9)
    transfer, overhead = np.full(count, 784 * 8 / rate), np.full(count, 2 * 8_974_080 / rate)
    return Learners(1_123_736 / speed, transfer, overhead, cycle_time, 60000.0)


@pytest.mark.parametrize("count", [10, 20])
@pytest.mark.parametrize("cycle_time", [12.0, 30.0, 60.0])
def test_published_parameters(count: int, cycle_time: float, record_property) -> None:  # type: ignore[no-untyped-def]
    learners = published(count, cycle_time)

    def room(updates: int) -> int:
        return sum(floor(samples) for samples in share(learners, updates).tolist())

    scanned = max(updates for updates in range(100) if room(updates) >= 60000)
    # every overhead and transfer time is the same, so a slow learner decides
    per_sample = (cycle_time - learners.overhead[-1]) / (60000 / count) - learners.transfer[-1]
    alike = floor(float(per_sample) / (1_123_736 / 0.7e9))
    adaptive, equal_batches = integer(learners), equal(learners)
    assert adaptive.updates == scanned
    assert equal_batches.updates == alike
    record_property("adaptive", adaptive.updates)
    record_property("equal", equal_batches.updates)
    record_property("relaxed", root(learners).updates)
    assert found(polynomial(learners))[0] == pytest.approx(found(root(learners))[0], rel=1e-9)
