"""The algorithms for the game of partitioning and offloading as backends.

All but one look for equilibria, and `epsilon` in the certificate says how near a profile is to one;
`game-marginal` takes form `social`, the sum of all costs.
"""

from importlib import import_module

import numpy as np

from mecdsl.backend import Responses
from mecdsl.backends.derived.base import Answer, Derived
from mecdsl.backends.derived.recognise import recognise
from mecdsl.backends.game.gains import gains
from mecdsl.backends.game.plans import Plan
from mecdsl.backends.game.players import places_of, point_of, runs_in
from mecdsl.backends.game.recognise import PAPER, Recognised
from mecdsl.backends.game.system import Reals, System
from mecdsl.backends.game.table import Table
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of
from mecdsl.solution import Guarantee, SolveOptions


class Game(Derived[Recognised, Plan]):
    """What the backends share; `needs` SciPy, whose HiGHS finds feasible profiles."""

    paper = PAPER
    needs = ("numpy", "scipy")
    module = ""  # where the algorithm is; imported before the clock starts

    def refusal(self, problem: Recognised) -> str:
        return "" if problem.limited else "needs slots that hold so much and no more, (17)"

    def prepare(self) -> None:
        import_module(f"mecdsl.backends.game.{self.module}")

    def plan(self, system: System, options: SolveOptions, own: OwnOptions) -> Plan:
        """The algorithm itself."""
        raise TypeError(f"{type(self).__name__} has no algorithm")

    def run(self, problem: Recognised, options: SolveOptions, own: OwnOptions) -> Plan:
        return self.plan(problem.system, options, own)

    def answer(self, problem: Recognised, outcome: Plan, options: SolveOptions) -> Answer:
        places = outcome.places
        return Answer(
            outcome.termination,
            outcome.label,
            values=None if places is None else {"layer.runs_in": runs_in(problem.system, places)},
            objective=outcome.objective,
            bound=outcome.bound,
            certificate=outcome.certificate,
            iterations=outcome.iterations,
            message=outcome.message,
        )


class Equilibria(Game):
    """Backends of the game itself, whose players are the devices; the certificate of their answers
    is made of the exact best responses.
    """

    def respond(self, instance: Instance, x: Reals) -> Responses:
        """The best responses of all devices to a point of the game.

        Raises ValueError for another instance.
        """
        recognised = recognise(instance, self.paper)
        if isinstance(recognised, str):
            raise ValueError(recognised)
        columns, system = recognised.found.columns, recognised.problem.system
        places = places_of(system, columns, x)
        found = gains(system, places)
        # who gains nothing but rounding stays, at what the instance says it has
        values = np.where(found.gain > 0.0, found.best, game_of(instance).values(x))

        def point(player: int) -> Reals:
            table = Table(system, places)
            response = table.better(player, table.offered(player))
            if response is not None:
                table.move(player, response.places)
            return point_of(system, columns, table.places)

        return Responses(values=values, bounds=values, point=point)


