"""Golden diagnostics: one broken model per file in `tests/diagnostics/`, the whole message beside
it.

`<CODE>_<what>.mec` is the model. A first line `#: --form easy --set clock=45s` says how it is run.
A file of the same name with the ending `.json`, `.toml` or `.csv` is given as data, unless the
model itself names it. `<same>.expected` holds everything a user sees. Files that models include lie
in `included/`.

After a wanted change of words: `MECDSL_UPDATE_GOLDEN=1 pytest tests/test_diagnostics.py`, then read
every changed line as a user would.
"""

import os
import re
import shlex
import time
from pathlib import Path

import pytest

from mecdsl.codes import Entry, catalogue, explain
from mecdsl.compiling.check import check
from mecdsl.data_files.read import Given, read_data, read_settings
from mecdsl.diagnostics import Diagnostic, ModelError, Severity, render
from mecdsl.instances.empty_families import empty_families
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing import syntax
from mecdsl.parsing.parse import parse, parse_file

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(__file__).resolve().parent / "diagnostics"
CASES = sorted(path.stem for path in FOLDER.glob("*.mec"))
UPDATE = bool(os.environ.get("MECDSL_UPDATE_GOLDEN"))
MODEL = "param delay : s = 1 s\nvar x : s >= 0\nminimize cost = x\nconstraint least: x >= delay\n"


@pytest.fixture(autouse=True)
def eight_gibibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of memory stands in messages and must not depend on the machine."""
    monkeypatch.setattr("mecdsl.instances.tables.memory_limit", lambda: 8 * 2**30)


def faults(model: Path) -> tuple[Diagnostic, ...]:
    """Everything said about a model and the data beside it."""
    text = model.read_bytes().decode("utf-8", errors="replace")
    first = text.split("\n", 1)[0]
    words = shlex.split(first.removeprefix("#:")) if first.startswith("#:") else []
    settings = [
        value for option, value in zip(words[::2], words[1::2], strict=True) if option == "--set"
    ]
    form = "".join(
        value for option, value in zip(words[::2], words[1::2], strict=True) if option == "--form"
    )
    try:
        document = parse_file(model)
        checked = check(document, form)
        given: dict[str, Given] = {}
        families = [s.name for s in document.statements if isinstance(s, syntax.Family)]
        for ending in (".json", ".toml", ".csv"):
            data = model.with_suffix(ending)
            if data.exists() and data.name not in text:
                given |= read_data(data, families)
        given |= read_settings(settings)
        instance = instantiate(checked, given)
    except ModelError as error:
        return error.diagnostics
    return (*checked.model.warnings, *empty_families(instance))


def faults_of_text(text: str) -> tuple[Diagnostic, ...]:
    """The errors of a model without data."""
    try:
        instantiate(check(parse(text)), {})
    except ModelError as error:
        return error.diagnostics
    return ()


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)  # messages show the path as it was given
    found = faults(Path(case + ".mec"))
    shown = "".join(render(diagnostic) + "\n" for diagnostic in found)
    expected = FOLDER / (case + ".expected")
    if UPDATE:
        expected.write_text(shown, encoding="utf-8", newline="\n")
    assert shown == expected.read_text(encoding="utf-8")
    assert found[0].code == case[:4]


@pytest.mark.parametrize("case", [case for case in CASES if case[:4] not in ("E002", "E003")])
def test_fix_works_as_written(case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the help says what to write in place of the marked text, doing so removes the fault."""
    monkeypatch.chdir(FOLDER)
    model = Path(case + ".mec")
    for diagnostic in faults(model):
        edit = replacement(diagnostic)
        span = diagnostic.span
        if edit is None or span is None or span.source.name != model.name:
            continue
        lines = model.read_text(encoding="utf-8").split("\n")
        line = lines[span.line - 1]
        lines[span.line - 1] = line[: span.column - 1] + edit + line[span.end_column - 1 :]
        mended = tmp_path / model.name
        mended.write_text("\n".join(lines), encoding="utf-8")
        for path in FOLDER.glob(case + ".*"):
            if path.suffix in (".json", ".toml", ".csv"):
                (tmp_path / path.name).write_bytes(path.read_bytes())
        left = [
            (d.code, d.message, d.span and (d.span.line, d.span.column)) for d in faults(mended)
        ]
        assert (diagnostic.code, diagnostic.message, (span.line, span.column)) not in left


def replacement(diagnostic: Diagnostic) -> str | None:
    """The text the help proposes in place of the marked one."""
    found = re.search(
        r"(?:did you mean|write|its unit:|delete the|delete one|add the closing) `([^`]+)`",
        diagnostic.help or "",
    )
    if found is None or "..." in found[1] or " name" in found[1]:
        return None
    verb = found[0].split()[0]
    return "" if verb == "delete" else None if verb == "add" else found[1]


def test_every_code_of_the_compiler_has_a_broken_model() -> None:
    with_solver = {code for code in catalogue() if code.startswith("E5")}
    assert {case[:4] for case in CASES} == set(catalogue()) - with_solver


