"""FICO Xpress: global optima with proof, from linear programs to nonconvex nonlinear ones with
integers.

An optional extra; `mecdsl.backends.shared.licensed` says what becomes of its licence. It runs in a
process of its own, as SCIP does, in which it also takes its licence.
"""

from collections.abc import Callable, Sequence

from mecdsl.backend import Capabilities, prefer
from mecdsl.backends.shared.global_answer import Outcome
from mecdsl.backends.shared.licences import Count, Licence
from mecdsl.backends.shared.licensed import Licensed
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.backends.xpress import limits
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, SolveOptions


class Xpress(Licensed):
    """FICO Xpress from arrays."""

    name = "xpress"
    title = "Xpress"
    package = "xpress"
    full = "a licence of your own, whose `xpauth.xpr` the variable `XPAUTH_PATH` names"
    own_absolutes = True
    capabilities = Capabilities(
        title="FICO Xpress",
        classes=frozenset(ProblemClass),
        guarantee=Guarantee.GLOBAL,
        reference="Belotti et al., Solving MINLPs to global optimality with FICO Xpress Global",
        bounds=True,
        warm_start=True,
        time_limit=True,
        preferences=(prefer(80, "the other solvers do not take it", *ProblemClass),),
    )

    def run(
        self, program: TreeProgram, options: SolveOptions, should_stop: Callable[[], bool]
    ) -> Outcome:
        """Hand the program to Xpress and run it."""
        from mecdsl.backends.xpress.run import run_xpress

        return run_xpress(program, options, should_stop)

    def probe(self) -> Licence:
        """Whether its licence is one of limited size."""
        from mecdsl.backends.xpress.run import probe

        return probe()

    def solver_version(self) -> str:
        """The version of the Optimizer, such as 47.1.2."""
        import xpress

        return ".".join(map(str, xpress.getVersionNumbers()))

    def counts(self, program: TreeProgram, licence: Licence) -> Sequence[Count]:
        """Rows and columns together and the length of formulas, where the licence limits them."""
        return limits.counts(program, licence)
