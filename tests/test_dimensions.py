"""Units on the template: what fits together, and that every misfit is found, whatever the
expression looks like.
"""

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mecdsl.compiling.check import check
from mecdsl.diagnostics import ModelError
from mecdsl.parsing.parse import parse
from mecdsl.units import Dimension, parse_unit

REST = "\nvar free : 1 >= 0\nminimize nothing = free\n"
SYMBOLS = {
    "size": "bit",
    "work": "cycle",
    "speed": "cycle/s",
    "rate": "bit/s",
    "delay": "s",
    "energy": "J",
    "power": "W",
    "band": "Hz",
    "count_": "1",
    "density": "cycle/bit",
}
DECLARED = "".join(
    f"param {name} : {unit} = 2 {unit if unit != '1' else ''}\n" for name, unit in SYMBOLS.items()
)


def dimension(expression: str) -> str:
    """The dimension found for a definition without a unit."""
    model = check(parse(f"{DECLARED}let wanted = {expression}{REST}")).model
    return str(model.dimensions["wanted"])


def codes(expression: str) -> list[str]:
    try:
        dimension(expression)
    except ModelError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]
    return []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("size/rate", "s"),
        ("work/speed + size/rate", "s"),
        ("size*density/speed", "s"),
        ("power*delay", "J"),
        ("energy/delay - power", "W"),
        ("band*log2(1 + count_)", "1/s"),
        ("band*log2(1 + count_)*1 bit", "bit/s"),
        ("rate(power, count_, band, power/band)", "bit/s"),
        ("sinr_rate(power, 2*power, power, band)", "bit/s"),
        ("sqrt(energy*energy)", "J"),
        ("sqrt(size)", "bit^(1/2)"),
        ("delay^2", "s^2"),
        ("delay^-1", "1/s"),
        ("delay^(1/2)", "s^(1/2)"),
        ("delay^0.5", "s^(1/2)"),
        ("count_^count_", "1"),
        ("abs(-delay)", "s"),
        ("max(delay, 3 s, size/rate)", "s"),
        ("if delay > 1 s then size else 3 bit", "bit"),
        ("sum(i*delay for i in 1..3)", "s"),
        ("count(delay > i*1 s for i in 1..3)", "1"),
        ("floor(size)", "bit"),  # a counted thing has its step
        ("delay + 0", "s"),  # a bare 0 fits everywhere
        ("if delay > 0 then delay else inf", "s"),
        ("db(-30)*power", "W"),
        ("(8 byte)/(1 bit)", "1"),
    ],
)
def test_dimension(expression: str, expected: str) -> None:
    assert dimension(expression) == str(parse_unit(expected).dimension)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("size + work", ["E201"]),
        ("size/band + delay", ["E201"]),  # bit/Hz is no time
        ("work/band + delay", ["E201"]),  # nor is cycle/Hz
        ("delay + energy", ["E201"]),
        ("delay + 3", ["E201"]),
        ("if delay > energy then 1 else 2", ["E201"]),
        ("if delay > 1 s then size else work", ["E201"]),
        ("max(delay, energy)", ["E201"]),
        ("ln(power)", ["E202"]),
        ("log2(1 + power)", ["E201"]),
        ("exp(delay)", ["E202"]),
        ("db(power)", ["E202"]),
        ("2^delay", ["E202"]),
        ("delay^count_", ["E203"]),
        ("floor(delay)", ["E202"]),
        ("sum(delay for i in 1..delay)", ["E202"]),
        ("prod(delay for i in 1..2)", ["E202"]),
        ("(size + work) + (delay + energy)", ["E201", "E201"]),  # both, and no third
        ("ln(power) + ln(delay)", ["E202", "E202"]),
    ],
)
def test_misfits(expression: str, expected: list[str]) -> None:
    assert codes(expression) == expected


@pytest.mark.parametrize(
    "statement",
    [
        "param x : s = 3 J",
        "param x : s >= 3 J = 3 s",
        "var x : s <= 3",
        "let x : bit/s = band*log2(1 + count_)",
        "report x : J = power",
        "constraint x: delay <= energy",
        "constraint x: 1 s <= free*delay <= energy",
        "var x : s\nstart x = 3 bit",
        "param x[i in 1..2] : s = [1 s, 2 bit]",
        "nodes user[k in 1..2] { x : s = 3*energy }",
    ],
)
def test_every_place_is_checked(statement: str) -> None:
    with pytest.raises(ModelError) as caught:
        check(parse(DECLARED + statement + REST))
    assert [d.code for d in caught.value.diagnostics] == ["E201"]


