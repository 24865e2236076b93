"""Problem (31) of the fog paper found in an instance, in energies or as (24) in powers, with or
without given rows.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.paper import Paper
from mecdsl.backends.derived.recognise import problem_of
from mecdsl.backends.derived.reference import Shipped
from mecdsl.backends.fog.layout import Layout
from mecdsl.backends.fog.system import Reals, System
from mecdsl.instances.instance import Instance
from mecdsl.model.classes import ProblemClass

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
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """The problem found in an instance.

    `rows`: given rows [K] or None where they are free; `powers`: it is (24).
    """

    system: System
    layout: Layout
    powers: bool
    rows: Reals | None

    @property
    def equal_rows(self) -> bool:
        """Whether the given rows are those of NoOptDist."""
        share = self.system.input_rows / self.system.shape[0]
        return self.rows is not None and bool(
            np.allclose(self.rows, share, rtol=TOLERANCE, atol=0.0)
        )


def read(found: Found) -> Recognised:
    """The paper's data; raises ValueError where they leave its ranges, and for given rows that are
    not all rows of the image.
    """
    layout = _layout(found)
    system = _system(found, layout)
    rows = found.fixed.get("fog_node.rows")
    if rows is not None and (
        (rows < 0.0).any()
        or not np.isclose(rows.sum(), system.input_rows, rtol=TOLERANCE, atol=0.0)
    ):
        raise ValueError("the rows are fixed, but do not add up to `input_rows`")
    return Recognised(system, layout, found.problem.model == "fog_powers", rows)


def _layout(found: Found) -> Layout:
    (receiver,), (sender, other) = found.labels("distribution"), found.labels("neighbour")
    return Layout(receiver - 1, sender - 1, other < sender)


def _system(found: Found, layout: Layout) -> System:
    nodes, layers = found.size("fog_node"), found.size("layer_pack")
    number = {name: found.number(name) for name in NUMBERS}
    sends, gains = np.full(nodes, np.nan), np.full((2, nodes, layers), np.nan)
    sends[layout.receiver] = found.data("distribution.gain")
    gains[np.where(layout.up, 0, 1), layout.sender] = found.data("neighbour.gain").reshape(
        -1, layers
    )
    return System(
        work=found.data("fog_node.cycles_per_row").reshape(nodes, layers),
        capacitance=found.data("fog_node.capacitance"),
        cpu_max=found.data("fog_node.cpu_max"),
        distribution_gain=sends,
        gain_up=gains[0],
        gain_down=gains[1],
        power_max=found.data("fog_node.power_max"),
        circuit_power=found.data("fog_node.circuit_power"),
        master=int(number["master"]) - 1,
        row_nats=number["row_size"] * number["nats_per_bit"],
        boundary_rows=found.data("fog_node.boundary_rows"),
        exchange_nats=found.data("layer_pack.exchange_size") * number["nats_per_bit"],
        bandwidth=number["bandwidth"],
        noise_density=number["noise_density"],
        latency=number["latency"],
        input_rows=number["input_rows"],
        macs=found.data("layer_pack.macs_per_row"),
    )


PAPER = Paper(
    title="fog nodes, problem (31)",
    reference="Kilcioglu, Mirghasemi, Stupia, Vandendorpe, IEEE Access 2021, problems (31) and "
    "(24)",
    problems=(Shipped("fog", "", "(31)"), Shipped("fog_powers", "", "(24)")),
    reads=frozenset(
        {
            *NUMBERS,
            *(f"fog_node.{name}" for name in OF_NODES),
            "layer_pack.exchange_size",
            "layer_pack.macs_per_row",
            "distribution.gain",
            "neighbour.gain",
        }
    ),
    sizes=(("node_count", "fog_node"), ("layer_count", "layer_pack")),
    read=read,
    classes=frozenset({ProblemClass.NLP}),
    may_be_fixed=frozenset({"fog_node.rows"}),
    may_add_constant=True,
)


def recognise(instance: Instance) -> Recognised | str:
    """The problem an instance is, or the reason why it is none of the paper."""
    return problem_of(instance, PAPER)
