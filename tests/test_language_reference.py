"""Every model in the language reference and every example model is checked, and the examples are
solved.
"""

import re
from pathlib import Path

import pytest

import mecdsl
from mecdsl.checking.resolve_topology import ORDER
from mecdsl.diagnostics import ModelError, Severity
from mecdsl.draws import DRAWS, REGIONS
from mecdsl.functions.table import NAMES, SPELLED
from mecdsl.parsing.tree import AGGREGATES
from mecdsl.unit_catalogue import LOGARITHMIC, UNPREFIXED

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = (ROOT / "grammar" / "README.md").read_text()
BLOCKS = re.findall(r"```mec\n(.*?)```", REFERENCE, re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS, ids=[block.split()[1] for block in BLOCKS])
def test_models_of_the_reference_have_no_faults(text: str) -> None:
    model = mecdsl.loads(text, folder=ROOT / "models" / "examples")
    assert [d for d in model.check() if d.severity is Severity.ERROR] == []
    for form in ("", *model.forms):
        assert model.instance(form).columns > 0


def test_the_reference_has_models() -> None:
    assert len(BLOCKS) >= 4


# Optimum of each example, with the reason.
EXAMPLES = {
    # camera: local 4 s, remote 0.8 + 0.4 = 1.2 s; voice: 0.3 s against 0.1 + 0.03; map: 1 s against
    # 2 + 0.1 s. camera and voice go (9 Mbit of 20), map stays: 1.2 + 0.13 + 1.
    "offload": 1.2 + 0.13 + 1.0,
    # Times as above against a wish of 1 s. camera: 8 J or 0.8 J and 0.2 s late; voice: 0.6 J or 0.1
    # J; map: 2 J or 2 J and 1.1 s late. camera and voice go: 0.8 + 0.1 + 2 J, and 0.2 s at 1 W.
    "offload_energy": 0.8 + 0.1 + 2.0 + 0.2,
    # Best server of each alone: service 1 on server 1 (30 ms), 2 on 1 (40 ms), 3 on 2 (40 ms), 4 on
    # 3 (10 ms): loads 14 <= 16, 5 <= 8, 4 <= 8 Gbit, so all keep their best: 120 ms in all.
    "placement": 0.030 + 0.040 + 0.040 + 0.010,
    # size = width * efficiency * finish for all and the widths sum to the band: finish =
    # sum(size/efficiency)/band, with SNR 20 - 90 + 100 = 30 dB, 20 dB and 25 dB: efficiencies
    # log2(1001), log2(101), log2(1 + 10^2.5).
    "share_link": (4e6 / 9.967226258835993 + 6e6 / 6.658211482751795 + 2e6 / 8.309338136) / 10e6,
    # cut after layer 4 of 5: phone 890 Mmac/2 Gmac/s = 445 ms, send 4 ms, server 0.005 ms = 449.005
    # ms; the others: 0: 0 + 150 + 4.455 = 154.455 ms; 1: 50 + 500 + 3.955; 2: 275 + 125 + ..; 3:
    # 425 + 37.5 + ...
    "split": 0.150 + 0.891e9 / 200e9,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_reach_their_known_optimum(name: str) -> None:
    result = mecdsl.load(ROOT / "models" / "examples" / f"{name}.mec").solve()
    assert result.verified
    assert result.guarantee.value == "globally optimal"
    assert result.objective == pytest.approx(EXAMPLES[name], rel=1e-6)


def test_the_infeasible_example_is_proven_infeasible() -> None:
    # the tasks need 1 + 2 + 3 Gcycle within 1 s, the processor gives 5 Gcycle/s
    result = mecdsl.load(ROOT / "models" / "examples" / "infeasible.mec").solve()
    assert result.termination.value == "infeasible"
    assert result.exit_code == 3


def test_every_example_is_short_and_tested() -> None:
    files = sorted((ROOT / "models" / "examples").glob("*.mec"))
    # `cell` and `sinr` have random data: tests/test_position.py and tests/test_sinr.py solve them a
    # second way for each seed; `noma_convexity` is there to be checked: tests/test_convexity.py
    # the games: tests/test_games.py
    games = {"cournot", "routes", "power_control", "jammer"}
    others = {"infeasible", "cell", "sinr", "noma_convexity", *games}
    assert {file.stem for file in files} == {*EXAMPLES, *others}
    assert all(len(file.read_text().splitlines()) < 25 for file in files)


# Every word of the language stands in the reference, as code --------------------------------------

GRAMMAR = (ROOT / "grammar" / "mec.lark").read_text()
CODE = [*BLOCKS, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", REFERENCE, flags=re.DOTALL))]
EXPLAINED = {word for code in CODE for word in re.findall(r"[A-Za-zµ%][A-Za-z0-9_µ]*", code)}


@pytest.mark.parametrize(
    "words",
    [
        re.findall(r'"([a-z]+)"', GRAMMAR),
        sorted(AGGREGATES),
        [*NAMES, "distance"],
        [*DRAWS, *REGIONS],
        [*ORDER, "out", "in", "cuts", "crossing", "before", "after", "real", "integer", "binary"],
        sorted({*UNPREFIXED, *LOGARITHMIC}),
    ],
    ids=["grammar", "aggregates", "functions", "draws", "members", "units"],
)
def test_the_reference_explains_every_word(words: list[str]) -> None:
    assert words
    assert sorted(set(words) - EXPLAINED) == []


SEVERAL = """atan2(y, x), hypot(x, y), perspective(t, e), quad_over_lin(x, y), distance(a, b),
min(x, y, ...), max(x, y, ...), rate(power, gain, bandwidth, noise_density), sinr_rate(signal, interference, noise, bandwidth), uniform(low, high),
normal(mean, deviation), exponential(mean), rayleigh(scale), choice(a, b, ...), first(S), last(S),
prev(k), next(k)"""
SIGNATURES = {call.split("(")[0]: call for call in re.findall(r"\w+\(.*?\)", SEVERAL)}
CALLED = [name for name, row in NAMES.items() if row not in SPELLED or not SPELLED[row].family]


@pytest.mark.parametrize("name", [*CALLED, *DRAWS, *ORDER, "distance"])
def test_a_call_without_arguments_is_led_to_the_signature_of_the_reference(name: str) -> None:
    """What has none there is a function of `x`."""
    text = f"model m\nparam p : 1 = {name}()\nvar x : 1 >= p\nminimize z = x"
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(text).instance()
    assert name not in SIGNATURES or f"`{SIGNATURES[name]}`" in REFERENCE
    fix = f"write `{SIGNATURES.get(name, f'{name}(x)')}`"
    assert caught.value.diagnostics[0].help == fix
