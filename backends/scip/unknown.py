"""What SCIP has no expression for, found in the model before anything of SCIP is imported."""

from mecdsl.analysis.called_functions import lacking
from mecdsl.analysis.written_out import LONGEST, too_long
from mecdsl.backend import Acceptance
from mecdsl.backends.scip.words import THROUGH_PYOMO, WORDS
from mecdsl.instances.instance import Instance


def accepts_parts(instance: Instance, through_pyomo: bool) -> Acceptance:
    """Whether SCIP has expressions for all parts of the model; if not, the first that it lacks."""
    long = too_long(instance)
    if long:
        reason = f"`{long}`: more than {LONGEST} parts with its definitions written out"
        return Acceptance(False, f"`scip` cannot state {reason}")
    lost = lacking(instance, THROUGH_PYOMO if through_pyomo else WORDS)
    if lost is None:
        return Acceptance(True)
    way = " through Pyomo" if through_pyomo else ""
    reason = f"`{lost.where}`: `{lost.name}` of variables{way}"
    return Acceptance(False, f"`scip` cannot state {reason}", lost.label)
