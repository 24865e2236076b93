"""Dimensions, unit texts, conversions and printed values; expected numbers are derived by hand."""

import math
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mecdsl.unit_catalogue import (
    BASE_SYMBOLS,
    BINARY_PREFIXES,
    LARGE_PREFIXES,
    LOGARITHMIC,
    METRE_PREFIXES,
    SMALL_PREFIXES,
    UNPREFIXED,
    Prefixes,
    linear_units,
)
from mecdsl.units import DIMENSIONLESS, Dimension, Unit, UnitError, format_value, parse_unit

# a busy machine may make any single example slow, which says nothing about the code
patient = settings(deadline=None)
exponents = st.builds(Fraction, st.integers(-6, 6), st.integers(1, 4))
dimensions = st.builds(
    Dimension.of, st.dictionaries(st.sampled_from(BASE_SYMBOLS), exponents, max_size=5)
)
linear_names = st.sampled_from(sorted(linear_units()))
unit_texts = linear_names | st.builds(
    lambda first, operator, second, exponent: f"{first}{operator}{second}^{exponent}",
    linear_names,
    st.sampled_from("*/"),
    linear_names,
    st.integers(-3, 3),
)
ordinary = st.floats(1e-12, 1e12) | st.floats(-1e12, -1e-12)


def error_of(text: str) -> UnitError:
    with pytest.raises(UnitError) as caught:
        parse_unit(text)
    return caught.value


# dimensions


@patient
@given(dimensions)
def test_printed_dimension_parses_back(dimension: Dimension) -> None:
    unit = parse_unit(str(dimension))
    assert unit.dimension == dimension
    assert unit.factor == 1.0


@patient
@given(dimensions, dimensions, exponents)
def test_dimensions_form_a_vector_space(
    first: Dimension, second: Dimension, power: Fraction
) -> None:
    assert first * second == second * first
    assert first * second / second == first
    assert (first * second) ** power == first**power * second**power
    assert (first / first).is_dimensionless
    assert hash(first * second) == hash(second * first)


@pytest.mark.parametrize(
    ("powers", "text"),
    [
        ({}, "1"),
        ({"s": -1}, "1/s"),
        ({"bit": 1, "s": -1}, "bit/s"),
        ({"bit": 1, "s": 1}, "bit*s"),  # bit/Hz
        ({"s": 1, "sample": -1}, "s/sample"),
        ({"sample": -1}, "1/sample"),
        ({"cycle": 1, "s": -1}, "cycle/s"),
        ({"bit": 1, "sample": -1, "s": -1}, "bit/sample/s"),
        ({"kg": 1, "m": 2, "s": -2}, "J"),
        ({"kg": 1, "m": 2, "s": -3}, "W"),
        ({"kg": 2, "m": 4, "s": -6}, "W^2"),
        ({"kg": 1, "m": 2, "s": -2, "bit": -1}, "J/bit"),
        ({"kg": -1, "m": -2, "s": 2, "bit": 1}, "bit/J"),
        # W/(cycle/s)^3 = kg m^2 s^-3 s^3 / cycle^3 = kg m^2 / cycle^3 = J s^2 / cycle^3
        ({"kg": 1, "m": 2, "cycle": -3}, "J*s^2/cycle^3"),
        ({"kg": 1, "s": -3}, "W/m^2"),
        ({"kg": 1, "m": 1, "s": -2}, "N"),
        ({"kg": 1, "m": -3}, "kg/m^3"),
        ({"kg": 1, "s": -1}, "kg/s"),
        ({"kg": 1, "m": 2, "s": -3, "A": -1}, "V"),
        ({"s": Fraction(1, 2)}, "s^(1/2)"),
        ({"s": Fraction(-3, 2)}, "1/s^(3/2)"),
    ],
)
def test_dimension_prints_as_readable_unit(powers: dict[str, Fraction | int], text: str) -> None:
    assert str(Dimension.of(powers)) == text


def test_watt_per_hertz_is_joule() -> None:
    assert str(parse_unit("W/Hz").dimension) == "J"


