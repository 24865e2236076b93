"""Data flows one way: a module imports only its own or an earlier stage, and no imports form a
ring.

Imports are read from the text with `ast`, so imports inside functions and under `TYPE_CHECKING`
count too.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

# Earliest first; names without the leading `mecdsl.`. A package stands for all modules inside it.
STAGES: list[list[str]] = [
    ["grammar", "models", "diagnostics", "codes", "units", "unit_catalogue", "draws", "functions"],
    ["data_files", "networks"],
    ["parsing"],
    ["model"],
    ["forms"],
    ["checking"],
    ["reformulations"],
    ["compiling"],
    ["instances"],
    ["compilation"],
    ["solution", "analysis"],
    ["convexity"],
    ["certificates"],
    ["lowering"],
    ["results"],
    ["reduction"],
    ["pyomo_model"],
    ["backend"],
    ["backends"],
    ["pyomo_model.export"],  # scales its files as the backends scale what they hand to Pyomo
    ["proofs", "starts"],
    ["equilibria"],
    ["backends.equilibrium"],  # asks other backends, through the request
    ["solve"],
    ["fitting"],
    ["model_with_data"],
    ["studies"],
    ["output"],
    ["shown"],
    ["api"],
    ["testing"],
    ["__init__"],
    ["command_line"],
    ["__main__"],
]

SLOW_PACKAGES = (
    "casadi",
    "clarabel",
    "cyipopt",
    "highspy",
    "matplotlib",
    "pandas",
    "pounce",
    "pyomo",
    "pyscipopt",
    "scipy",
)

ROOT = Path(__file__).resolve().parent.parent


def modules() -> dict[str, Path]:
    """Dotted name of every module of the project and its file; links inside `mecdsl/` are not
    followed.
    """
    found: dict[str, Path] = {}
    for folder in ("mecdsl", "grammar", "backends", "models"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[0] == "mecdsl" and parts[1] in ("grammar", "backends", "models"):
                continue  # rglob follows links up to Python 3.12
            dotted = parts if parts[0] == "mecdsl" else ("mecdsl", *parts)
            found[".".join(dotted).removesuffix(".__init__")] = path
    return found


def imported(
    text: str, name: str, is_package: bool, known: frozenset[str]
) -> Iterator[tuple[str, int]]:
    """Modules of the project that the text of module `name` imports, with the line of each
    import.
    """
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import():
                targets = [alias.name for alias in node.names]
            case ast.ImportFrom():
                base = origin(node, name, is_package)
                # `__version__` costs nothing to import and every stage may state it
                members = [
                    alias.name
                    for alias in node.names
                    if (base, alias.name) != ("mecdsl", "__version__")
                ]
                targets = [
                    f"{base}.{item}" if f"{base}.{item}" in known else base for item in members
                ]
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(target)), *_],
            ):
                targets = [target]
            case _:
                continue
        for target in targets:
            if target == "mecdsl" or target.startswith("mecdsl."):
                yield target, node.lineno


def origin(node: ast.ImportFrom, name: str, is_package: bool) -> str:
    """The absolute name of the module after `from`."""
    if node.level == 0:
        return node.module or ""
    package = name.split(".") if is_package else name.split(".")[:-1]
    above = package[: len(package) - (node.level - 1)]
    return ".".join([*above, node.module] if node.module else above)


def stage_of(module: str) -> int | None:
    """Number of the stage that lists the module or the nearest package around it; None if none
    does.
    """
    name = "__init__" if module == "mecdsl" else module.removeprefix("mecdsl.")
    while name:
        for number, stage in enumerate(STAGES):
            if name in stage:
                return number
        name = name.rpartition(".")[0]
    return None


def edges() -> Iterator[tuple[str, str, str]]:
    """Importing module, imported module, and the place of the import as `file:line`."""
    known = modules()
    for name, path in known.items():
        text = path.read_text(encoding="utf-8")
        for target, line in imported(text, name, path.name == "__init__.py", frozenset(known)):
            yield name, target, f"{path.relative_to(ROOT)}:{line}"


def test_every_module_has_a_stage() -> None:
    missing = [name for name in modules() if stage_of(name) is None]
    assert not missing, f"add to STAGES in tests/test_layering.py: {missing}"


def map_of_the_readme() -> list[list[str]]:
    """The names in each line of the table under "Inside"."""
    inside = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Inside\n")[2]
    cells = re.findall(r"^\| (`.*?) \|", inside.partition("\n## ")[0], re.MULTILINE)
    return [re.findall(r"`([\w/.]+)`", cell) for cell in cells]


def place_of(name: str) -> str:
    """Where the package or module of a stage stands in the repository."""
    path = name.replace(".", "/")
    if (ROOT / path).is_dir():
        return path  # of the top level
    return f"mecdsl/{path}" if (ROOT / "mecdsl" / path).is_dir() else f"mecdsl/{path}.py"


def test_the_map_of_the_readme_is_the_order_of_the_imports() -> None:
    """`test_modules_import_only_earlier_stages` holds the imports to the same stages."""
    entries = ("__init__", "__main__")
    stages = [[place_of(name) for name in stage if name not in entries] for stage in STAGES]
    assert map_of_the_readme() == [stage for stage in stages if stage]


def test_the_map_of_the_readme_names_every_package() -> None:
    packages = {
        f"mecdsl/{path.parent.name}" if not path.parent.is_symlink() else path.parent.name
        for path in (ROOT / "mecdsl").glob("*/__init__.py")
    }
    assert packages <= {name for line in map_of_the_readme() for name in line}


def test_no_name_stands_in_two_stages() -> None:
    names = [name for stage in STAGES for name in stage]
    assert sorted(names) == sorted(set(names))


@pytest.mark.slow
def test_modules_import_only_earlier_stages() -> None:
    faults = []
    for name, target, place in edges():
        own, other = stage_of(name), stage_of(target)
        if own is not None and other is not None and other > own:
            faults.append(f"{place}: `{name}` (stage {own}) imports `{target}` (stage {other})")
    assert not faults, "\n".join(faults)


@pytest.mark.slow
def test_imports_form_no_ring() -> None:
    graph: dict[str, set[str]] = {}
    for name, target, _ in edges():
        graph.setdefault(name, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("imports in a ring: " + " <- ".join(error.args[1]))


def test_reader_sees_every_kind_of_import() -> None:
    text = """
