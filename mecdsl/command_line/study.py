"""`mecdsl compare --seeds`: what was asked for, the runs, and where their results go."""

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mecdsl.command_line.options import Asked
from mecdsl.command_line.printing import complain, say, say_json, usage

if TYPE_CHECKING:
    from mecdsl.api import LoadedModel
    from mecdsl.studies.study_result import Run, Study

MOST_SEEDS: Final = 100_000


def read_seeds(text: str, seed: int) -> list[int]:
    """`1..20`, `1,3,7` or both, in their order and each once. Raises `Stop`."""
    if not text:
        raise usage("`--csv` and `--plot` are for many seeds", "add `--seeds 1..20`")
    if seed:
        raise usage(
            "`--seed` and `--seeds` exclude each other", f"`--seeds {seed}` is that one seed"
        )
    seeds: list[int] = []
    for part in text.split(","):
        first, dots, last = part.partition("..")
        try:
            low, high = int(first), int(last if dots else first)
        except ValueError:
            raise usage(f"`--seeds {text}` are no seeds", "write `1..20` or `1,3,7`") from None
        if low < 0:
            raise usage(
                f"`--seeds {text}`: a seed is a whole number from 0 on", "write `1..20` or `1,3,7`"
            )
        if high < low:
            raise usage(f"`--seeds {text}`: `{part.strip()}` goes down", f"write `{high}..{low}`")
        if len(seeds) + high - low >= MOST_SEEDS:
            raise usage(f"`--seeds {text}` are more than {MOST_SEEDS} seeds")
        seeds += range(low, high + 1)
    return list(dict.fromkeys(seeds))


def check_files(
    read: Sequence[Path | None], table: Path | None, plot: Path | None, option: str = "--plot"
) -> None:
    """Find out before hours of runs that a file cannot be written; `option` asked for the picture.

    Raises `Stop`.
    """
    for path in (table, plot):
        if path is None:
            continue
        if path.is_dir():
            raise usage(f"`{path}` is a folder")
        if not path.parent.is_dir():
            raise usage(f"`{path}` cannot be written: there is no folder `{path.parent}`")
        if any(source is not None and path.exists() and path.samefile(source) for source in read):
            raise usage(
                f"`{path}` would be overwritten, and it is what is read", "give another name"
            )
    if plot is None:
        return
    if plot == table:
        raise usage(f"`{plot}` is both table and picture", "give two names")
    if find_spec("matplotlib") is None:
        raise usage(
            f"`{option}` needs the package `matplotlib`, which is not installed",
            "`pip install mecdsl[plot]`",
        )
    from mecdsl.output.picture.study import SUFFIXES

    if plot.suffix.lower() not in SUFFIXES:
        raise usage(
            f"`{option} {plot}` is no known kind of picture", f"known are {', '.join(SUFFIXES)}"
        )


def run_study(
    loaded: "LoadedModel",
    seeds: Sequence[int],
    asked: Asked,
    tell: Callable[[str], None],
) -> "Study":
    """The study, with a line on a terminal's stderr for every seed."""
    watched, place = sys.stderr.isatty(), {seed: number for number, seed in enumerate(seeds, 1)}

    def started(seed: int, backend: str, form: str) -> None:
        tell(
            f"seed {seed} ({place[seed]} of {len(seeds)}): "
            f"{backend}{' on form ' + form if form else ''}"
        )

    def finished(seed: int, runs: Sequence["Run"]) -> None:
        if watched:
            line = f"{_seed_line(seed, runs)} ({place[seed]} of {len(seeds)})"
            print(
                f"\r{line:79}", file=sys.stderr, flush=True
            )  # over the line that says what is going on

    return loaded.study(
        seeds,
        asked.backends,
        asked.forms,
        asked.relax,
        started=started,
        finished=finished,
        **asked.options,
    )


def _seed_line(seed: int, runs: Sequence["Run"]) -> str:
    from mecdsl.studies.study_result import Outcome

    outcomes = [run.outcome for run in runs]
    parts = [f"{outcomes.count(kind)} {kind.value}" for kind in Outcome if kind in outcomes]
    return f"seed {seed}: {', '.join(parts)}, {sum(run.seconds or 0.0 for run in runs):.1f} s"


def report(study: "Study", json_asked: bool, table: Path | None, plot: Path | None) -> int:
    """Print and write a study; the exit code.

    A file that fails is said, and what was found is printed all the same.
    """
    from mecdsl.output.json.study import study_json
    from mecdsl.output.text.study import study_text

    if json_asked:
        say_json(study_json(study))
    else:
        say(study_text(study))
    code = study.exit_code
    for path, write in ((table, _write_table), (plot, _draw)):
        if path is None:
            continue
        try:
            write(study, path)
        except OSError as error:
            complain(f"error: `{path}` cannot be written: {(error.strerror or str(error)).lower()}")
            code = code or 4
            continue
        if not json_asked:
            say(f"wrote {path}")
    return code


def _write_table(study: "Study", path: Path) -> None:
    from mecdsl.output.csv.study import study_csv

    path.write_text(study_csv(study), encoding="utf-8")


def _draw(study: "Study", path: Path) -> None:
    from mecdsl.output.picture.study import study_picture

    study_picture(study, path)
