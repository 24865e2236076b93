"""What is called convex is convex: random expressions against sampled chords and the eigenvalues of
exact Hessians.

The expressions are drawn from the grammar of the language over three variables in boxes with data
of either sign. The evidence against a label comes from two places the rules know nothing of: values
at three points of a segment, and second derivatives from the jets. Both have tests that they refute
what is not convex.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import mecdsl
from mecdsl.analysis.magnitude import Magnitudes, size_of
from mecdsl.convexity.curvature import Curvature
from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import ModelError
from mecdsl.functions.table import UNIVARIATE
from mecdsl.instances.algebra import Floats, Jets
from mecdsl.instances.instance import Instance
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import SINGLE, FloatArray

BOXES = [(0.0, 2.0), (0.5, 3.0), (-1.0, 1.0), (-3.0, -0.25), (0.0, 1.0), (1.0, 8.0), (-2.0, 0.0)]
NUMBERS = ["1", "2", "3", "0.5", "-1", "-2", "0.25", "a", "b", "c"]
VARIABLES = ["x", "y", "z", "x", "y", "z", "t[1]", "t[2]"]
EXPONENTS = ["2", "3", "4", "0.5", "1.5", "(-1)", "(-2)", "(-0.5)", "1", "0", "(1/3)"]
CHORDS = 25
SIGNIFICANT = 1e-8  # of the size of the terms; rounding is a thousand times less
ROUNDING = 1e-10  # of second derivatives that are 0 but for it, over data from 1e-2 to 1e2


def expressions() -> st.SearchStrategy[str]:
    """Texts; shapes that a rule of its own stands for come more often than chance would bring
    them.
    """
    leaf = st.one_of(
        st.sampled_from(VARIABLES), st.sampled_from(VARIABLES), st.sampled_from(NUMBERS)
    )

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        triple = st.tuples(inner, inner, inner)
        indexed = st.tuples(st.sampled_from("ijkl"), inner)
        return st.one_of(
            pair.map(lambda p: f"({p[0]} + {p[1]})"),
            pair.map(lambda p: f"({p[0]} - {p[1]})"),
            pair.map(lambda p: f"({p[0]} * {p[1]})"),
            pair.map(lambda p: f"({p[0]} / ({p[1]}))"),
            st.tuples(inner, st.sampled_from(EXPONENTS)).map(lambda p: f"({p[0]})^{p[1]}"),
            inner.map(lambda e: f"(-{e})"),
            st.tuples(st.sampled_from(sorted(UNIVARIATE)), inner).map(lambda p: f"{p[0]}({p[1]})"),
            st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
                lambda p: f"{p[0]}({p[1]}, {p[2]})"
            ),
            st.tuples(st.sampled_from(["perspective", "quad_over_lin"]), inner, inner).map(
                lambda p: f"{p[0]}({p[1]}, {p[2]})"
            ),
            pair.map(lambda p: f"({p[0]})*ln(({p[1]})/({p[0]}))"),
            pair.map(lambda p: f"({p[0]})*ln(1 + ({p[1]})/({p[0]}))"),
            pair.map(lambda p: f"({p[0]})*exp(({p[1]})/({p[0]}))"),
            pair.map(lambda p: f"({p[0]})*(2^(({p[1]})/({p[0]})) - 1)"),
            triple.map(lambda p: f"ln(exp({p[0]}) + exp({p[1]}) + {p[2]})"),
            triple.map(lambda p: f"sqrt(({p[0]})^2 + ({p[1]})^2 + {p[2]})"),
            st.tuples(triple, st.tuples(*[st.sampled_from(EXPONENTS)] * 3)).map(
                lambda p: "*".join(f"({base})^{power}" for base, power in zip(*p, strict=True))
            ),
            indexed.map(lambda p: f"sum(w[{p[0]}]*({p[1]} + {p[0]}*t[{p[0]}]) for {p[0]} in item)"),
            indexed.map(lambda p: f"sum((t[{p[0]}] - {p[1]})^2 for {p[0]} in item)"),
            indexed.map(lambda p: f"max((t[{p[0]}] + {p[1]}) for {p[0]} in item)"),
            indexed.map(lambda p: f"prod((t[{p[0]}] + {p[1]}) for {p[0]} in item)"),
            indexed.map(
                lambda p: f"sum((if {p[0]} == 1 then {p[1]} else t[{p[0]}]^2) for {p[0]} in item)"
            ),
            indexed.map(lambda p: f"ln(sum(exp(t[{p[0]}] + {p[1]}) for {p[0]} in item))"),
            inner.map(lambda e: f"(if b > 1 then {e} else x)"),
        )

    return st.recursive(leaf, grow, max_leaves=6)


def instance_of(expression: str, boxes: list[tuple[float, float]], data: list[float]) -> Instance:
    names = ["x", "y", "z"]
    lines = ["model m", "set item = 1..2", "param w[i in item] : 1 = if i == 1 then 1 else c"]
    lines += [f"param {name} : 1 = {value}" for name, value in zip("abc", data, strict=True)]
    lines += [
        f"var {name} : 1 in {low}..{high}"
        for name, (low, high) in zip(names, boxes[:3], strict=True)
    ]
    lines += [f"var t[i in item] : 1 in {boxes[3][0]}..{boxes[3][1]}", f"minimize f = {expression}"]
    return mecdsl.loads("\n".join(lines) + "\n").instance()


def rise(instance: Instance, one: FloatArray, two: FloatArray) -> float:
    """Height of the function half-way above the chord, relative to the terms; nan where it has no
    finite value.
    """
    points = (one, two, 0.5 * (one + two))
    with np.errstate(all="ignore"):
        heights = [instance.objective(point) for point in points]
        sizes = []
        for point in points:
            found = instance.evaluator(Magnitudes(point)).family(
                instance.model.objective.value, SINGLE
            )
            sizes.append(float(np.atleast_1d(size_of(found))[0]))
        return float((heights[2] - 0.5 * (heights[0] + heights[1])) / max(sum(sizes), 1e-300))


def eigenvalues(instance: Instance, x: FloatArray) -> tuple[FloatArray, float] | None:
    """Of the Hessian at a point, with the rounding to expect; None where it is not finite or not
    smooth.
    """
    free = np.ones(instance.columns, dtype=bool)
    with np.errstate(all="ignore"):
        found = instance.evaluator(Jets(x, 2, free)).family(instance.model.objective.value, SINGLE)
    if not isinstance(found, Jet) or found.hessian is None:
        return None
    matrix = np.zeros((instance.columns, instance.columns))
    first, second = found.hessian.columns
    np.add.at(matrix, (first, second), found.hessian.values)
    terms = np.zeros_like(matrix)
    np.add.at(terms, (first, second), np.abs(found.hessian.values))
    if not np.isfinite(terms).all():
        return None
    full = matrix + np.tril(matrix, -1).T
    return np.asarray(np.linalg.eigvalsh(full), dtype=np.float64), 1e-9 * float(
        terms.sum()
    ) + ROUNDING


def refuted(instance: Instance, curvature: Curvature, seed: int) -> str:
    """Evidence against a label, empty if there is none."""
    generator = np.random.default_rng(seed)
    low, high = instance.lower, instance.upper
    signs = {Curvature.CONVEX: (1.0,), Curvature.CONCAVE: (-1.0,), Curvature.AFFINE: (1.0, -1.0)}[
        curvature
    ]
    for _ in range(CHORDS):
        one, two = low + (high - low) * generator.random((2, len(low)))
        if generator.random() < 0.3:
            keep = generator.random(len(low)) < 0.6
            two = np.where(keep, one, two)
        height = rise(instance, one, two)
        if any(sign * height > SIGNIFICANT for sign in signs):
            return f"above the chord by {height} between {one} and {two}"
    smooth = not any(
        word in instance.model.objective.value.span.text for word in ("min", "max", "abs")
    )
    for _ in range(CHORDS // 3 if smooth else 0):
        x = low + (high - low) * generator.random(len(low))
        if not np.isfinite(
            instance.evaluator(Floats(x)).family(instance.model.objective.value, SINGLE)
        ).all():
            continue
        found = eigenvalues(instance, x)
        if found is not None and any((sign * found[0]).min() < -found[1] for sign in signs):
            return f"eigenvalues {found[0]} at {x}"
    return ""


def labelled(
    expression: str, boxes: list[tuple[float, float]], data: list[float]
) -> tuple[Instance, Curvature] | None:
    """The label, None for texts that are no model (a constant objective, a division by 0 in the
    data).
    """
    try:
        instance = instance_of(expression, boxes, data)
        return instance, analyse(instance).objective.curvature
    except ModelError:
        return None


@pytest.mark.slow
@settings(
    max_examples=300, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
@given(
    expressions(),
    st.lists(st.sampled_from(BOXES), min_size=4, max_size=4),
    st.lists(st.sampled_from([-2.0, -0.5, 0.0, 1.0, 1.5, 3.0]), min_size=3, max_size=3),
    st.integers(0, 2**16),
)
@example("x*ln(x/y)", [(0.0, 2.0)] * 4, [1.0] * 3, 0)
@example("(x)^1.5*(y)^(-0.5)*(z)^0", [(0.0, 2.0)] * 4, [1.0] * 3, 0)
@example("exp(-sqrt(x*y))", [(0.0, 2.0)] * 4, [1.0] * 3, 0)
def test_no_label_is_refuted(
    expression: str, boxes: list[tuple[float, float]], data: list[float], seed: int
) -> None:
    found = labelled(expression, boxes, data)
    assume(found is not None and found[1] is not Curvature.UNKNOWN)
    assert found is not None
    assert not refuted(*found, seed), expression


@pytest.mark.parametrize(
    ("expression", "curvature"),
    [
        ("x*y", Curvature.CONVEX),
        ("x*y", Curvature.CONCAVE),
        ("x^3", Curvature.CONVEX),
        ("exp(-x^2)", Curvature.CONVEX),
        ("(x)^1.2*(2 + y)^(-0.5)", Curvature.CONVEX),
        ("sqrt(2 + x)", Curvature.CONVEX),
        ("(2 + x)^0.6*(2 + y)^0.6", Curvature.CONCAVE),
        ("x^2", Curvature.AFFINE),
        ("max(x, y)", Curvature.AFFINE),
    ],
)
def test_a_wrong_label_would_be_refuted(expression: str, curvature: Curvature) -> None:
    instance = instance_of(
        expression, [(-1.0, 1.0) if "1.2" not in expression else (0.1, 2.0)] * 4, [1.0] * 3
    )
    assert refuted(instance, curvature, 0)
