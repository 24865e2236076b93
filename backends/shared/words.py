"""Whether a tool has words for every function of a model."""

from collections.abc import Collection

from mecdsl.analysis.called_functions import lacking
from mecdsl.backend import Acceptance
from mecdsl.instances.instance import Instance


def accepts_functions(
    backend: str, instance: Instance, words: Collection[str], way: str = ""
) -> Acceptance:
    """Whether all functions of variables are among the words of a tool, or written out in them.

    `way`: such as " through Pyomo", where the words are those of a way to the backend.
    """
    lost = lacking(instance, words)
    if lost is None:
        return Acceptance(True)
    reason = f"`{backend}` has no `{lost.name}`{way}: it stands in `{lost.where}`"
    return Acceptance(False, reason, lost.label)