class GameBestResponse(Equilibria):
    """One device, exactly."""

    name = "game-best-response"
    module = "alone"
    capabilities = PAPER.offers(
        "the best placement of one device by a dynamic programme",
        Guarantee.EQUILIBRIUM,
        exact=True,
        games=True,
    )

    def refusal(self, problem: Recognised) -> str:
        devices = problem.system.devices
        if devices != 1:
            return f"answers for one device, these are {devices}"
        return super().refusal(problem)

    def plan(self, system: System, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.game.alone import alone

        return alone(system)


class GameRoundRobin(Equilibria):
    """An equilibrium."""

    name = "game-round-robin"
    module = "round_robin"
    capabilities = PAPER.offers(
        "an equilibrium, by exact best responses in turn",
        Guarantee.EQUILIBRIUM,
        ("rounds", "the most rounds, 10000 by default"),
        exact=True,
        time_limit=True,
        games=True,
    )

    def plan(self, system: System, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.game.round_robin import round_robin

        rounds = own.count("rounds", 10_000)
        return round_robin(system, rounds=rounds, time_limit=options.time_limit)


WAKE = ("wake_probability", "of each device in each tick, 0.5 by default")
UPDATE = ("update", "`sequential` (default) or `simultaneous`: how those who wake together answer")
STOP = ("stop", "`all-woken` (default) or `mean-change`, as the paper has it")
EPSILON = ("epsilon", "change of the mean cost in money that ends `mean-change`, 1e-6 by default")
TICKS = ("ticks", "the most ticks, 10000 by default")


class GameCai(Equilibria):
    """Algorithm 1."""

    name = "game-cai"
    module = "clocks"
    capabilities = PAPER.offers(
        "the paper's Algorithm 1: devices that wake at random see the loads",
        Guarantee.FEASIBLE,
        ("pricing", "`anticipate` (default): the price with its own new work; `taker`, as printed"),
        UPDATE,
        STOP,
        WAKE,
        EPSILON,
        TICKS,
        time_limit=True,
        games=True,
    )
    pricing: tuple[str, ...] = ("anticipate", "taker")

    def neighbours(self, own: OwnOptions) -> tuple[int | None, float | None]:
        """Whom a device hears, and its weight of itself; None for who sees the loads."""
        return None, None

    def plan(self, system: System, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.game.clocks import Pricing, Rules, Stop, Update, clocks

        neighbours, own_weight = self.neighbours(own)
        rules = Rules(
            pricing=Pricing(own.word("pricing", self.pricing)),
            update=Update(own.word("update", tuple(kind.value for kind in Update))),
            stop=Stop(own.word("stop", tuple(kind.value for kind in Stop))),
            wake_probability=min(own.number("wake_probability", 0.5), 1.0),
            epsilon=own.number("epsilon", 1e-6),
            ticks=own.count("ticks", 10_000),
            neighbours=neighbours,
            own_weight=own_weight,
        )
        label = "Algorithm 1" if neighbours is None else "Algorithm 2"
        return clocks(system, rules, label, options.seed, options.time_limit)


class GameUai(GameCai):
    """Algorithm 2."""

    name = "game-uai"
    capabilities = PAPER.offers(
        "the paper's Algorithm 2: devices that wake at random estimate the loads",
        Guarantee.FEASIBLE,
        (
            "pricing",
            "`anticipate` (default); `taker`, as printed; `substitute`: own new work in (29)",
        ),
        ("neighbours", "how many nearest devices on a ring each one hears, 2 by default"),
        ("own_weight", "the weight w_nn in (29), the others equal; by default all are equal"),
        UPDATE,
        STOP,
        WAKE,
        EPSILON,
        TICKS,
        time_limit=True,
        games=True,
    )
    pricing = ("anticipate", "taker", "substitute")

    def neighbours(self, own: OwnOptions) -> tuple[int | None, float | None]:
        given = "own_weight" in own.given
        own_weight = min(own.number("own_weight", 1.0), 1.0) if given else None
        return own.count("neighbours", 2), own_weight


class GameMarginal(Game):
    """A heuristic for the social optimum."""

    name = "game-marginal"
    module = "marginal"
    capabilities = PAPER.offers(
        "best responses at marginal prices, which lower the sum of all costs",
        Guarantee.FEASIBLE,
        ("starts", "random profiles to begin at, 10 by default"),
        time_limit=True,
    )

    def plan(self, system: System, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.game.marginal import marginal

        starts = own.count("starts", 10)
        return marginal(system, starts=starts, seed=options.seed, time_limit=options.time_limit)


class GameRandomOffload(Equilibria):
    """Case 3."""

    name = "game-random-offload"
    module = "baselines"
    capabilities = PAPER.offers(
        "everything at the server, in random slots; knows no deadline and no limit of devices",
        Guarantee.FEASIBLE,
        games=True,
    )

    def plan(self, system: System, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.game.baselines import random_offload

        return random_offload(system, options.seed)


class GameLocal(Equilibria):
    """Case 4."""

    name = "game-local"
    module = "baselines"
    capabilities = PAPER.offers("all layers on the devices", Guarantee.FEASIBLE, games=True)

    def plan(self, system: System, options: SolveOptions, own: OwnOptions) -> Plan:
        from mecdsl.backends.game.baselines import local

        return local(system)