def test_no_stray_files() -> None:
    assert {path.stem for path in FOLDER.iterdir() if path.is_file()} == set(CASES)
    assert all(case + ".expected" in {path.name for path in FOLDER.iterdir()} for case in CASES)


# The catalogue of codes


def test_every_code_in_the_sources_is_explained() -> None:
    used: set[str] = set()
    for folder in ("mecdsl", "backends"):
        for path in (ROOT / folder).rglob("*.py"):
            used |= set(re.findall(r'"([EW]\d{3})"', path.read_text(encoding="utf-8")))
    assert used == set(catalogue())


@pytest.mark.parametrize(
    "entry", [e for e in catalogue().values() if e.faulty], ids=lambda e: e.code
)
def test_example_has_the_fault_and_its_correction_has_not(entry: Entry, tmp_path: Path) -> None:
    assert entry.code in example_codes(entry.faulty, entry.faulty_data, entry.form, tmp_path)
    assert example_codes(entry.corrected, entry.corrected_data, entry.form, tmp_path) == []


def example_codes(text: str, data: str, form: str, folder: Path) -> list[str]:
    """Codes found in an example."""
    (folder / "data.json").write_text(data or "{}", encoding="utf-8")
    try:
        document = parse(text)
        families = [s.name for s in document.statements if isinstance(s, syntax.Family)]
        checked = check(document, form)
        instance = instantiate(checked, read_data(folder / "data.json", families))
    except ModelError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]
    return [diagnostic.code for diagnostic in (*checked.model.warnings, *empty_families(instance))]


def test_every_code_but_those_of_files_and_solvers_has_an_example() -> None:
    without = {entry.code for entry in catalogue().values() if not entry.faulty}
    assert without == {"E002", "E003", "E501", "E502", "E503", "E504", "E505", "E506"}


def test_explanations() -> None:
    assert explain("E999") is None
    text = explain(" e201 ")
    assert text is not None
    assert text.startswith("E201: two dimensions do not fit\n")
    assert "x >= weight*energy" in text


# Texts no golden file can hold well


def test_windows_line_ends_and_a_byte_order_mark_mean_nothing() -> None:
    assert faults_of_text("\ufeff" + MODEL.replace("\n", "\r\n")) == ()
    (fault,) = faults_of_text(MODEL.replace("delay\n", "dellay\n").replace("\n", "\r\n"))
    assert fault.span is not None
    assert (fault.code, fault.span.line, fault.span.column) == ("E102", 4, 24)
    assert "\r" not in render(fault)


def test_a_thousand_brackets_are_no_trouble() -> None:
    assert (
        faults_of_text(MODEL.replace(">= delay", ">= " + "(" * 1000 + "delay" + ")" * 1000)) == ()
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [("-(", ")"), ("exp(", ")"), ("(if 1 > 0 then ", " else 1)"), ("(1 + ", ")")],
)
def test_too_deep_expressions_are_refused(before: str, after: str) -> None:
    text = (
        "var x : 1 >= 0\nminimize cost = x\nconstraint least: x >= "
        + before * 1000
        + "x"
        + after * 1000
        + "\n"
    )
    (fault,) = faults_of_text(text)
    assert fault.code == "E003"
    assert fault.span is not None
    assert fault.span.line == 3


def test_deeply_nested_data_are_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text(
        '{"delay": ' + "[" * 100_000 + "]" * 100_000 + "}", encoding="utf-8"
    )
    with pytest.raises(ModelError) as caught:
        read_data(tmp_path / "deep.json", ())
    assert caught.value.diagnostics[0].code == "E308"


def test_huge_sets_are_refused_before_they_are_built() -> None:
    started = time.process_time()
    text = (
        "set step = 1..1000000000000\nvar x[t in step] : 1 >= 0\nminimize cost = sum(x[t] "
        "for t in step)\n"
    )
    (fault,) = faults_of_text(text)
    assert fault.code == "E310"
    assert "1e+12 rows" in fault.message
    assert (
        time.process_time() - started < 30
    )  # building them would take hours, so this is no measure of speed


def test_a_very_long_line_is_shown_in_part() -> None:
    (fault,) = faults_of_text(MODEL.replace(">= delay", ">= delay + " * 2000 + "dellay"))
    assert fault.code in ("E001", "E003")
    assert max(map(len, render(fault).split("\n"))) < 400


def test_twenty_faults_come_in_one_run() -> None:
    text = MODEL + "".join(f"constraint c{i}: x >= missing_{i}\n" for i in range(20))
    assert [fault.code for fault in faults_of_text(text)] == ["E102"] * 20


def test_warnings_do_not_stop_a_model() -> None:
    checked = check(parse(MODEL + "param spare : s = 1 s\n"))
    assert [(w.code, w.severity) for w in checked.model.warnings] == [("W401", Severity.WARNING)]
    assert instantiate(checked, {}).rows == 1
