"""Problem (31) of the fog paper found in an instance, in energies or as (24) in powers, with or
without given rows.

Names alone are not believed: objective and every row family of the instance are compared at random
points with those of (31) computed from the system. A row may be written with its sides swapped or
multiplied by a number; that number is kept, since multipliers belong to the row as it is written;
so is a constant beside the energy. Everything is arrays and linear in K times N.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mecdsl.backends.fog.rows import (
    ENERGIES,
    POWERS,
    TIMES,
    Layout,
    objective,
    random_point,
    row_values,
)
from mecdsl.backends.fog.system import Reals, System
from mecdsl.diagnostics import count
from mecdsl.instances.algebra import Floats
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import ConstraintFamily, Instance, difference

EQUATIONS: Mapping[str, tuple[str, str]] = {
    "all_rows": ("(4)", "(4)"),
    "distribution_rate": ("(10)", "(10)"),
    "cpu_limit": ("(16)", "(16)"),
    "exchange_rate": ("(19)", "(19)"),
    "layer_deadline": ("(22)", "(22)"),
    "deadline": ("(23)", "(23)"),
    "distribution_power": ("(27)", "(8)"),
    "exchange_power": ("(30)", "(20)"),
}
NUMBERS = (
    "master",
    "latency",
    "bandwidth",
    "noise_density",
    "input_rows",
    "nats_per_bit",
    "row_size",
)
OF_NODES = (
    "capacitance",
    "cpu_max",
    "power_max",
    "circuit_power",
    "boundary_rows",
    "cycles_per_row",
)
OF_LAYERS = ("exchange_size", "macs_per_row")
FAMILIES = ("fog_node", "layer_pack", "distribution", "neighbour")
TOLERANCE = 1e-9
POINTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """The problem found in an instance.

    `rows`: given rows [K] or None where they are free; `powers`: it is (24); `charge`: a constant
    stands beside the energy in the objective. `factor`: of every row family the number that its
    rows as written are multiplied by, against left minus right of (31), <= 0.
    """

    system: System
    layout: Layout
    powers: bool
    rows: Reals | None
    charge: bool
    factor: Mapping[str, Reals]

    @property
    def equal_rows(self) -> bool:
        """Whether the given rows are those of NoOptDist."""
        share = self.system.input_rows / self.system.shape[0]
        return self.rows is not None and bool(
            np.allclose(self.rows, share, rtol=TOLERANCE, atol=0.0)
        )


@fact
def recognise(instance: Instance) -> Recognised | str:
    """The problem an instance is, or the reason why it is none of them; looked for once per
    instance.
    """
    variables = {family.name for family in instance.variables}
    powers = bool(variables & set(POWERS))
    for found, wanted in (
        (variables, set(TIMES) | set(POWERS if powers else ENERGIES)),
        ({family.name for family in instance.constraints}, set(EQUATIONS)),
    ):
        odd = sorted(found ^ wanted, key=lambda name: (name in wanted, name))
        if odd:
            return (
                f"`{odd[0]}` is {'not part of' if odd[0] in found else 'missing from'} the problem"
            )
    world = instance.world
    missing = [
        name for name in _needed() if name not in world.values and name not in world.families
    ]
    if missing:
        return f"the model has no `{missing[0]}`"
    if instance.maximize:
        return "the objective is maximised"
    if (instance.integral & instance.free).any():
        return f"`{instance.column_name(int(np.argmax(instance.integral)))}` is an integer"
    try:
        layout = _layout(instance)
        system = _system(instance, layout)
    except ValueError as error:
        return str(error)
    fault = _sizes_fault(instance, system) or _bounds_fault(instance, system, layout)
    rows = _given_rows(instance, system) if not fault else None
    if fault or isinstance(rows, str):
        return fault or str(rows)
    compared = _compare(instance, system, layout, powers)
    if isinstance(compared, str):
        return compared
    return Recognised(system, layout, powers, rows, *compared)


def _needed() -> tuple[str, ...]:
    nodes, layers = (
        (f"fog_node.{name}" for name in OF_NODES),
        (f"layer_pack.{name}" for name in OF_LAYERS),
    )
    return (*FAMILIES, *NUMBERS, *nodes, *layers, "distribution.gain", "neighbour.gain")


def _layout(instance: Instance) -> Layout:
    families = instance.world.families
    nodes, master = families["fog_node"].size, int(instance.data("master")[0])
    for name, indices in zip(FAMILIES, (1, 1, 1, 2), strict=True):
        if len(families[name].names) != indices:
            raise ValueError(f"`{name}` has not {count(indices, 'index')}")
    labels = {
        name: [families[name].table.columns[i] for i in families[name].names] for name in FAMILIES
    }
    for name in ("fog_node", "layer_pack"):
        if not np.array_equal(labels[name][0], np.arange(1, families[name].size + 1)):
            raise ValueError(f"`{name}` is not numbered from 1")
    receiver, (sender, other) = labels["distribution"][0], labels["neighbour"]
    if not np.array_equal(receiver, np.delete(np.arange(1, nodes + 1), master - 1)):
        raise ValueError("`distribution` does not lead from `master` to every other node")
    place, width = np.arange(1, nodes + 1), nodes + 1
    adjacent = np.concatenate([place[:-1] * width + place[1:], place[1:] * width + place[:-1]])
    if not np.array_equal(np.sort(sender * width + other), np.sort(adjacent)):
        raise ValueError("`neighbour` does not join every node with the next and the one before")
    return Layout(receiver - 1, sender - 1, other < sender)


def _system(instance: Instance, layout: Layout) -> System:
    data = instance.data
    nodes, layers = (instance.world.families[name].size for name in ("fog_node", "layer_pack"))
    number = {name: float(data(name)[0]) for name in NUMBERS}
    sends, gains = np.full(nodes, np.nan), np.full((2, nodes, layers), np.nan)
    sends[layout.receiver] = data("distribution.gain")
    gains[np.where(layout.up, 0, 1), layout.sender] = data("neighbour.gain").reshape(-1, layers)
    return System(
        work=data("fog_node.cycles_per_row").reshape(nodes, layers),
        capacitance=data("fog_node.capacitance"),
        cpu_max=data("fog_node.cpu_max"),
        distribution_gain=sends,
        gain_up=gains[0],
        gain_down=gains[1],
        power_max=data("fog_node.power_max"),
        circuit_power=data("fog_node.circuit_power"),
        master=int(number["master"]) - 1,
        row_nats=number["row_size"] * number["nats_per_bit"],
        boundary_rows=data("fog_node.boundary_rows"),
        exchange_nats=data("layer_pack.exchange_size") * number["nats_per_bit"],
        bandwidth=number["bandwidth"],
        noise_density=number["noise_density"],
        latency=number["latency"],
        input_rows=number["input_rows"],
        macs=data("layer_pack.macs_per_row"),
    )


def _sizes_fault(instance: Instance, system: System) -> str:
    nodes, layers = system.shape
    links = max(2 * nodes - 2, 0)
    sizes = {
        "fog_node.rows": nodes,
        "layer_pack.time": layers,
        "fog_node.compute_time": nodes * layers,
        "distribution": nodes - 1,
        "neighbour": links * layers,
    }
    for family in instance.variables:
        size = sizes.get(family.name, sizes.get(family.name.partition(".")[0]))
        if family.size != size:
            return f"`{family.name}` has {family.size} members, expected {size}"
    return ""


def _given_rows(instance: Instance, system: System) -> Reals | str | None:
    """Rows that are fixed, None where all are free, or what else is fixed."""
    part = instance.variable("fog_node.rows").columns
    fixed = ~instance.free
    if fixed.sum() > fixed[part].sum() or (fixed[part].any() and not fixed[part].all()):
        return "some variables are fixed, and not just all rows"
    if not fixed.any():
        return None
    rows = instance.fixed[part]
    if (rows < 0.0).any() or not np.isclose(
        rows.sum(), system.input_rows, rtol=TOLERANCE, atol=0.0
    ):
        return "the rows are fixed, but do not add up to `input_rows`"
    return rows


def _bounds_fault(instance: Instance, system: System, layout: Layout) -> str:
    """Bounds may only be what (31) implies: least times at full power, and limits no plan
    reaches.
    """
    least_send = system.send_extra / (system.bandwidth * system.send_most)
    pace = system.bandwidth * system.link_most
    least_link = layout.of_links(*(system.link_nats / pace))
    least_joule = layout.of_links(*(system.link_nats * system.link_scale / system.bandwidth))
    lower = {
        "fog_node.rows": 0.0,
        "layer_pack.time": system.least_exchange.max(axis=0),
        "fog_node.compute_time": 0.0,
        "distribution.time": least_send[layout.receiver],
        "neighbour.time": least_link.ravel(),
        "distribution.radio_energy": (system.send_extra * system.send_scale / system.bandwidth)[
            layout.receiver
        ],
        "neighbour.radio_energy": least_joule.ravel(),
        "distribution.transmit_power": 0.0,
        "neighbour.transmit_power": 0.0,
    }
    most_send = system.power_max[system.master]
    most_link = np.repeat(system.power_max[layout.sender], system.shape[1])
    upper = {
        "fog_node.rows": system.input_rows,
        "distribution.radio_energy": most_send * system.latency,
        "neighbour.radio_energy": most_link * system.latency,
        "distribution.transmit_power": most_send,
        "neighbour.transmit_power": most_link,
    }
    for family in instance.variables:
        part = family.columns
        low, high = lower[family.name], np.asarray(upper.get(family.name, system.latency))
        cut = (instance.lower[part] > low * (1.0 + TOLERANCE)) | (
            instance.upper[part] < high * (1.0 - TOLERANCE)
        )
        if cut.any():
            return (
                f"`{instance.column_name(family.first + int(np.argmax(cut)))}` has a bound "
                "of its own"
            )
    return ""


# Comparison with (31) -----------------------------------------------------------------------------


def _compare(
    instance: Instance, system: System, layout: Layout, powers: bool
) -> tuple[bool, dict[str, Reals]] | str:
    """Whether a constant is charged, and the factor of every row by family; or what differs at one
    of the points.
    """
    generator = np.random.default_rng(0)
    found: list[dict[str, Reals]] = []
    own: list[dict[str, tuple[Reals, Reals]]] = []
    charges, energies = [], []
    for _ in range(POINTS):
        parts = random_point(
            system, layout, {f.name: f.size for f in instance.variables}, generator
        )
        x = np.empty(instance.columns)
        for variable in instance.variables:
            x[variable.columns] = parts[variable.name]
        energies.append(objective(system, layout, parts, powers))
        evaluator = instance.evaluator(Floats(x))
        with np.errstate(
            all="ignore"
        ):  # an edited row may be no number here, and is refused for it
            charges.append(instance.objective(x) - energies[-1])
            rows = {
                f.name: np.asarray(difference(evaluator, f), dtype=np.float64)
                for f in instance.constraints
            }
        found.append(rows)
        own.append(row_values(system, layout, parts, powers))
    rounding = TOLERANCE * max(energies)
    if not np.ptp(charges) <= rounding:
        return f"the objective is not that of {'(24)' if powers else '(31)'}"
    factors: dict[str, Reals] = {}
    for family in instance.constraints:
        factor = _factor(
            family, [values[family.name] for values in found], [rows[family.name] for rows in own]
        )
        if factor is None:
            return f"`{family.name}` is not {EQUATIONS[family.name][powers]}"
        factors[family.name] = factor
    return abs(charges[0]) > TOLERANCE * energies[0], factors


def _factor(
    family: ConstraintFamily, found: list[Reals], own: list[tuple[Reals, Reals]]
) -> Reals | None:
    """The number each row of (31) is multiplied by to give the row as written; None if there is no
    such number.
    """
    values, terms = np.array([value for value, _ in own]), np.array([size for _, size in own])
    if family.size != values.shape[1]:
        return None
    written = np.array(found)
    factor: Reals = (written * values).sum(axis=0) / (values * values).sum(axis=0)
    if (
        not np.isfinite(factor).all()
        or (np.abs(written - factor * values) > TOLERANCE * np.abs(factor) * terms).any()
    ):
        return None
    relation = "==" if family.name == "all_rows" else "<="
    if relation == "==":
        return factor if family.relation == "==" and (factor != 0.0).all() else None
    signs = {"<=": factor > 0.0, ">=": factor < 0.0}
    return factor if family.relation in signs and signs[family.relation].all() else None
