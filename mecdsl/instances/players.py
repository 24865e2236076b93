"""The players of an instance: who they are, whose every column is, and each one's own problem."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.compiling.check import CheckedModel
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.algebra import Floats
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.sparse_rows import ragged_ranges
from mecdsl.instances.tables import SINGLE, FloatArray, IntArray, Table
from mecdsl.instances.touched import Touched, Touches
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier
from mecdsl.model.dimensions import find_dimension
from mecdsl.units import Dimension

OWN = {"minimize": "own_cost", "maximize": "own_gain"}  # what a single player's problem is about


@dataclass(frozen=True, slots=True, eq=False)
class PlayerFamily:
    """Players `first` to `first + size` of the instance, one per row of their table."""

    players: sym.Players
    first: int
    table: Table

    @property
    def size(self) -> int:
        """The number of players."""
        return self.table.size

    @property
    def sign(self) -> float:
        """1 where less is better, -1 where more is."""
        return 1.0 if self.players.sense == "minimize" else -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of one constraint family and the players they touch, as pairs."""

    family: ConstraintFamily
    touched: Touched

    def of(self, player: int) -> IntArray:
        """The rows that a player has a say in."""
        rows: IntArray = self.touched.rows[self.touched.groups == player]
        return rows

    @property
    def sharers(self) -> IntArray:
        """int64[rows]: how many players have a say in each."""
        return np.bincount(self.touched.rows, minlength=self.family.size)


@dataclass(frozen=True, slots=True, eq=False)
class Game:
    """All players of an instance, numbered through; `owner`: int64[columns], -1 for nobody's."""

    instance: Instance
    families: tuple[PlayerFamily, ...]
    owner: IntArray

    @property
    def size(self) -> int:
        """The number of players."""
        return sum(family.size for family in self.families)

    def columns(self, player: int) -> NDArray[np.bool_]:
        """The columns that a player chooses, fixed ones aside."""
        mine: NDArray[np.bool_] = (self.owner == player) & self.instance.free
        return mine

    def family(self, player: int) -> PlayerFamily:
        """The family that a player belongs to. Raises IndexError."""
        for family in self.families:
            if family.first <= player < family.first + family.size:
                return family
        raise IndexError(player)

    def name(self, player: int) -> str:
        """`device[3]`."""
        family = self.family(player)
        space = family.players.space
        row = player - family.first
        labels = [int(family.table.columns[name][row]) for name in space.names]
        text = self.instance.world.labels_text(space, labels) if labels else ""
        return family.players.name + text

    def signs(self) -> FloatArray:
        """float64[players]: 1 for those who minimise, -1 for those who maximise."""
        signs = [np.full(family.size, family.sign) for family in self.families]
        return np.concatenate([np.zeros(0), *signs])

    def dimensions(self) -> tuple[Dimension | None, ...]:
        """The dimension of every player's objective."""
        model = self.instance.model
        of_family = [find_dimension(model, family.players.value) for family in self.families]
        return tuple(
            dimension
            for family, dimension in zip(self.families, of_family, strict=True)
            for _ in range(family.size)
        )

    def values(self, x: FloatArray) -> FloatArray:
        """float64[players], SI: what every player's objective is at a point."""
        evaluator = self.instance.evaluator(Floats(x))
        values = [evaluator.family(f.players.value, f.table) for f in self.families]
        return np.concatenate([np.zeros(0), *(np.asarray(v, dtype=np.float64) for v in values)])


@fact
def game_of(instance: Instance) -> Game:
    """The players of an instance. Raises `ModelError` where a variable is not one player's."""
    families: list[PlayerFamily] = []
    first = 0
    for players in instance.model.players:
        evaluator = instance.evaluator(Floats())
        what = f"players `{players.name}`"
        table, _, _ = evaluator.space(players.space, SINGLE, what)
        families.append(PlayerFamily(players, first, table))
        first += table.size
    game = Game(instance, tuple(families), np.full(instance.columns, -1, dtype=np.int64))
    for family in families:
        for own in family.players.choosing:
            _give(game, family, own)
    nobody = np.flatnonzero((game.owner < 0) & instance.free)
    if len(nobody):
        member = instance.column_name(int(nobody[0]))
        fault = Diagnostic(
            "E312",
            f"`{member}` is chosen by no player",
            instance.model.players[0].span,
            help="name it after `choosing`, or let a form fix it",
        )
        raise ModelError([fault])
    return game


def _give(game: Game, family: PlayerFamily, own: sym.OwnVariable) -> None:
    """Note the columns that one `choosing` gives to each player of a family."""
    instance = game.instance
    variable = instance.variable(own.symbol)
    table = instance.world.symbols[own.symbol].table
    names = instance.world.symbols[own.symbol].names
    used, keys = _keys(instance, family, own, names)
    rows, players = _matches(
        [table.columns[name] for name in used], keys, table.size, family.table.size
    )
    columns, players = variable.first + rows, players + family.first
    order = np.argsort(columns, kind="stable")
    columns, players = columns[order], players[order]
    twice = np.flatnonzero(columns[1:] == columns[:-1])
    before = game.owner[columns]
    taken = np.flatnonzero((before >= 0) & (before != players))
    if len(twice) or len(taken):
        at = int(twice[0] if len(twice) else taken[0])
        other = int(players[at + 1] if len(twice) else before[at])
        member = instance.column_name(int(columns[at]))
        fault = Diagnostic(
            "E312",
            f"`{member}` is chosen by `{game.name(other)}` and by `{game.name(int(players[at]))}`",
            own.span,
            help=f"say which members are whose: `{own.symbol}[...]` with an index of the players",
        )
        raise ModelError([fault])
    game.owner[columns] = players