def test_a_form_is_checked_where_it_is_used() -> None:
    text = DECLARED + "var x : s >= 0" + REST + "form f: fix x = energy\n"
    assert check(parse(text)).model.form == ""
    with pytest.raises(ModelError, match="`x` is in"):
        check(parse(text), "f")


# Properties. A drawn expression carries the dimension that the rules of physics give it, reckoned
# here with vectors of exponents and not with the code under test.

Vector = tuple[Fraction, ...]
BASE = ("bit", "cycle", "s", "kg", "m")
EXPONENTS: dict[str, Vector] = {
    name: tuple(map(Fraction, vector))
    for name, vector in {
        "size": (1, 0, 0, 0, 0),
        "work": (0, 1, 0, 0, 0),
        "speed": (0, 1, -1, 0, 0),
        "rate": (1, 0, -1, 0, 0),
        "delay": (0, 0, 1, 0, 0),
        "energy": (0, 0, -2, 1, 2),
        "power": (0, 0, -3, 1, 2),
        "band": (0, 0, -1, 0, 0),
        "count_": (0, 0, 0, 0, 0),
        "density": (-1, 1, 0, 0, 0),
    }.items()
}
Typed = tuple[str, Vector]
NOTHING: Vector = (Fraction(0),) * 5


def leaves() -> st.SearchStrategy[Typed]:
    return st.sampled_from(list(EXPONENTS.items()))


def grown(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """Products, quotients and powers of anything; sums, choices and extremes of one thing with
    itself.
    """
    numbers = st.integers(min_value=1, max_value=9)
    return st.one_of(
        st.tuples(inner, inner).map(
            lambda p: (f"({p[0][0]})*({p[1][0]})", plus(p[0][1], p[1][1], 1))
        ),
        st.tuples(inner, inner).map(
            lambda p: (f"({p[0][0]})/({p[1][0]})", plus(p[0][1], p[1][1], -1))
        ),
        inner.map(lambda e: (f"({e[0]})^2", plus(e[1], e[1], 1))),
        inner.map(lambda e: (f"sqrt(({e[0]})^2)", e[1])),
        st.tuples(inner, numbers).map(lambda p: (f"{p[0][0]} + {p[1]}*({p[0][0]})", p[0][1])),
        st.tuples(inner, numbers).map(lambda p: (f"-({p[0][0]}) - {p[1]}*abs({p[0][0]})", p[0][1])),
        inner.map(lambda e: (f"(if {e[0]} > 0 then {e[0]} else 2*({e[0]}))", e[1])),
        # an index called after the length of the text inside, so that an inner index has another
        # name
        inner.map(lambda e: (f"sum(i{len(e[0])}*({e[0]}) for i{len(e[0])} in 1..3)", e[1])),
        inner.map(lambda e: (f"max({e[0]}, 3*({e[0]}))", e[1])),
        inner.map(lambda e: (f"log2(1 + ({e[0]})/({e[0]}))", NOTHING)),
    )


def plus(first: Vector, second: Vector, sign: int) -> Vector:
    return tuple(a + sign * b for a, b in zip(first, second, strict=True))


expressions = st.recursive(leaves(), grown, max_leaves=6)


@settings(max_examples=50)
@given(expressions)
@pytest.mark.slow
def test_consistent_expressions_have_the_dimension_of_their_parts(expression: Typed) -> None:
    text, vector = expression
    assume(len(text) < 4000)
    assert dimension(text) == str(Dimension.of(dict(zip(BASE, vector, strict=True))))


@settings(max_examples=50)
@given(
    expressions,
    expressions,
    st.sampled_from(["{} + {}", "{} - {}", "if {} <= {} then 1 else 2", "max({}, {})"]),
)
@pytest.mark.slow
def test_inconsistent_expressions_are_refused_and_consistent_ones_are_not(
    first: Typed, second: Typed, form: str
) -> None:
    text = form.format(f"({first[0]})", f"({second[0]})")
    assume(len(text) < 4000)
    assert codes(text) == ([] if first[1] == second[1] else ["E201"])