def test_counted_things_are_not_interchangeable() -> None:
    counted = [parse_unit(name).dimension for name in BASE_SYMBOLS]
    assert len(set(counted)) == len(BASE_SYMBOLS)
    assert not any(dimension.is_dimensionless for dimension in counted)
    # 1e6 bit / 1e6 Hz is 1 bit*s and never a time
    assert parse_unit("bit/Hz").dimension != parse_unit("s").dimension


def test_dimension_is_frozen_and_checks_its_length() -> None:
    with pytest.raises(AttributeError):
        DIMENSIONLESS.exponents = ()  # type: ignore[misc]
    with pytest.raises(ValueError, match="15 exponents, found 1"):
        Dimension((Fraction(1),))
    with pytest.raises(KeyError, match="Hz"):
        Dimension.of({"Hz": 1})


# parsing


@pytest.mark.parametrize("name", sorted({*linear_units(), *LOGARITHMIC}))
def test_every_catalogue_name_parses(name: str) -> None:
    unit = parse_unit(name)
    assert unit.text == name
    assert unit.factor > 0
    assert unit.logarithmic == (name in LOGARITHMIC)


def test_no_prefixed_name_hides_another() -> None:
    """`cd` is not a centi-day, `min` no milli-inch: as many names as pairs of prefix and unit."""
    allowed = {
        Prefixes.NONE: 0,
        Prefixes.ALL: len(LARGE_PREFIXES) + len(SMALL_PREFIXES),
        Prefixes.LARGE: len(LARGE_PREFIXES),
        Prefixes.LARGE_AND_BINARY: len(LARGE_PREFIXES) + len(BINARY_PREFIXES),
        Prefixes.METRE: len(LARGE_PREFIXES) + len(SMALL_PREFIXES) + len(METRE_PREFIXES),
    }
    expected = sum(1 + allowed[unit.prefixes] for unit in UNPREFIXED.values())
    assert len(linear_units()) == expected
    assert not linear_units().keys() & LOGARITHMIC.keys()


@pytest.mark.parametrize(
    ("text", "factor", "coherent"),
    [
        ("1", 1.0, "1"),
        ("%", 0.01, "1"),
        ("%/s", 0.01, "1/s"),
        ("rad", 1.0, "1"),
        ("1/sample", 1.0, "1/sample"),
        ("ms", 1e-3, "s"),
        ("us", 1e-6, "s"),
        ("\N{MICRO SIGN}s", 1e-6, "s"),
        ("\N{GREEK SMALL LETTER MU}s", 1e-6, "s"),
        ("min", 60.0, "s"),
        ("day", 86400.0, "s"),
        ("km/h", 1000 / 3600, "m/s"),
        ("cm^2", 1e-4, "m^2"),
        ("dam", 10.0, "m"),
        ("g", 1e-3, "kg"),
        ("kg", 1.0, "kg"),
        ("Gcycle/s", 1e9, "cycle/s"),
        ("kWh", 3.6e6, "J"),  # 1000 W * 3600 s
        ("B", 8.0, "bit"),
        ("MB/s", 8e6, "bit/s"),
        ("kbyte", 8000.0, "bit"),
        ("KiB", 8192.0, "bit"),  # 8 * 1024
        ("Gibit", 1073741824.0, "bit"),  # 2^30
        ("Ybit", 1e24, "bit"),
        ("V*A", 1.0, "W"),
        ("V/A", 1.0, "V/A"),
        ("ohm*A", 1.0, "V"),
        ("C/s", 1.0, "A"),
        ("Pa*m^2", 1.0, "N"),
        ("N*m", 1.0, "J"),
        ("J*s^2/cycle^3", 1.0, "W*s^3/cycle^3"),
        ("MHz^-1", 1e-6, "s"),
        ("1/ms^-2", 1e-6, "s^2"),
        ("ms^(1/3)", 0.1, "s^(1/3)"),  # cube root of 1/1000
        ("kHz^(-1/2)", 1 / math.sqrt(1000), "s^(1/2)"),
        ("dBm", 1e-3, "W"),
        ("dBm/MHz", 1e-9, "J"),  # 1e-3 W / 1e6 Hz
        ("dBW/Hz", 1.0, "J"),
        ("dBi", 1.0, "1"),
        ("dB/K", 1.0, "1/K"),
    ],
)
def test_unit_has_factor_and_dimension(text: str, factor: float, coherent: str) -> None:
    unit = parse_unit(text)
    assert unit.factor == factor
    assert unit.dimension == parse_unit(coherent).dimension


