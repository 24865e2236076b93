"""Problem (28) of the paper found in an instance, with (17) for each device or as printed."""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.paper import Paper
from mecdsl.backends.derived.recognise import problem_of
from mecdsl.backends.derived.reference import Shipped
from mecdsl.backends.game.players import require_players
from mecdsl.backends.game.system import OF_DEVICES, OF_LAYERS, OF_SLOTS, Reals, System
from mecdsl.instances.instance import Instance
from mecdsl.model.classes import ProblemClass

NUMBERS = ("frame_time", "parallel_limit", "cycle_factor", "server.cpu", "server.transmit_power")
ATTRIBUTES = tuple(name for name in OF_DEVICES if not name.endswith("_rate"))
RADIO = ("bandwidth", "gain", "noise_density")
EACH, ALL = "capacity", "capacity_of_all"  # (17) for each device, and as printed


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """The problem found in an instance; `limited`: slots have a length."""

    system: System
    limited: bool = True


def read(found: Found) -> Recognised:
    """The paper's data; raises ValueError where they leave its ranges."""
    system = _system(found)
    if found.instance.model.players:
        require_players(found.instance, found.columns, system)
    return Recognised(system, limited=bool({EACH, ALL} & found.rows.present))


def _system(found: Found) -> System:
    number = {name: found.number(name) for name in NUMBERS}
    device = {name: found.data(f"device.{name}") for name in ATTRIBUTES}
    radio = {name: found.data(f"radio.{name}") for name in RADIO}
    return System(
        layer_count=found.data("device.layer_count").astype(np.int64),
        **device,
        **{name: found.data(f"layer.{name}") for name in OF_LAYERS},
        **{name: found.data(name) for name in OF_SLOTS},
        upload_rate=link_rate(device["transmit_power"], **radio),
        download_rate=link_rate(number["server.transmit_power"], **radio),
        frame_time=number["frame_time"],
        parallel_limit=int(number["parallel_limit"]),
        cycle_factor=number["cycle_factor"],
        server_cpu=number["server.cpu"],
        shared_slots=ALL in found.rows.present,
    )


def link_rate(power: Reals | float, bandwidth: Reals, gain: Reals, noise_density: Reals) -> Reals:
    """(9) and (11), in bit/s."""
    return np.asarray(bandwidth * np.log2(1.0 + power * gain / (noise_density * bandwidth)))


PAPER = Paper(
    title="the game of partitioning and offloading",
    reference="Gao, Shen, Shi, Qi, Li, Li, Task Partitioning and Offloading in DNN-Task Enabled "
    "Mobile Edge Computing Networks, problem (28)",
    problems=(Shipped("game", "social+both_capacities", "(28)"),),
    reads=frozenset(
        {
            *NUMBERS,
            *OF_SLOTS,
            "device.layer_count",
            *(f"device.{name}" for name in ATTRIBUTES),
            *(f"radio.{name}" for name in RADIO),
            *(f"layer.{name}" for name in OF_LAYERS),
        }
    ),
    sizes=(("device_count", "device"), ("slot_count", "slot")),
    read=read,
    optional=frozenset({EACH, ALL}),
    classes=frozenset({ProblemClass.MINLP, ProblemClass.MIQP, ProblemClass.NONCONVEX_MIQP}),
)


def recognise(instance: Instance) -> Recognised | str:
    """The problem an instance is, or the reason why it is none of the paper."""
    return problem_of(instance, PAPER)
