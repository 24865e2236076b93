"""What SCIP has no expression for, found in the model before anything of SCIP is imported."""

from mecdsl.analysis.called_functions import lacking
from mecdsl.analysis.written_out import LONGEST, too_long
from mecdsl.backends.scip.words import THROUGH_PYOMO, WORDS
from mecdsl.instances.instance import Instance


def unknown_part(instance: Instance, through_pyomo: bool) -> str:
    """The first part of the model that SCIP has no expression for, in words; empty if there is
    none.
    """
    long = too_long(instance)
    if long:
        return f"`{long}`: more than {LONGEST} parts with its definitions written out"
    found = lacking(instance, THROUGH_PYOMO if through_pyomo else WORDS)
    if found is None:
        return ""
    way = " through Pyomo" if through_pyomo else ""
    return f"`{found.where}`: `{found.name}` of variables{way}"
