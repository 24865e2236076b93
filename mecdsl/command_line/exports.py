"""What `mecdsl export` writes, and the files that it must not write over."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from mecdsl.command_line.printing import usage
from mecdsl.output.json.plain import json_text
from mecdsl.pyomo_model.scale_map import ScaleMap

T = TypeVar("T")


def write_export(
    write: Callable[[], ScaleMap],
    path: Path,
    map_file: Path | None,
    sources: Iterable[Path | None],
) -> ScaleMap:
    """Write the file, by `write`, and its map.

    Raises `Stop` where one cannot be written or would replace what is read.
    """
    _spare(sources, path, "--out")
    if map_file is not None:
        _spare(sources, map_file, "--map")
        if map_file.resolve() == path.resolve():
            raise usage(
                f"`{path}` is to hold the model, it cannot hold its map too",
                "give another name with `--map`",
            )
    names = _written(path, write)
    if map_file is not None:
        text = json_text(names.as_dict())
        _written(map_file, lambda: map_file.write_text(f"{text}\n", encoding="utf-8"))
    return names


def _spare(sources: Iterable[Path | None], path: Path, option: str) -> None:
    for source in sources:
        if source is not None and path.exists() and path.samefile(source):
            raise usage(
                f"`{path}` would be overwritten, and it is what is read",
                f"give another name with `{option}`",
            )


def _written(path: Path, write: Callable[[], T]) -> T:
    try:
        return write()
    except OSError as error:
        raise usage(
            f"`{path}` cannot be written: {(error.strerror or str(error)).lower()}"
        ) from None