def test_division_goes_left_to_right() -> None:
    # J/bit/s = J/(bit s); J/bit*s = (J/bit) s
    assert parse_unit("J/bit/s").dimension == Dimension.of({"kg": 1, "m": 2, "s": -3, "bit": -1})
    assert parse_unit("J/bit*s").dimension == Dimension.of({"kg": 1, "m": 2, "s": -1, "bit": -1})


@patient
@given(linear_names, linear_names)
def test_factors_multiply_and_divide(first: str, second: str) -> None:
    left, right = parse_unit(first), parse_unit(second)
    product, quotient = parse_unit(f"{first}*{second}"), parse_unit(f"{first}/{second}")
    assert product.dimension == left.dimension * right.dimension
    assert quotient.dimension == left.dimension / right.dimension
    assert product.factor == pytest.approx(left.factor * right.factor, rel=1e-15)
    assert quotient.factor == pytest.approx(left.factor / right.factor, rel=1e-15)
    assert parse_unit(f"{first}/{first}").factor == 1.0


@pytest.mark.parametrize(
    ("text", "name", "help_text"),
    [
        ("Mb", "Mb", "write `Mbit` (or `MB` for bytes)"),
        ("mb", "mb", "write `Mbit` (or `MB` for bytes)"),
        ("Kib", "Kib", "write `Kibit` (or `KiB` for bytes)"),
        ("b", "b", "write `bit` (or `B` for bytes)"),
        ("Kbit", "Kbit", "write `kbit`"),
        ("mbit", "mbit", "write `Mbit`"),
        ("sec", "sec", "write `s`"),
        ("secs", "secs", "write `s`"),
        ("seconds", "seconds", "write `s`"),
        ("cycle/msec", "msec", "write `ms`"),
        ("milliseconds", "milliseconds", "write `ms`"),
        ("minutes", "minutes", "write `min`"),
        ("GHZ", "GHZ", "write `GHz`"),
        ("hz", "hz", "write `Hz`"),
        ("mhz", "mhz", "write `MHz`"),
        ("Gigahertz", "Gigahertz", "write `GHz`"),
        ("mw", "mw", "write `mW` or `MW`"),
        ("bps", "bps", "write `bit/s`"),
        ("Mbps", "Mbps", "write `Mbit/s`"),
        ("kbps", "kbps", "write `kbit/s`"),
        ("MBps", "MBps", "write `MB/s`"),
        ("J/Mbps", "Mbps", "write `Mbit*s`, since `Mbps` stands after `/`"),
        ("bytes", "bytes", "write `byte`"),
        ("Kbits", "Kbits", "write `kbit`"),
        ("cycles/s", "cycles", "write `cycle`"),
        ("samples", "samples", "write `sample`"),
        ("flops", "flops", "write `flop/s`"),
        ("FLOPS", "FLOPS", "write `flop/s`"),
        ("GFLOPS", "GFLOPS", "write `Gflop/s`"),
        ("GFLOPs", "GFLOPs", "write `Gflop` for a count or `Gflop/s` for a speed"),
        ("J/FLOPs", "FLOPs", "write `flop` for a count or `flop*s` for a speed"),
        ("FLOP", "FLOP", "write `flop`"),
        ("MAC", "MAC", "write `mac`"),
        ("GMACs", "GMACs", "write `Gmac`"),
        ("dbm", "dbm", "write `dBm`"),
        ("GBs", "GBs", "did you mean `GB`?"),
        ("m2", "m2", "write `m^2`"),
        ("m\N{SUPERSCRIPT TWO}", "m\N{SUPERSCRIPT TWO}", "write `m^2`"),
        ("$", "$", "write `money`"),
        ("\N{OHM SIGN}", "\N{OHM SIGN}", "write `ohm`"),
        ("bit/cyle", "cyle", "did you mean `cycle`?"),
        ("kkg", "kkg", "did you mean `kg`?"),
        ("learner", "learner", None),
        ("xyz", "xyz", None),
    ],
)
def test_unknown_unit_is_named_and_a_fix_proposed(
    text: str, name: str, help_text: str | None
) -> None:
    error = error_of(text)
    assert error.message == f"unknown unit `{name}`"
    assert error.help == help_text
    assert text[error.start : error.end] == name


