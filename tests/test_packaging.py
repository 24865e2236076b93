"""What is on disk is what is shipped, each file once, and every dependency is pinned.

setuptools leaves out what is not listed without a word, and would ship files twice through the
links inside `mecdsl/`; so the folders are held against `pyproject.toml` and against a wheel and an
sdist built for it.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mecdsl

ROOT = Path(__file__).resolve().parent.parent
LINKED = ("backends", "grammar", "models")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def source_files() -> Iterator[Path]:
    """Every file that belongs to the package, relative to the root; links are not followed."""
    for folder in ("mecdsl", *LINKED):
        for directory, subfolders, names in os.walk(ROOT / folder):
            subfolders[:] = [
                name for name in subfolders if name != "__pycache__" and not name.startswith(".")
            ]
            for name in names:
                if not name.startswith("."):
                    yield (Path(directory) / name).relative_to(ROOT)


def installed_path(path: Path) -> str:
    """The place inside a wheel of a file of the checkout."""
    return (path if path.parts[0] == "mecdsl" else Path("mecdsl") / path).as_posix()


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built from a copy: no `build/` stays in the
    checkout.
    """
    copy = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for folder in ("mecdsl", *LINKED):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "LICENSE", PROJECT["project"].get("readme", "LICENSE")):
        shutil.copy(ROOT / name, copy / name)
    build = "from setuptools import build_meta as b; b.build_wheel('dist'); b.build_sdist('dist')"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return copy / "dist"


@pytest.mark.parametrize("name", LINKED)
def test_folder_is_linked_into_the_package(name: str) -> None:
    link = ROOT / "mecdsl" / name
    assert link.is_symlink(), (
        f"`mecdsl/{name}` is missing: make it with `ln -s ../{name} mecdsl/{name}`"
    )
    assert link.readlink() == Path("..") / name


def test_every_folder_with_modules_is_listed_as_a_package() -> None:
    on_disk = {path.parent for path in source_files() if path.suffix == ".py"}
    setuptools = PROJECT["tool"]["setuptools"]
    assert set(setuptools["packages"]) == {
        installed_path(folder).replace("/", ".") for folder in on_disk
    }, "add the folder to `packages` of [tool.setuptools] in pyproject.toml"
    top = {path for path in on_disk if len(path.parts) == 1}
    assert {Path(folder) for folder in setuptools["package-dir"].values()} == top


@pytest.mark.slow
def test_wheel_holds_every_file_once(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = Counter(name for name in archive.namelist() if ".dist-info/" not in name)
    on_disk = Counter(installed_path(path) for path in source_files())
    assert not on_disk - shipped, "a new kind of data file goes into [tool.setuptools.package-data]"
    assert not shipped - on_disk, "shipped twice, or not on disk"


def test_sdist_holds_every_file_once_and_no_copy_behind_a_link(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = [
            member.name.split("/", 1)[1] for member in archive.getmembers() if member.isfile()
        ]
    folders = tuple(f"{folder}/" for folder in ("mecdsl", *LINKED))
    shipped = Counter(name for name in members if name.startswith(folders))
    assert shipped == Counter(path.as_posix() for path in source_files())


def test_version_is_stated_once() -> None:
    assert mecdsl.__version__ == PROJECT["project"]["version"]


def applies(requirement: Requirement, extras: set[str]) -> bool:
    """Whether the requirement is needed here, for a package asked for with these extras."""
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""})


def closure() -> set[str]:
    """Canonical names of all packages that this environment needs: run time, extras and
    development. Of an extra that is not installed here only its own packages are known.
    """
    project = PROJECT["project"]
    extras = [text for group in project["optional-dependencies"].values() for text in group]
    texts = [*project["dependencies"], *extras, *PROJECT["dependency-groups"]["dev"]]
    optional = {canonicalize_name(Requirement(text).name) for text in extras}
    waiting = [Requirement(text) for text in texts]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            children = map(Requirement, metadata.requires(requirement.name) or [])
        except metadata.PackageNotFoundError:
            assert key[0] in optional, f"{requirement.name} is not installed"
            continue
        waiting += [child for child in children if applies(child, set(requirement.extras))]
    return {name for name, _ in seen}


def test_every_package_of_the_closure_is_pinned_to_one_version() -> None:
    pins = [Requirement(text) for text in PROJECT["tool"]["uv"]["constraint-dependencies"]]
    for pin in pins:
        assert [part.operator for part in pin.specifier] == ["=="], f"`{pin}` is no exact pin"
    here = [canonicalize_name(pin.name) for pin in pins if applies(pin, set())]
    assert len(here) == len(set(here)), "a package is pinned twice for this Python"
    missing = closure() - set(here)
    assert not missing, f"not pinned: {sorted(missing)}; renew the list with the command above it"
