"""`--trace`, `--plot-trace` and `--plot` of one answer: where steps and pictures go."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mecdsl.command_line.printing import complain, say, usage
from mecdsl.command_line.study import check_files

if TYPE_CHECKING:
    from mecdsl.results.result import Result


def check_trace(
    read: Sequence[Path | None], table: Path | None, picture: Path | None, seeds: str = ""
) -> None:
    """Find out before a run that a file cannot be written. Raises `Stop`."""
    if seeds and (table or picture):
        raise usage(
            "`--trace` and `--plot-trace` are for one seed", "leave out `--seeds`, or give `--seed`"
        )
    check_files(read, table, picture, "--plot-trace")


def write_picture(result: "Result", path: Path | None, json_asked: bool) -> int:
    """Draw an answer; the exit code, 4 for a file that failed. What cannot be drawn is said on
    stderr.
    """
    from mecdsl.output.picture.result import result_picture

    if path is None:
        return 0
    try:
        if result.objective is None:
            raise ValueError("there is no point")
        result_picture(result, path)
    except ValueError as error:
        complain(f"note: {error}, so `{path}` is not written")
        return 0
    except OSError as error:
        complain(f"error: `{path}` cannot be written: {(error.strerror or str(error)).lower()}")
        return 4
    if not json_asked:
        say(f"wrote {path}")
    return 0


def write_trace(
    results: Sequence["Result"], table: Path | None, picture: Path | None, json_asked: bool
) -> int:
    """Write what was asked for; the exit code, 4 for a file that failed.

    Runs that recorded nothing are named on stderr, and no file is written if there is no other.
    """
    from mecdsl.output.csv.trace import trace_csv
    from mecdsl.output.picture.trace import trace_picture
    from mecdsl.output.runs import recorded, run_name

    files = [path for path in (table, picture) if path is not None]
    if not files:
        return 0
    runs = recorded(results)
    silent = [run_name(result) for result in results if not result.iterations]
    if silent:
        complain(f"note: no steps are recorded by {', '.join(f'`{name}`' for name in silent)}")
    if not runs:
        complain(
            f"note: there is no trace, so {' and '.join(f'`{path}`' for path in files)} is "
            "not written"
        )
        return 0
    code = 0
    for path in files:
        try:
            if path == table:
                path.write_text(trace_csv(runs), encoding="utf-8")
            else:
                trace_picture(runs, path)
        except OSError as error:
            complain(f"error: `{path}` cannot be written: {(error.strerror or str(error)).lower()}")
            code = 4
            continue
        if not json_asked:
            say(f"wrote {path}")
    return code