import mecdsl.units
import numpy
from mecdsl import parse, __version__
from mecdsl.syntax import Node
from . import check
from ..source import Span
def lazy():
    from .highs import solve
    importlib.import_module("mecdsl.api")
"""
    known = frozenset({"mecdsl.parse", "mecdsl.backends.check"})
    found = list(imported(text, "mecdsl.backends.scip", False, known))
    assert sorted(found, key=lambda pair: pair[1]) == [
        ("mecdsl.units", 2),
        ("mecdsl.parse", 4),
        ("mecdsl.syntax", 5),
        ("mecdsl.backends.check", 6),
        ("mecdsl.source", 7),
        ("mecdsl.backends.highs", 9),
        ("mecdsl.api", 10),
    ]
    assert list(imported("from . import x", "mecdsl.backends", True, known)) == [
        ("mecdsl.backends", 1)
    ]


def test_command_line_starts_without_the_slow_packages() -> None:
    program = (
        "import sys, mecdsl.command_line.main; print([name for name in "
        f"{SLOW_PACKAGES!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


HELPERS = ("layout", "plain")  # of the texts and of the plain data


def test_what_shows_a_type_in_a_format_is_named_after_both() -> None:
    """`mecdsl/output/text/result.py` holds `result_text`."""
    for path in (ROOT / "mecdsl" / "output").glob("*/*.py"):
        if path.stem in ("__init__", *HELPERS):
            continue
        defined = [
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        ]
        assert f"{path.stem}_{path.parent.name}" in defined, path
