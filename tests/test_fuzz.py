"""The fuzzer itself: its inputs are always the same, it finds what fails, and a short run finds
nothing.
"""

import logging

import pytest

from mecdsl.command_line import main as command_line
from tests.fuzz import stages
from tests.fuzz.__main__ import main
from tests.fuzz.draw import ROOT, Input, corpus, draw
from tests.fuzz.shrink import shrunk
from tests.fuzz.stages import run
from tests.fuzz.tokens import statements, tokens


def test_inputs_of_a_seed_are_always_the_same() -> None:
    assert [draw(5, n).text for n in range(20)] == [draw(5, n).text for n in range(20)]
    assert draw(5, 3).text != draw(6, 3).text


def test_tokens_and_statements_are_the_text_again() -> None:
    for text, _ in corpus():
        assert "".join(tokens(text)) == text
        assert "\n".join(statements(text)) == text


def test_shrinking_keeps_the_failure() -> None:
    text = "var x : 1\nminimize goal = x + bad*3\nconstraint c: x >= 1"
    assert shrunk(text, lambda shorter: "bad" in shorter) == "bad"


def test_any_other_exception_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise KeyError("floor")

    monkeypatch.setattr(stages, "instance_text", fails)
    done = run(Input(0, "var x : 1 >= 0\nminimize goal = x", ROOT, False, False), 10.0)
    assert [finding.stage for finding in done.findings] == ["show"]


def test_a_stage_that_does_not_end_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(stages, "scale", endless)
    done = run(Input(0, "var x : 1 >= 0\nminimize goal = x", ROOT, False, False), 0.3)
    assert [finding.signature for finding in done.findings] == ["scaling: longer than 0.3 s"]


def test_a_fault_of_the_program_in_a_command_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise KeyError("floor")

    monkeypatch.setattr(command_line, "_load", fails)
    done = run(Input(0, "var x : 1 >= 0\nminimize goal = x", ROOT, False, True), 10.0)
    assert [finding.stage for finding in done.findings] == ["command"]


@pytest.mark.slow
def test_a_short_run_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--inputs", "200", "--seed", "7", "--processes", "1"]) == 0, (
        capsys.readouterr().out
    )


def test_pyomo_logs_as_before_once_an_input_is_through() -> None:
    logger = logging.getLogger("pyomo")
    before = list(logger.handlers), logger.propagate
    run(draw(5, 0), clock=10.0)
    assert (list(logger.handlers), logger.propagate) == before
