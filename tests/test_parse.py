"""The surface of the language: what a text means, read through the values it gives."""

import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mecdsl.compiling.check import check
from mecdsl.data_files.read import read_settings
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing import syntax
from mecdsl.parsing.parse import parse, parse_file

REST = "\nvar free : 1 >= 0\nminimize nothing = free\n"


def value(expression: str, before: str = "", unit: str = "1") -> float:
    """The SI value of an expression over data."""
    instance = instantiate(
        check(parse(f"{before}\nparam wanted : {unit} = {expression}{REST}")), {}
    )
    return float(instance.data("wanted")[0])


def in_form(text: str, form: str, settings: tuple[str, ...] = ()) -> Instance:
    return instantiate(check(parse(text), form), read_settings(settings))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2*3", 7),
        ("(1 + 2)*3", 9),
        ("10 - 3 - 2", 5),  # from the left
        ("16/4/2", 2),  # from the left
        ("2^3^2", 512),  # from the right: 2^9
        ("-2^2", -4),  # the power binds more than the sign
        ("2^-1", 0.5),
        ("(-2)^2", 4),
        ("2*-3", -6),
        ("1 - -1", 2),
        ("if 1 < 2 and not 2 < 1 then 3 else 4", 3),
        ("if 1 > 2 or 2 > 1 then 3 else 4", 3),
        ("if 1 > 2 or 2 > 1 and 1 > 2 then 3 else 4", 4),  # `and` binds more than `or`
        ("if 1 <= 2 <= 3 then 3 else 4", 3),
        ("if 1 <= 5 <= 3 then 3 else 4", 4),
        ("if 1 ≤ 2 and 2 ≥ 2 and 1 ≠ 2 then 3 else 4", 3),
        ("if 1 != 1 then 3 else if 2 == 2 then 5 else 6", 5),
        ("1 + if 1 > 2 then 3 else 4 + 5", None),  # an `if` inside arithmetic stands in brackets
        ("1 + (if 1 > 2 then 3 else 4) + 5", 10),
        ("if 2 in 1..3 then 1 else 0", 1),
        ("if 4 in 1..3 then 1 else 0", 0),
        ("if 4 in {1, 4} then 1 else 0", 1),
        ("1e3 + 2.5E-1 + .5", 1000.75),
        ("min(3, 2) + max(1, 2, 7) + abs(-4)", 13),
        ("sum(i for i in 1..4)", 10),
        ("sum(i for i in 3..1)", 0),  # an empty range
        ("sum(i*j for i in 1..3, j in 1..i)", 25),  # 1 + (2 + 4) + (3 + 6 + 9)
        ("sum(i for i in 1..6 where i != 2 and i/2 == floor(i/2))", 10),  # 4 + 6
        ("prod(i for i in 1..5)", 120),
        ("count(i > 2 for i in 1..5)", 3),
        ("max(i*(5 - i) for i in 1..4)", 6),
        ("if all(i > 0 for i in 1..3) and any(i == 2 for i in 1..3) then 1 else 0", 1),
        ("sum(i for i in {2, 3, 5})", 10),
        ("sqrt(16) + exp(0) + log2(8) + log10(1000) + ln(1)", 11),
    ],
)
def test_value_of_an_expression(expression: str, expected: float | None) -> None:
    if expected is None:
        with pytest.raises(ModelError, match="E001"):
            value(expression)
    else:
        assert value(expression) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("expression", "unit", "expected"),
    [
        ("30 s", "s", 30),
        ("30s", "s", 30),
        ("30 ms", "s", 0.03),
        ("10 Mbit/s", "bit/s", 1e7),
        ("2 Mbyte", "bit", 1.6e7),
        ("3 km*2", "m", 6000),
        ("8 Mbit / 2", "bit", 4e6),
        ("23 dBm", "W", 0.001 * 10**2.3),
        ("-174 dBm/Hz", "W/Hz", 1e-3 * 10**-17.4),  # the minus belongs to the literal
        ("-3 dB", "1", 10**-0.3),
        ("1 W - 0.5 W", "W", 0.5),
        ("-20 K", "K", -20),
        ("5 1/s", "1/s", 5),
        ("2 s^2", "s^2", 2),
        ("4 W/Hz^(1/2)", "W/Hz^(1/2)", 4),
    ],
)
def test_quantities(expression: str, unit: str, expected: float) -> None:
    assert value(expression, unit=unit) == pytest.approx(expected, rel=1e-14)