@pytest.mark.parametrize(
    ("text", "message", "help_text", "marked"),
    [
        ("", "the unit is empty", "write `1` for a plain number", ""),
        ("Mbit / s", "a unit is written without blanks", "write `Mbit/s`", " "),
        ("bit s", "a unit is written without blanks", "join the names with `*` or `/`", " "),
        ("s//s", "unit name expected after `/`, found `/`", None, "/"),
        ("s/", "unit name missing after `/` at the end of `s/`", None, "/"),
        ("*s", "unit name expected, found `*`", None, "*"),
        (
            "s**2",
            "unit name expected after `*`, found `*`",
            "write powers with `^`, as in `s^2`",
            "*",
        ),
        (
            "bit/(s*Hz)",
            "unit name expected after `/`, found `(`",
            "write `a/b/c` for `a/(b*c)`, a unit has no parentheses",
            "(",
        ),
        ("s)", "unexpected `)` in unit `s)`", None, ")"),
        ("s^2^2", "exponent `2^2` is not an integer or a fraction in parentheses", None, "2^2"),
        (
            "s^",
            "exponent missing after `^`",
            "write an integer or a fraction, as in `s^(1/2)`",
            "^",
        ),
        ("s^x/m", "exponent `x` is not an integer or a fraction in parentheses", None, "x"),
        (
            "s^0.5",
            "exponent `0.5` is not an integer or a fraction in parentheses",
            "write `^(1/2)`",
            "0.5",
        ),
        (
            "s^(2)",
            "exponent `(2)` is not an integer or a fraction in parentheses",
            "write `^2`",
            "(2)",
        ),
        (
            "s^(1/2",
            "exponent `(1/2` is not an integer or a fraction in parentheses",
            "write `^(1/2)`",
            "(1/2",
        ),
        ("s^(1/0)", "exponent `(1/0)` divides by zero", None, "(1/0)"),
        ("s^1234567", "exponent `1234567` is too large", None, "1234567"),
        ("Gbit^99", "`Gbit^99` is out of the range of floating-point numbers", None, "Gbit^99"),
        ("2*s", "`2` is not a unit", None, "2"),
        ("s^1/2", "`2` is not a unit", None, "2"),
    ],
)
def test_malformed_unit_is_explained(
    text: str, message: str, help_text: str | None, marked: str
) -> None:
    error = error_of(text)
    assert error.message == str(error) == message
    assert text[error.start : error.end] == marked
    if help_text is not None:
        assert error.help == help_text


def test_product_of_factors_beyond_floats_is_refused() -> None:
    # (1e24)^8 = 1e192 is a float, 1e192 * 1e192 = 1e384 is not; the same for 1e-384
    assert "out of the range" in error_of("Ybit^8*Ybit^8").message
    assert "out of the range" in error_of("ys^8*ys^8").message


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("dBm*s", "`dBm` is logarithmic and can only be divided by a unit, as in `dBm/Hz`", "s"),
        ("dBm/Hz*s", "`dBm` is logarithmic and can only be divided by a unit, as in `dBm/Hz`", "s"),
        (
            "dBm/Hz^-1",
            "`dBm` is logarithmic and can only be divided by a unit, as in `dBm/Hz`",
            "Hz^-1",
        ),
        ("dBm^2", "`dBm` is logarithmic and has no powers", "dBm^2"),
        ("W/dB", "`dB` is logarithmic and cannot divide another unit", "dB"),
        ("1*dBm", "`dBm` is logarithmic and cannot multiply another unit", "dBm"),
        ("dBm/dBm", "`dBm` is logarithmic and cannot divide another unit", "dBm"),
        ("dB/km", "`dB/km` is a change of level along a length or time, not a factor", "dB/km"),
    ],
)
def test_logarithmic_units_do_not_combine(text: str, message: str, marked: str) -> None:
    error = error_of(text)
    assert error.message == message
    assert text[error.start : error.end] == marked
    assert error.help is not None


