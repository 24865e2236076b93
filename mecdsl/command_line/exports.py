"""What `mecdsl export` writes, and the files that it must not write over."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from mecdsl.command_line.printing import usage
from mecdsl.instances.instance import Instance
from mecdsl.pyomo_model.export import export
from mecdsl.pyomo_model.scale_map import ScaleMap

T = TypeVar("T")


def write_export(
    instance: Instance,
    kind: str,
    path: Path,
    raw: bool,
    map_file: Path | None,
    sources: Iterable[Path | None],
) -> ScaleMap:
    """Write the file and its map. Raises `Stop` where one cannot be written or would replace what
    is read.
    """
    _spare(sources, path, "--out")
    if map_file is not None:
        _spare(sources, map_file, "--map")
        if map_file.resolve() == path.resolve():
            raise usage(
                f"`{path}` is to hold the model, it cannot hold its map too",
                "give another name with `--map`",
            )
    names = _written(path, lambda: export(instance, kind, path, raw=raw))
    if map_file is not None:
        text = json.dumps(names.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
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
