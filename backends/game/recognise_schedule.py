"""Case 2 of the paper, the global schedule, found in an instance."""

import numpy as np

from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.paper import Paper
from mecdsl.backends.derived.reference import Shipped
from mecdsl.backends.game.chains import Chains
from mecdsl.backends.game.recognise import RADIO, link_rate
from mecdsl.backends.game.system import OF_LAYERS
from mecdsl.model.classes import ProblemClass


def read(found: Found) -> Chains:
    """The delays of tasks, uploads and downloads."""
    radio = {name: found.data(f"radio.{name}") for name in RADIO}
    up = link_rate(found.data("device.transmit_power"), **radio)
    down = link_rate(found.number("server.transmit_power"), **radio)
    counts = found.data("device.layer_count").astype(np.int64)
    first = found.data("device.input_size")
    ends = np.cumsum(counts)[:-1]
    local, server, output = (np.split(found.data(f"layer.{name}"), ends) for name in OF_LAYERS)
    release, download = [], np.empty(len(counts))
    for n in range(len(counts)):
        sent = np.concatenate([[first[n]], output[n][:-1], [0.0]])
        release.append(np.concatenate([[0.0], np.cumsum(local[n])]) + sent / up[n])
        download[n] = output[n][-1] / down[n]
    return Chains(
        tasks=tuple(server),
        release=tuple(release),
        download=download,
        machines=int(found.number("parallel_limit")),
    )


SCHEDULE = Paper(
    title="the global schedule of partitioned networks",
    reference="Gao, Shen, Shi, Qi, Li, Li, Task Partitioning and Offloading in DNN-Task Enabled "
    "Mobile Edge Computing Networks, Case 2 (GTPOS)",
    problems=(Shipped("game_schedule", "", "Case 2"),),
    reads=frozenset(
        {
            "device.layer_count",
            "device.input_size",
            "device.transmit_power",
            "server.transmit_power",
            "parallel_limit",
            *(f"radio.{name}" for name in RADIO),
            *(f"layer.{name}" for name in OF_LAYERS),
        }
    ),
    sizes=(("device_count", "device"),),
    read=read,
    classes=frozenset({ProblemClass.MILP}),
)