@patient
@given(st.text(alphabet="smHzbitdB*/^()-0123456789.% k", max_size=12))
def test_any_text_is_a_unit_or_a_unit_error_inside_the_text(text: str) -> None:
    try:
        unit = parse_unit(text)
    except UnitError as error:
        assert 0 <= error.start <= error.end <= len(text)
        assert error.message[0] in "`" or error.message[0].islower()
    else:
        assert unit.text == text
        assert 0 < unit.factor < math.inf


@patient
@given(st.text(min_size=1, max_size=6))
def test_any_characters_are_a_unit_or_a_unit_error(text: str) -> None:
    try:
        assert parse_unit(text).text == text
    except UnitError as error:
        assert 0 <= error.start <= error.end <= len(text)


# conversion


@pytest.mark.parametrize(
    ("value", "text", "si"),
    [
        (2.4, "Gcycle/s", 2.4e9),
        (30, "ms", 0.03),
        (0.3, "ms", 0.0003),
        (1.1, "%", 0.011),
        (3.3, "us", 3.3e-6),
        (90, "km/h", 25.0),  # 90000 m / 3600 s
        (1.5, "MB", 1.2e7),  # 1.5e6 * 8
        (-5, "ms", -0.005),
        (0, "ms", 0.0),
        (23, "dBm", 0.19952623149688797),  # 10^2.3 mW = 10^-0.7 W = 0.199526231496887960...
        (30, "dBm", 1.0),
        (-10, "dBW", 0.1),
        (20, "dB", 100.0),
        (0, "dBi", 1.0),
        (0, "dBm/MHz", 1e-9),
    ],
)
def test_to_si_gives_the_nearest_float(value: float, text: str, si: float) -> None:
    assert parse_unit(text).to_si(value) == si


def test_thermal_noise_density() -> None:
    # 10^-17.4 mW/Hz = 10^0.6 * 1e-21 W/Hz, and 10^0.6 = 3.9810717055...
    assert parse_unit("dBm/Hz").to_si(-174) == pytest.approx(3.9810717055e-21, rel=1e-10)


@patient
@given(st.integers(-(10**6), 10**6), st.integers(0, 6))
def test_decimal_literals_stay_nearest(mantissa: int, decimals: int) -> None:
    """Reading `x ms` is reading the number with the decimal point moved, done here on the text."""
    value = float(f"{mantissa}e-{decimals}")
    assert parse_unit("ms").to_si(value) == float(f"{mantissa}e-{decimals + 3}")
    assert parse_unit("Gcycle").to_si(value) == float(f"{mantissa}e{9 - decimals}")


@patient
@given(ordinary, unit_texts)
def test_linear_round_trip(value: float, text: str) -> None:
    unit = parse_unit(text)
    assert unit.from_si(unit.to_si(value)) == pytest.approx(value, rel=1e-15)
    assert unit.to_si(value) == pytest.approx(value * unit.scale, rel=1e-15)


@patient
@given(st.floats(-300, 300), st.sampled_from(["dB", "dBi", "dBm", "dBW", "dBm/Hz", "dBW/MHz"]))
def test_logarithmic_round_trip(value: float, text: str) -> None:
    unit = parse_unit(text)
    # one unit in the last place of the SI value is 2.2e-16 * 10 / ln(10) = 1e-15 dB
    assert unit.from_si(unit.to_si(value)) == pytest.approx(value, rel=1e-14, abs=2e-15)
    # ten dB more is ten times as much
    assert unit.to_si(value + 10) == pytest.approx(10 * unit.to_si(value), rel=1e-12)


