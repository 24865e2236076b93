"""Where the tables of the parser are kept between runs: 0.25 s of processor time less at every
start.

Lark makes the tables from the grammar and checks what it reads back against a hash of the grammar,
its own version and Python's, so an edited grammar is never parsed with old tables; a file that is
broken or cannot be written only costs the time. The folder belongs to the user alone, for lark
reads a pickle, and whoever writes one can run code: lark's own choice, a known name in the folder
for temporary files, is open to everybody on the machine. `MECDSL_CACHE` names another folder;
empty, it switches the cache off.
"""

import os
import sys
from pathlib import Path
from typing import Final

FILE_NAME: Final = "parser-tables"


def cache_file() -> str | bool:
    """The file for the tables, its folder made; False where there can be none."""
    try:
        folder = _folder()
        if folder is None:
            return False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix" and folder.stat().st_uid != os.geteuid():
            return (
                False  # `sudo` with the caller's home: neither may read what the other has written
            )
    except (OSError, RuntimeError):  # nothing may be written there, or there is no home
        return False
    return str(folder / FILE_NAME)


def _folder() -> Path | None:
    own = os.environ.get("MECDSL_CACHE")
    if own is not None:
        return Path(own) if own else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return Path(base) / "mecdsl" if base else None
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mecdsl"