def test_units_and_keywords_are_told_apart() -> None:
    assert value("if 1 > 0 then 3 else 4") == 3
    assert value("sum(2 for i in 1..3 where 1 in 1..2)") == 6
    assert value("if 1 in S and 2 in S then 1 else 0", "set S = 1..2") == 1
    assert value("sum(3 for i in S)", "set S = {a, b}") == 6


def test_blanks_after_a_unit_end_the_quantity() -> None:
    assert value("10 m / s", "param s : s = 2 s", "m/s") == 5
    assert value("10 m/s", "param s : s = 2 s", "m/s") == 10


def test_words_that_only_begin_like_keywords_are_no_keywords() -> None:
    for text in ("parameter x : 1 = 2", "vary x : 1", "lettuce = 3"):
        with pytest.raises(ModelError, match="no word of the language"):
            parse(text)
    with pytest.raises(ModelError, match="`order` cannot stand here"):
        parse("param a : 1 = 1\nparam x : 1 = if 1 > a order 2 > 0 then 1 else 2")
    assert (
        value(
            "informal + thenar + order",
            "param informal : 1 = 1\nparam thenar : 1 = 2\nparam order : 1 = 4",
        )
        == 7
    )


def test_comments_and_line_ends() -> None:
    text = """
        # a comment
        param a : 1 = 1 +   # goes on after an operator
            2

        param b : 1 = sum(  # goes on inside brackets
            i
            for i in 1..3   # "not a text"
        )
        set S = {one,
                 two}
        param c[s in S] : 1 = [
            1,  # of one
            2
        ]   "the # is no comment here"
        let d : 1 =
            a + b
        var free : 1 >= 0
        minimize nothing =
            free
        constraint last[s in S]:
            free >= d*c[s]
    """.replace("\n        ", "\n")
    instance = instantiate(check(parse(text)), {})
    assert [instance.data(name).tolist() for name in ("a", "b", "c", "d")] == [
        [3],
        [6],
        [1, 2],
        [9],
    ]
    assert instance.model.symbols["c"].doc == "the # is no comment here"


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_other_systems(end: str) -> None:
    text = "# speeds\nvar x : 1 in 1..2\n\nminimize cost = x +\n    1\n"
    found = parse(text.replace("\n", end))
    assert [s.span.line for s in found.statements] == [2, 4]
    assert found.statements == parse(text).statements


def test_one_line_end_or_many_between_statements_and_none_at_the_end() -> None:
    for text in (
        "param a : 1 = 1\nparam b : 1 = 2",
        "\n\n\nparam a : 1 = 1\n\n\n\nparam b : 1 = 2\n\n",
    ):
        assert [s.name for s in parse(text).statements if isinstance(s, syntax.Declaration)] == [
            "a",
            "b",
        ]


def test_names_may_be_used_before_their_declaration() -> None:
    text = """
minimize cost = x
constraint least[k in user]: x >= need[k]
let need[k in user] : s = k.work/speed
nodes user[k in 1..n] {
    work : cycle = 10 cycle * k
}
param speed : cycle/s = half*2
param half : cycle/s = 1 cycle/s
param n : integer = 2
var x : s >= 0
"""
    assert instantiate(check(parse(text)), {}).data("need").tolist() == [5, 10]


def test_header_cites_and_meanings_are_kept() -> None:
    document = parse(
        'model mel "a title"\ncite "one"\ncite "two"\nvar x : s >= 0 "the time"\nminimize t '
        '= x "soon"\n'
    )
    model = check(document).model
    assert (model.name, model.title, model.cites) == ("mel", "a title", ("one", "two"))
    assert (model.symbols["x"].doc, model.objective.doc, model.objective.sense) == (
        "the time",
        "soon",
        "minimize",
    )


FORMS = """
param limit : s = 30 s
set S = 1..3
var x[i in S] : integer s >= 0 <= 40 s
var y : binary
minimize cost = sum(x[i] for i in S) + y*1 s
constraint least[i in S]: x[i] >= limit
constraint all: sum(x[i] for i in S) >= 100 s
form relaxed "both continuous": relax x, y
form short: set limit = 5 s, drop all
form fixed: fix x[2] = 7 s, fix y = 1
form both from relaxed, short
"""


def test_forms_on_one_line() -> None:
    text = FORMS.replace(
        "form both from relaxed, short\n", "form both from relaxed, short: fix y = 0\n"
    )
    base, relaxed, short = (in_form(text, name) for name in ("", "relaxed", "short"))
    assert (base.integral.tolist(), relaxed.integral.tolist()) == ([True] * 4, [False] * 4)
    assert (relaxed.lower.tolist(), relaxed.upper.tolist()) == ([0, 0, 0, 0], [40, 40, 40, 1])
    assert (base.rows, short.rows) == (4, 3)
    assert (base.data("limit")[0], short.data("limit")[0]) == (30, 5)
    fixed = in_form(text, "fixed").fixed
    assert [None if math.isnan(v) else v for v in fixed] == [None, 7, None, 1]
    both = in_form(text, "both")
    assert (both.rows, sum(both.integral), both.data("limit")[0], both.fixed[3]) == (3, 0, 5, 0)
    joined = in_form(text, "relaxed+short")
    assert (joined.rows, sum(joined.integral)) == (3, 0)


