"""Instance to a file that other tools read: LP, MPS, NL, or a Python script of plain Pyomo statements.

LP and MPS carry the model's own names, `learner.batch(3)` for `learner.batch[3]`: Pyomo's usual labels turn the dot
into `_`, so that `learner.batch` and a variable `learner_batch` become one column without a word. Beside an NL file
stand its names, `.row` and `.col`. Pyomo's presolve is off: every constraint of the model is in the file.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mecdsl.analysis.problem import FamilyReport, analyse
from mecdsl.checking.classify import Degree
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.instance import Instance

if TYPE_CHECKING:
    from mecdsl.pyomo_model.lower import PyomoModel

KINDS: Final[Mapping[str, str]] = {"pyomo": ".py", "lp": ".lp", "mps": ".mps", "nl": ".nl"}

LARGEST_SCRIPT: Final = 20_000  # variables and rows; Python needs minutes to compile longer files

MPS_BOUNDS: Final = (
    (r"^ UI BOUND (\S+) 10E20$", r" PL BOUND \1"),
    (r"^ LI BOUND (\S+) -10E20$", r" MI BOUND \1"),
    (r"^ UI BOUND ", " UP BOUND "),
    (r"^ LI BOUND ", " LO BOUND "),
)

# Words of the LP format, which a name must not be; compared without case.
LP_WORDS: Final = frozenset(
    "bin binaries binary bounds bound end free gen general generals inf infinity int integer integers max maximise "
    "maximize maximum min minimise minimize minimum s.t. sec semi semi-continuous semis sin sos sos1 sos2 st st. "
    "subject such".split()
)


def export(instance: Instance, kind: str, path: str | Path) -> None:
    """Write an instance as `kind`, a key of `KINDS`, to `path`; the same instance gives the same bytes.

    Raises `ModelError` E502 where the format cannot hold the problem, E504 where it is not smooth; ValueError for
    an unknown kind; OSError.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind}")
    path = Path(path)
    if kind in ("lp", "mps"):
        _refuse_nonlinear(instance, kind)
    if kind == "pyomo":
        _refuse_long(instance)

    from mecdsl.pyomo_model.lower import to_pyomo

    lowered = to_pyomo(instance)
    match kind:
        case "pyomo":
            from mecdsl.pyomo_model.script import script

            path.write_text(script(lowered.model), encoding="utf-8", newline="\n")
        case "nl":
            _write_nl(lowered, path)
        case "lp":
            _write_lp(lowered, path)
        case _:
            _write_mps(lowered, path)


class _Labels:
    """`learner.batch(3)` of a component; no label is a word of the LP format or given twice."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def __call__(self, component: Any) -> str:
        label = str(component.name).replace("[", "(").replace("]", ")")
        while label.lower() in LP_WORDS or label in self.given:
            label += "_"
        self.given.add(label)
        return label


def _write_lp(lowered: "PyomoModel", path: Path) -> None:
    from pyomo.repn.plugins.lp_writer import LPWriter

    with path.open("w", encoding="utf-8", newline="\n") as file:
        LPWriter().write(lowered.model, file, labeler=_Labels())


def _write_mps(lowered: "PyomoModel", path: Path) -> None:
    """Markers say what is integer, and all bounds are written alike.

    Pyomo says both in bounds of kind LI and UI: there it writes 10E20 for infinity, and some readers drop bounds that
    are not integer.
    """
    from pyomo.opt import ProblemFormat

    with path.open("wb"):
        pass  # an OSError here is plain, one out of Pyomo's writer need not be
    lowered.model.write(str(path), format=ProblemFormat.mps, io_options={"labeler": _Labels()}, int_marker=True)
    text = path.read_text(encoding="utf-8")
    for wrong, right in MPS_BOUNDS:
        text = re.sub(wrong, right, text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_nl(lowered: "PyomoModel", path: Path) -> None:
    """Without comments, which some readers do not know; so the names are written here."""
    from pyomo.core.expr.visitor import identify_variables
    from pyomo.repn.plugins.nl_writer import NLWriter

    expressions = [lowered.objective.expr]
    expressions += [row.body for rows in lowered.constraints.values() for row in rows if row is not None]
    if not any(True for e in expressions for _ in identify_variables(e, include_fixed=False)):
        message = "no variable is left in objective and constraints, and an NL file needs one"
        raise ModelError([Diagnostic("E502", message, help="export to `lp`, `mps` or `pyomo`")])
    with path.open("w", encoding="utf-8", newline="\n") as file:
        written = NLWriter().write(lowered.model, file, linear_presolve=False)
    rows = [*written.constraints, *written.objectives]
    for suffix, components in ((".row", rows), (".col", written.variables)):
        names = "".join(f"{component.name}\n" for component in components)
        path.with_suffix(suffix).write_text(names, encoding="utf-8", newline="\n")


def _refuse_nonlinear(instance: Instance, kind: str) -> None:
    """Quadratic rows have a place in both formats."""
    culprit = analyse(instance).culprit
    if culprit is not None and culprit.degree > Degree.QUADRATIC:
        raise ModelError([_no_place(culprit, kind)])


def _no_place(culprit: FamilyReport, kind: str) -> Diagnostic:
    message = f"an {kind.upper()} file holds no degree above two: `{culprit.name}` is {culprit.reason}"
    return Diagnostic("E502", message, culprit.place, help="export to `nl` or `pyomo`")


def _refuse_long(instance: Instance) -> None:
    size = instance.columns + instance.rows
    if size > LARGEST_SCRIPT:
        message = f"a script of {size} variables and rows is too long for Python, the limit is {LARGEST_SCRIPT}"
        fix = 'export to `lp`, `mps` or `nl`, or use `mecdsl.load("model.mec").pyomo()`'
        raise ModelError([Diagnostic("E502", message, help=fix)])
