"""Gurobi: global optima with proof, from linear programs to nonconvex nonlinear ones with integers.

An optional extra; `mecdsl.backends.shared.licensed` says what becomes of its licence. It runs in a
process of its own, as SCIP does, in which it also takes its licence.
"""

from collections.abc import Callable, Sequence

from mecdsl.backend import Capabilities, prefer
from mecdsl.backends.gurobi import limits
from mecdsl.backends.shared.global_answer import Outcome
from mecdsl.backends.shared.licences import Count, Licence
from mecdsl.backends.shared.licensed import Licensed
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, SolveOptions


class Gurobi(Licensed):
    """Gurobi from arrays."""

    name = "gurobi"
    title = "Gurobi"
    package = "gurobipy"
    full = "a licence of your own, such as the free academic one, as `gurobi.lic`"
    own_absolutes = False
    capabilities = Capabilities(
        title="Gurobi",
        classes=frozenset(ProblemClass),
        guarantee=Guarantee.GLOBAL,
        reference="Gurobi Optimizer Reference Manual, version 13",
        bounds=True,
        warm_start=True,
        time_limit=True,
        preferences=(prefer(70, "the other solvers do not take it", *ProblemClass),),
    )

    def run(
        self, program: TreeProgram, options: SolveOptions, should_stop: Callable[[], bool]
    ) -> Outcome:
        """Hand the program to Gurobi and run it."""
        from mecdsl.backends.gurobi.run import run_gurobi

        return run_gurobi(program, options, should_stop)

    def probe(self) -> Licence:
        """Whether its licence is one of limited size."""
        from mecdsl.backends.gurobi.run import probe

        return probe()

    def solver_version(self) -> str:
        """Such as 13.0.3."""
        import gurobipy

        return ".".join(map(str, gurobipy.gurobi.version()))

    def counts(self, program: TreeProgram, licence: Licence) -> Sequence[Count]:
        """Columns and rows, where the licence limits them."""
        return limits.counts(program.size)