def test_values_beyond_floats_become_infinite() -> None:
    assert parse_unit("Ybit").to_si(1e300) == math.inf
    assert parse_unit("Ybit").to_si(-1e300) == -math.inf
    assert parse_unit("dBm").to_si(1e5) == math.inf
    assert parse_unit("ms").to_si(math.inf) == math.inf
    assert math.isnan(parse_unit("ms").to_si(math.nan))
    assert math.isnan(parse_unit("dBm").to_si(math.nan))


def test_logarithm_of_nothing_and_of_less() -> None:
    assert parse_unit("dBm").from_si(0.0) == -math.inf
    with pytest.raises(ValueError, match="positive values only"):
        parse_unit("dBm").from_si(-1.0)
    with pytest.raises(ValueError, match="logarithmic"):
        _ = parse_unit("dBm").scale


def test_unit_built_by_hand_converts_by_its_factor() -> None:
    assert Unit("bit", parse_unit("bit").dimension, 1.0).to_si(3) == 3.0
    assert Unit("ms", parse_unit("s").dimension, 0.001).to_si(30) == 0.03


# printing


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (2.4e9, "cycle/s", "2.4 Gcycle/s"),
        (0.0003, "s", "300 us"),
        (1.5e6, "bit", "1.5 Mbit"),
        (1123736, "cycle/sample", "1.124 Mcycle/sample"),
        (60000, "sample", "60000 sample"),
        (60000, "1", "60000"),
        (30000, "s", "30000 s"),
        (3.98e-21, "W/Hz", "3.98e-21 W/Hz"),
        (3.98107e-21, "W/Hz", "3.981e-21 W/Hz"),
        (1e-27, "J*s^2/cycle^3", "1e-27 J*s^2/cycle^3"),
        (5e6, "Hz", "5 MHz"),
        (5e6, "1/s", "5000000 1/s"),
        (8e6, "B", "1 MB"),
        (0.03, "ms", "30 ms"),  # declared with a prefix: shown with it
        (2.5e9, "Mbit", "2500 Mbit"),
        (5400, "h", "1.5 h"),
        (3.6e6, "Wh", "1 kWh"),
        (0.25, "%", "25 %"),
        (0.75, "kg", "0.75 kg"),
        (999.96, "W", "1 kW"),  # 1000.0 at four digits
        (999.4, "W", "999.4 W"),
        (0.99999, "W", "1 W"),
        (-0.03, "s", "-30 ms"),
        (0, "bit/s", "0 bit/s"),
        (-0.0, "s", "0 s"),
        (math.inf, "s", "inf s"),
        (-math.inf, "s", "-inf s"),
        (math.nan, "bit", "nan bit"),
        (1 / 3, "1", "0.3333"),
        (12345.678, "1", "12346"),
        (1e12, "1", "1e12"),
        (-1.25e-7, "1", "-1.25e-7"),
        (1.0, "dBm", "30 dBm"),
        (0.0, "dBm", "-inf dBm"),
        (-0.5, "dBm", "-500 mW"),
        (100, "dB", "20 dB"),
    ],
)
def test_value_prints_with_its_unit(value: float, text: str, expected: str) -> None:
    assert format_value(value, parse_unit(text)) == expected


def test_value_of_bare_dimension_prints_in_coherent_unit() -> None:
    joule = parse_unit("kWh").dimension
    assert format_value(3.6e6, joule) == "3.6 MJ"
    assert format_value(0.5, DIMENSIONLESS) == "0.5"
    assert format_value(1234.5, parse_unit("1/s").dimension, digits=2) == "1234 1/s"  # half to even
    assert format_value(math.pi, DIMENSIONLESS, digits=8) == "3.1415927"
    assert format_value(math.pi, DIMENSIONLESS, digits=1) == "3"


@patient
@given(ordinary, unit_texts)
def test_printed_value_reads_back_to_four_digits(value: float, text: str) -> None:
    number, _, shown = format_value(value, parse_unit(text)).partition(" ")
    # four significant digits: at most half of 1e-3 of the value off
    assert parse_unit(shown or "1").to_si(float(number)) == pytest.approx(value, rel=5.001e-4)


def test_units_load_nothing_heavy() -> None:
    code = "import sys, mecdsl.units; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "pint", "lark", "pyomo", "casadi", "scipy"} & set(loaded)
