"""Textbook functions with their true curvature on a box: what is proven must be true, and what
should be seen is seen.

Each line: the expression, the box of x, y, z, and its true curvature there. `unknown`: neither
convex nor concave on the box; `unseen`: it bends one way, as the comment shows, but no rule knows
it. BV is Boyd and Vandenberghe, Convex Optimization, 2004; H a Hessian.
"""

import pytest

import mecdsl
from mecdsl.convexity.curvature import Curvature
from mecdsl.convexity.problem import Problem, analyse
from mecdsl.instances.instance import Instance

FREE, POSITIVE, NEGATIVE, UNIT = "", ">= 0", "<= 0", "in 0..1"

CASES: list[tuple[str, str, str]] = [
    # powers of one variable: the sign of p(p-1)x^(p-2)
    ("x^2 * 1", FREE, "convex"),
    ("x^3", POSITIVE, "convex"),
    ("x^3", NEGATIVE, "concave"),
    ("x^3", FREE, "unknown"),  # 6x changes sign
    ("x^4", FREE, "convex"),
    ("x^5", FREE, "unknown"),
    ("1/x", POSITIVE, "convex"),
    ("1/x", NEGATIVE, "concave"),
    ("1/x", FREE, "unknown"),
    ("1/x^2", POSITIVE, "convex"),
    ("1/x^2", NEGATIVE, "convex"),  # 6/x^4 > 0
    ("1/x^2", FREE, "unknown"),  # infinite at 0 between finite values
    ("x^1.5", POSITIVE, "convex"),
    ("x^0.5", POSITIVE, "concave"),
    ("x^(-0.5)", POSITIVE, "convex"),
    ("sqrt(x)", POSITIVE, "concave"),
    ("-sqrt(x)", POSITIVE, "convex"),
    ("sqrt(x)", FREE, "unknown"),  # no value for x < 0
    ("x*x*x", FREE, "unknown"),
    ("x*x*x*x", FREE, "convex"),
    ("(x - y)^4", FREE, "convex"),  # BV 3.2.2: composition with an affine map
    ("(x^2 + 1)^2", FREE, "convex"),  # u^2 rises for u >= 1
    ("(x^2 - 1)^2 * 1", FREE, "unknown"),  # 12x^2 - 4 changes sign
    # logarithm and exponential
    ("ln(x)", POSITIVE, "concave"),
    ("ln(x)", FREE, "unknown"),
    ("log2(1 + x)", POSITIVE, "concave"),
    ("-log10(x + y)", POSITIVE, "convex"),
    ("exp(x)", FREE, "convex"),
    ("exp(-x)", FREE, "convex"),
    ("exp(x^2)", FREE, "convex"),
    ("exp(-x^2)", FREE, "unknown"),  # (4x^2 - 2) exp(-x^2)
    ("exp(-sqrt(x))", POSITIVE, "convex"),  # exp rises and -sqrt is convex
    ("exp(sqrt(x))", POSITIVE, "unknown"),  # exp(s)(s - 1)/(4 s^3), s = sqrt(x)
    ("2^x", FREE, "convex"),
    ("0.5^x", FREE, "convex"),
    # (x + 2) exp(x) > 0: convex, a product of two rising convex functions
    ("x*exp(x)", POSITIVE, "unseen"),
    ("ln(exp(x) + exp(y))", FREE, "convex"),  # BV 3.1.5
    ("ln(exp(x) + exp(2*y - x) + 3)", FREE, "convex"),
    ("ln(exp(x) - 1)", POSITIVE, "unseen"),  # -exp(x)/(exp(x)-1)^2 < 0: concave
    ("ln(x*y)", POSITIVE, "concave"),  # ln x + ln y
    ("ln(x/y)", POSITIVE, "unknown"),  # ln x - ln y
    ("ln(1 + 1/x)", POSITIVE, "convex"),  # 1/x^2 - 1/(x+1)^2 > 0
    ("ln(1 + x/y)", POSITIVE, "unknown"),  # by y: 1/y^2 - 1/(x+y)^2 > 0, by x: < 0
    # entropies and perspectives: BV 3.2.6
    ("x*ln(x)", POSITIVE, "convex"),
    ("-x*ln(x)", POSITIVE, "concave"),
    ("x*ln(x/y)", POSITIVE, "convex"),
    ("x*ln(y/x)", POSITIVE, "concave"),
    ("x*ln(y)", POSITIVE, "unknown"),  # H = [[0, 1/y], [1/y, -x/y^2]], determinant < 0
    ("y*ln(1 + x/y)", POSITIVE, "concave"),
    ("y*log2(1 + 3*x/y)", POSITIVE, "concave"),
    ("2*y*ln(1 + x/(5*y))", POSITIVE, "concave"),
    ("z*ln(1 + x/z + y/z)", POSITIVE, "concave"),
    ("perspective(y, x)", POSITIVE, "concave"),
    ("perspective(y, x)", FREE, "unknown"),
    # in x = s, y = 1: ln(1 + s^2), 2(1 - s^2)/(1 + s^2)^2
    ("perspective(y, x^2)", POSITIVE, "unknown"),
    ("perspective(y, sqrt(x))", POSITIVE, "concave"),
    ("y*exp(x/y)", POSITIVE, "convex"),
    ("y*(2^(3/y) - 1)", POSITIVE, "convex"),
    ("exp(x/y)", POSITIVE, "unknown"),  # H of exp(u), u = x/y: det = -e^(2u)/y^4 < 0
    # products of powers: the rule of `mecdsl.convexity.monomials`
    ("x*y", FREE, "unknown"),
    ("x*y", POSITIVE, "unknown"),
    ("x*(0 - x)", FREE, "concave"),
    ("x/y", POSITIVE, "unknown"),
    ("x^2/y", POSITIVE, "convex"),
    ("(x - z)^2/y", POSITIVE, "convex"),
    ("x^2/y", NEGATIVE, "concave"),  # -(x^2/(-y))
    ("quad_over_lin(x, y)", POSITIVE, "convex"),
    ("(x^2 + z^2)/y", POSITIVE, "convex"),
    ("x^3/y^2", POSITIVE, "convex"),
    ("x^3/(y*z)", POSITIVE, "convex"),
    ("x^2/(y*z)", POSITIVE, "unknown"),  # 2 - 2 < 1: along x = y = z it is constant, H indefinite
    ("x^1.5*y^(-0.5)", POSITIVE, "convex"),
    ("x^1.2*y^(-0.5)", POSITIVE, "unknown"),  # det H: p q (1 - p - q) with p=1.2, q=-0.5: -0.18 < 0
    ("1/(x*y)", POSITIVE, "convex"),
    ("1/(x*y*z)", POSITIVE, "convex"),
    ("sqrt(x*y)", POSITIVE, "concave"),
    ("sqrt(x)*sqrt(y)", POSITIVE, "concave"),
    ("x^0.6*y^0.6", POSITIVE, "unknown"),  # homogeneous of degree 1.2
    ("(x*y*z)^(1/3)", POSITIVE, "concave"),
    ("x*y/(x + y)", POSITIVE, "unseen"),  # half the harmonic mean is concave: BV exercise 3.17
    ("1/(1/x + 1/y)", POSITIVE, "unseen"),  # the same
    ("sqrt(x)/y", POSITIVE, "unknown"),  # 0.5 - 1 < 1, one exponent positive
    ("1/sqrt(x)", POSITIVE, "convex"),
    ("1/(2 - x)", UNIT, "convex"),
    ("x/(1 + x)", POSITIVE, "concave"),  # -2/(1+x)^3 < 0
    ("1/ln(2 + x)", POSITIVE, "convex"),  # the inverse of a concave positive function
    # norms, absolute values, extremes
    ("sqrt(1 + x^2)", FREE, "convex"),
    ("sqrt((x - 3)^2 + (y + 1)^2)", FREE, "convex"),
    ("sqrt(x^2 + y)", POSITIVE, "unknown"),  # in x: convex; at x = 0 sqrt(y) is concave
    ("abs(x - y)", FREE, "convex"),
    # for x <= 400: 20 - sqrt(x), convex; beyond concave
    ("abs(sqrt(x) - 20)", POSITIVE, "unknown"),
    ("abs(ln(x))", UNIT, "convex"),  # -ln x
    ("abs(-x - 1)", POSITIVE, "affine"),
    ("max(x, y, 0)", FREE, "convex"),
    ("min(x, y)", FREE, "concave"),
    ("max(sqrt(x), sqrt(y))", POSITIVE, "unknown"),
    ("min(x^4, y^4)", FREE, "unknown"),
    ("min(ln(x), y)", POSITIVE, "concave"),
    ("exp(max(x, y))", FREE, "convex"),
    ("max(x, -5)", POSITIVE, "affine"),
    ("x - x^3", UNIT, "concave"),
    ("x^3 - x^2", UNIT, "unknown"),  # 6x - 2
    ("exp(x) - ln(y)", POSITIVE, "convex"),
    ("exp(x) + ln(y)", POSITIVE, "unknown"),
]


def problem_of(expression: str, box: str, sense: str = "minimize") -> tuple[Instance, Problem]:
    text = f"model m\nvar x : 1 {box}\nvar y : 1 {box}\nvar z : 1 {box}\n{sense} f = {expression}\n"
    instance = mecdsl.loads(text).instance()
    return instance, analyse(instance)


@pytest.mark.parametrize(
    ("expression", "box", "truth"), CASES, ids=[f"{e} {b}" for e, b, _ in CASES]
)
def test_textbook_functions(expression: str, box: str, truth: str) -> None:
    _, problem = problem_of(expression, box)
    expected = Curvature.UNKNOWN if truth == "unseen" else Curvature(truth)
    assert problem.objective.curvature is expected