def test_forms_with_braces_add_and_replace() -> None:
    text = FORMS.replace(
        "form both from relaxed, short\n",
        """form longer {
    relax x
    add var z : s >= 0  "extra", add constraint more: z >= 2*limit
    replace constraint all: sum(x[i] for i in S) + z == 90 s
    replace minimize cost = z
}
""",
    )
    longer = in_form(text, "longer")
    assert [v.name for v in longer.variables] == ["x", "y", "z"]
    assert (longer.rows, longer.model.objective.value.span.text) == (5, "z")
    assert [c.relation for c in longer.constraints] == [">=", "==", ">="]


def test_a_chained_comparison_is_two_constraints() -> None:
    instance = in_form("var x : 1\nminimize cost = x\nconstraint box: 1 <= x <= 3\n", "")
    assert [(c.name, c.relation) for c in instance.constraints] == [
        ("box.lower", "<="),
        ("box.upper", "<="),
    ]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "m.mec").write_bytes("# über\n".encode() + "größe".encode() + "é".encode("latin-1"))
    with pytest.raises(ModelError) as caught:
        parse_file(tmp_path / "m.mec")
    (fault,) = caught.value.diagnostics
    assert fault.span is not None
    assert (fault.code, fault.span.line, fault.span.column) == (
        "E002",
        2,
        6,
    )  # columns count characters
    with pytest.raises(FileNotFoundError):
        parse_file(tmp_path / "other.mec")


# Properties

Tree = tuple[str, "Tree", "Tree"] | int
OPERATIONS: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
BINDING = {"+": 1, "-": 1, "*": 2, "neg": 3}


def trees() -> st.SearchStrategy[Tree]:
    leaf = st.integers(min_value=0, max_value=99)
    return st.recursive(
        leaf,
        lambda inner: st.tuples(st.sampled_from(["+", "-", "*", "neg"]), inner, inner),
        max_leaves=25,
    )


def exact(tree: Tree) -> Fraction:
    """What Python's fractions make of a tree."""
    if isinstance(tree, int):
        return Fraction(tree)
    name, left, right = tree
    return -exact(left) if name == "neg" else OPERATIONS[name](exact(left), exact(right))


def text_of(tree: Tree, outer: int = 0, right_side: bool = False) -> str:
    """A tree with as few brackets as precedence and association from the left allow."""
    if isinstance(tree, int):
        return str(tree)
    name, left, right = tree
    level = BINDING[name]
    if name == "neg":
        text = "-" + text_of(left, 3)
    else:
        text = f"{text_of(left, level)} {name} {text_of(right, level, right_side=True)}"
    return f"({text})" if level < outer or (level == outer and right_side) else text


@given(trees())
def test_printed_trees_evaluate_as_in_python(tree: Tree) -> None:
    # at most 25 leaves below 100; every product of them may exceed 2^53, so compare relatively to
    # the exact value
    text, expected = text_of(tree), exact(tree)
    assert eval(text) == expected  # the printer itself is right
    scale = max(1.0, float(magnitude(tree)))
    assert abs(value(text) - float(expected)) <= 1e-13 * scale


def magnitude(tree: Tree) -> Fraction:
    """The value of the tree with every difference made a sum: what rounding errors are relative
    to.
    """
    if isinstance(tree, int):
        return Fraction(tree)
    name, left, right = tree
    if name == "neg":
        return magnitude(left)
    return OPERATIONS["*" if name == "*" else "+"](magnitude(left), magnitude(right))


@given(st.text(max_size=60))
def test_any_text_is_a_model_or_a_diagnostic(text: str) -> None:
    try:
        check(parse(text))
    except ModelError as error:
        assert error.diagnostics


WORDS = (
    "param var nodes x k : = 3 s { } [ ] ( ) in 1..2 , + * if then else \n minimize "
    'constraint <= == sum for " # .'
)


@given(st.lists(st.sampled_from([*WORDS.split(" ")]), max_size=30))
def test_any_words_are_a_model_or_a_diagnostic(words: list[str]) -> None:
    try:
        check(parse(" ".join(words)))
    except ModelError as error:
        assert all(d.code and d.message for d in error.diagnostics)