def _keys(
    instance: Instance, family: PlayerFamily, own: sym.OwnVariable, names: Sequence[str]
) -> tuple[list[str], list[IntArray]]:
    """The indices of a variable that say whose it is, and what they are for each player."""
    evaluator = instance.evaluator(Floats())
    given = [
        (name, evaluator.labels(index, family.table))
        for name, index in zip(names, own.indices, strict=False)
        if index is not None
    ]
    if not own.by_row:
        return [name for name, _ in given], [labels for _, labels in given]
    owner = instance.world.families[instance.model.symbols[own.symbol].owner or ""]
    rows = given[0][1]
    return list(owner.names), [owner.table.columns[name][rows] for name in owner.names]


def _matches(
    columns: Sequence[IntArray], keys: Sequence[IntArray], size: int, players: int
) -> tuple[IntArray, IntArray]:
    """Pairs of a row and a player whose keys are equal; without keys every pair there is."""
    if not columns:
        rows = np.tile(np.arange(size, dtype=np.int64), players)
        return rows, np.repeat(np.arange(players, dtype=np.int64), size)
    stacked = np.concatenate([np.stack(columns), np.stack(keys)], axis=1)
    _, code = np.unique(stacked, axis=1, return_inverse=True)
    code = code.ravel()
    mine, theirs = code[:size], code[size:]
    order = np.argsort(theirs, kind="stable")
    low = np.searchsorted(theirs[order], mine)
    counts = np.searchsorted(theirs[order], mine, side="right") - low
    rows = np.repeat(np.arange(size, dtype=np.int64), counts)
    return rows, order[ragged_ranges(low, counts)].astype(np.int64)


@fact
def rows_of_players(instance: Instance) -> tuple[Rows, ...]:
    """Every constraint family with the players that have a say in its rows."""
    game = game_of(instance)
    evaluator = instance.evaluator(Touches(np.where(instance.free, game.owner, -1)))
    found: list[Rows] = []
    for family in instance.constraints:
        touched = difference(evaluator, family)
        if not isinstance(touched, Touched):
            nothing = np.zeros(0, dtype=np.int64)
            touched = Touched(nothing, nothing)
        found.append(Rows(family, touched))
    return tuple(found)


def chosen_rows(
    instance: Instance, choose: Callable[[Rows], IntArray]
) -> tuple[ConstraintFamily, ...]:
    """The constraints of an instance with those of their rows that are chosen.

    Families without any are left out, but for those that stand for a constraint with a switch,
    which is looked for by the names of its rows.
    """
    lowered = {name for fact in instance.model.switched for name in fact.rows}
    families: list[ConstraintFamily] = []
    first = 0
    for rows in rows_of_players(instance):
        kept = choose(rows)
        if len(kept) or rows.family.name in lowered:
            table = rows.family.table.take(kept)
            families.append(replace(rows.family, first=first, table=table))
            first += len(kept)
    return tuple(families)


def problem_of_player(instance: Instance, player: int, x: FloatArray) -> Instance:
    """A player's own problem: own objective and rows, all that others choose fixed at `x`.

    It has the columns of the game, so a point of it is a point of the game.
    """
    game = game_of(instance)
    others = ~game.columns(player)
    return replace(
        instance,
        checked=_checked_of_player(instance, game, player),
        constraints=chosen_rows(instance, lambda rows: rows.of(player)),
        fixed=np.where(others, x, instance.fixed),
    )


@fact
def _checked_models(instance: Instance) -> dict[int, CheckedModel]:
    """The models of single players that were made so far."""
    return {}


def _checked_of_player(instance: Instance, game: Game, player: int) -> CheckedModel:
    """The model with the objective of one player, kept for the next time it is asked for."""
    kept = _checked_models(instance)
    if player in kept:
        return kept[player]
    family, model = game.family(player), instance.model
    players, row = family.players, player - family.first
    value = players.value
    if players.space.names:
        value = sym.Aggregate("sum", value, _only(players.space, family.table, row), players.span)
    name = OWN[players.sense]
    while name in model.symbols:
        name += "_of_player"
    objective = replace(
        model.objective,
        name=name,
        sense=players.sense,
        value=value,
        doc=players.doc,
        unit=None,
        player=game.name(player),
    )
    dimensions = {**model.dimensions, name: find_dimension(model, players.value)}
    own = replace(model, objective=objective, players=(), dimensions=dimensions)
    kept[player] = CheckedModel(own, instance.checked.order, Classifier(own))
    return kept[player]


def _only(space: sym.Space, table: Table, row: int) -> sym.Space:
    """A space of one row of its table."""
    condition = space.condition
    for generator in space.generators:
        for name in generator.names:
            span = generator.span
            label = sym.Constant(float(table.columns[name][row]), None, span)
            test = sym.Operation("==", (_index(name, generator), label), span)
            condition = test if condition is None else sym.Operation("and", (condition, test), span)
    return replace(space, condition=condition)


def _index(name: str, generator: sym.Generator) -> sym.IndexValue:
    return sym.IndexValue(name, generator.span)
