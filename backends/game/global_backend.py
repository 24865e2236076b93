"""The global schedule as a backend."""

from dataclasses import replace

import numpy as np

from mecdsl.backends.derived.base import Answer, Derived
from mecdsl.backends.game.chains import Chains, Schedule
from mecdsl.backends.game.recognise_schedule import SCHEDULE
from mecdsl.backends.game.schedule import NODES, Scheduled, global_schedule
from mecdsl.backends.game.system import Reals
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.solution import Guarantee, Iteration, SolveOptions, Termination


class GameGlobal(Derived[Chains, Scheduled]):
    """Cut vectors from the best on, and branch and bound over the starts of tasks."""

    name = "game-global"
    paper = SCHEDULE
    capabilities = SCHEDULE.offers(
        "branch and bound over cuts and over the order of tasks",
        Guarantee.GLOBAL,
        ("nodes", f"the most nodes over all cuts, {NODES} by default"),
        exact=True,
        time_limit=True,
    )

    def run(self, problem: Chains, options: SolveOptions, own: OwnOptions) -> Scheduled:
        nodes = own.count("nodes", NODES)
        return global_schedule(problem, nodes=nodes, time_limit=options.time_limit)

    def answer(self, problem: Chains, outcome: Scheduled, options: SolveOptions) -> Answer:
        late = outcome.termination is Termination.ITERATION_LIMIT
        return Answer(
            outcome.termination,
            "branch and bound",
            values=values_of(problem, outcome.schedule),
            objective=outcome.schedule.total / problem.devices,
            bound=outcome.bound / problem.devices,
            certificate=outcome.certificate,
            iterations=tuple(_mean(step, problem.devices) for step in outcome.iterations),
            message="the nodes are used up: `--option nodes=...` allows more" if late else "",
        )


def _mean(step: Iteration, devices: int) -> Iteration:
    assert step.objective is not None  # the search records both
    assert step.bound is not None
    return replace(step, objective=step.objective / devices, bound=step.bound / devices)


def values_of(chains: Chains, schedule: Schedule) -> dict[str, Reals]:
    """A schedule as values by variable family."""
    machine = np.concatenate(schedule.machine)
    start = np.concatenate(schedule.start)
    end = start + np.concatenate(chains.tasks)
    owner = np.repeat(np.arange(chains.devices), [len(own) for own in chains.tasks])
    together = (machine[:, None] == machine) & (machine[:, None] >= 0)
    before = together & (end[:, None] <= start)
    return {
        "layer.on_device": np.asarray(machine < 0, dtype=np.float64),
        "layer.start": start,
        "layer.runs_on": np.asarray(
            machine[:, None] == np.arange(chains.machines), dtype=np.float64
        ),
        "before": np.asarray(before[owner[:, None] < owner], dtype=np.float64),
    }
