"""Problem (18) of the NOMA paper found in an instance, in one of its forms."""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.paper import Paper
from mecdsl.backends.derived.recognise import problem_of
from mecdsl.backends.derived.reference import Shipped
from mecdsl.backends.noma.system import Form, Link, System, Way
from mecdsl.instances.instance import Instance
from mecdsl.model.classes import ProblemClass

COMMON = "same_cut"  # the rows of one cut for all users
OF_LINKS = ("bandwidth", "noise", "power_min", "power_max")
NUMBERS = (
    "users_per_subchannel_max",
    "edge_units_min",
    "edge_units_max",
    "edge_exponent",
    *(f"{way.value}_{name}" for way in Way for name in OF_LINKS),
)
OF_USERS = ("home", "cpu", "capacitance", "cycles_per_flop", "time_weight", "energy_weight")
OF_USERS_TOO = ("layer_work", "cut_size", "result_size")
OF_ACCESS_POINTS = ("unit_speed", "capacitance", "cycles_per_flop")
FORMS = ("", "silent", "oma", "oma_silent")


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """The problem found in an instance."""

    system: System
    form: Form


def read(found: Found) -> Recognised:
    """The paper's data; raises ValueError where they leave its ranges."""
    users, layers = found.size("user"), found.size("dnn")
    home = found.data("user.home").astype(np.int64) - 1
    user = {name: found.data(f"user.{name}") for name in (*OF_USERS[1:], *OF_USERS_TOO)}
    user["layer_work"] = user["layer_work"].reshape(users, layers)
    user["cut_size"] = user["cut_size"].reshape(users, layers + 1)
    edge = {name: found.data(f"access_point.{name}") for name in OF_ACCESS_POINTS}
    up, down = (_link(found, way, home) for way in Way)
    name = found.problem.form
    return Recognised(
        System(
            home=home,
            **user,
            unit_speed=edge["unit_speed"],
            edge_capacitance=edge["capacitance"],
            edge_cycles_per_flop=edge["cycles_per_flop"],
            edge_units_min=found.number("edge_units_min"),
            edge_units_max=found.number("edge_units_max"),
            edge_exponent=found.number("edge_exponent"),
            users_per_subchannel_max=int(found.number("users_per_subchannel_max")),
            uplink=up,
            downlink=down,
        ),
        Form("silent" in name, "oma" in name, COMMON in found.rows.present),
    )


def _link(found: Found, way: Way, home: np.ndarray) -> Link:
    access_points, subchannels = found.size("access_point"), found.size("subchannel")
    numbers = {name: found.number(f"{way.value}_{name}") for name in OF_LINKS}
    gain = found.data(f"{way.value}.gain").reshape(access_points, len(home), subchannels)
    return Link(way=way, gain=gain, home=home, **numbers)


PAPER = Paper(
    title="split inference over NOMA",
    reference="Yuan et al., High Efficiency Inference Accelerating Algorithm for NOMA-based Mobile "
    "Edge Computing, problem (18)",
    problems=tuple(Shipped("noma", f"{form}+common_split".lstrip("+"), "(18)") for form in FORMS),
    reads=frozenset(
        {
            *NUMBERS,
            *(f"user.{name}" for name in (*OF_USERS, *OF_USERS_TOO)),
            *(f"access_point.{name}" for name in OF_ACCESS_POINTS),
            *(f"{way.value}.gain" for way in Way),
        }
    ),
    sizes=(
        ("access_point_count", "access_point"),
        ("user_count", "user"),
        ("subchannel_count", "subchannel"),
        ("layer_count", "dnn"),
    ),
    read=read,
    classes=frozenset({ProblemClass.MINLP}),
    optional=frozenset({COMMON}),
)


def recognise(instance: Instance) -> Recognised | str:
    """The problem an instance is, or the reason why it is none of the paper."""
    return problem_of(instance, PAPER)
