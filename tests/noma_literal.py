"""Problem (18) of the NOMA paper and its relaxation (22) as printed formulas in plain loops, for the
tests; written from the formulas and sharing nothing with the algorithms.

Users, access points, subchannels count from 0. A point has `cut` [U], `beta` and `power`, each a pair
(up, down): subchannel or None and W by user; in the relaxation tables [U][M].
"""

import math
from typing import Any

import numpy as np

from mecdsl.backends.noma.system import Decisions, Form, Link, System, Way

Data = dict[str, Any]
BASE = Form()


def weaker(gain: list[list[list[float]]], home: list[int], v: int, i: int, m: int) -> bool:
    """Whether v is weaker than i on m: of one cell, with less gain or the same and a lower number."""
    if v == i or home[v] != home[i]:
        return False
    return (gain[home[v]][v][m], v) < (gain[home[i]][i][m], i)


def uplink_rate(
    data: Data, i: int, own: float, sent: list[list[float]], m: int, share: int | None
) -> float:
    """b log2(1 + SINR) of (5) at an own power; `sent` [U][M] by all, in W; `share`: k users share the
    subchannel (OMA).
    """
    home, gain, users = data["home"], data["up_gain"], range(len(data["home"]))
    cell = sum(sent[v][m] * gain[home[v]][v][m] for v in users if weaker(gain, home, v, i, m))
    others = sum(sent[t][m] * gain[home[i]][t][m] for t in users if home[t] != home[i])
    return shared(data, "up", own * gain[home[i]][i][m], cell, others, share)


def downlink_rate(
    data: Data, i: int, own: float, sent: list[list[float]], m: int, share: int | None
) -> float:
    """b log2(1 + SINR) of (8)."""
    home, gain, users = data["home"], data["down_gain"], range(len(data["home"]))
    heard = gain[home[i]][i][m]
    cell = heard * sum(sent[v][m] for v in users if weaker(gain, home, i, v, m))
    others = sum(sent[t][m] * gain[home[t]][i][m] for t in users if home[t] != home[i])
    return shared(data, "down", own * heard, cell, others, share)


def shared(
    data: Data, way: str, signal: float, cell: float, others: float, share: int | None
) -> float:
    width: float = data[f"{way}_band"] / data["subchannels"]
    noise: float = data[f"{way}_noise"]
    if share is None:
        return width * math.log2(1.0 + signal / (cell + others + noise))
    return width / share * math.log2(1.0 + share * signal / (others + noise))


def objective(
    data: Data,
    cut: list[int],
    beta: tuple[list[list[float]], list[list[float]]],
    power: tuple[list[list[float]], list[list[float]]],
    units: list[float],
    silent: bool = False,
    oma: bool = False,
) -> float:
    """(21): sum of wT T + wE E, every user's rate the sum over subchannels of beta times the rate."""
    users, layers = range(len(data["home"])), len(data["work"][0]) if data["work"] else 0
    subchannels = range(data["subchannels"])
    total = 0.0
    for i in users:
        home = data["home"][i]
        local = sum(data["work"][i][: cut[i]])
        edge = sum(data["work"][i][cut[i] :])
        speed = units[i] ** data["exponent"] * data["unit_speed"][home]
        time = local / data["cpu"][i] + edge / speed
        energy = data["xi"][i] * data["cpu"][i] ** 2 * data["phi"][i] * local
        energy += data["edge_xi"][home] * speed**2 * data["edge_phi"][home] * edge
        if not (silent and cut[i] == layers):
            for way, load in ((0, data["size"][i][cut[i]]), (1, data["result"][i])):
                sent = [[beta[way][t][m] * power[way][t][m] for m in subchannels] for t in users]
                rate = 0.0
                for m in subchannels:
                    k = sum(beta[way][t][m] for t in users if data["home"][t] == home)
                    share = max(1, round(k)) if oma else None
                    rate_of = uplink_rate if way == 0 else downlink_rate
                    own = power[way][i][m]
                    rate += beta[way][i][m] * rate_of(data, i, own, sent, m, share)
                if load > 0.0:
                    time += load / rate if rate > 0.0 else math.inf
                    energy += sum(sent[i]) * load / rate if rate > 0.0 else math.inf
        total += data["time_weight"][i] * time + data["energy_weight"][i] * energy
    return total


def plain(system: System) -> Data:
    """The data of a system as plain lists."""
    arrays = {
        "home": system.home,
        "cpu": system.cpu,
        "xi": system.capacitance,
        "phi": system.cycles_per_flop,
        "time_weight": system.time_weight,
        "energy_weight": system.energy_weight,
        "work": system.layer_work,
        "size": system.cut_size,
        "result": system.result_size,
        "unit_speed": system.unit_speed,
        "edge_xi": system.edge_capacitance,
        "edge_phi": system.edge_cycles_per_flop,
        "up_gain": system.uplink.gain,
        "down_gain": system.downlink.gain,
    }
    return {name: array.tolist() for name, array in arrays.items()} | {
        "exponent": system.edge_exponent,
        "subchannels": system.shape[2],
        "up_band": system.uplink.bandwidth,
        "down_band": system.downlink.bandwidth,
        "up_noise": system.uplink.noise,
        "down_noise": system.downlink.noise,
    }


def of_decisions(system: System, form: Form, decisions: Decisions) -> float:
    """(21) at a point whose users have a subchannel or none."""
    users, subchannels = range(system.shape[1]), range(system.shape[2])
    beta, power = [], []
    for channel, own in (
        (decisions.up, decisions.up_power),
        (decisions.down, decisions.down_power),
    ):
        beta.append([[float(channel[i] == m) for m in subchannels] for i in users])
        power.append([[float(own[i])] * len(subchannels) for i in users])
    return objective(
        plain(system),
        decisions.cut.tolist(),
        (beta[0], beta[1]),
        (power[0], power[1]),
        decisions.edge_units.tolist(),
        form.silent,
        form.oma,
    )


def draw_system(
    seed: int,
    access_points: int = 2,
    users: int = 5,
    subchannels: int = 3,
    layers: int = 3,
    ties: bool = False,
    **changed: Any,
) -> System:
    """Data around those of the paper; `ties`: gains of few values, so that many are the same."""
    draw = np.random.default_rng(seed)
    home = draw.integers(0, access_points, users)
    shape = (access_points, users, subchannels)

    def gain() -> np.ndarray:
        if ties:
            return draw.choice([1e-12, 3e-12, 1e-11], shape)
        near = np.where(np.arange(access_points)[:, None] == home, -10.0, -12.0)
        return 10.0 ** (near[:, :, None] + draw.uniform(-1.0, 1.0, shape))

    def link(way: Way, least: float, most: float) -> Link:
        own: Data = {"gain": gain(), "bandwidth": 4e4 * subchannels, "noise": 1.592e-16}
        own |= {"power_min": least, "power_max": most}
        own |= changed.get(way.value, {})
        return Link(way=way, home=home, **own)

    weight = 10.0 ** draw.uniform(-2.0, -0.5, users)
    parts: Data = {
        "home": home,
        "cpu": draw.uniform(0.8e9, 1.2e9, users),
        "capacitance": np.full(users, 1e-27),
        "cycles_per_flop": np.ones(users),
        "time_weight": 1.0 - weight,
        "energy_weight": weight,
        "layer_work": 10.0 ** draw.uniform(7.0, 8.5, (users, layers)),
        "cut_size": 10.0 ** draw.uniform(3.0, 6.0, (users, layers + 1)),
        "result_size": 10.0 ** draw.uniform(2.0, 3.0, users),
        "unit_speed": draw.uniform(0.8e9, 1.2e9, access_points),
        "edge_capacitance": np.full(access_points, 1e-29),
        "edge_cycles_per_flop": np.ones(access_points),
        "edge_units_min": 1.0,
        "edge_units_max": 32.0,
        "edge_exponent": 0.9,
        "users_per_subchannel_max": 3,
        "uplink": link(Way.UP, 1e-3, 0.3162),
        "downlink": link(Way.DOWN, 1e-2, 1.0),
    }
    parts |= {
        name: value
        for name, value in changed.items()
        if name in parts and not name.endswith("link")
    }
    return System(**parts)


def draw_decisions(system: System, seed: int, form: Form = BASE) -> Decisions:
    """A random point that keeps all but perhaps K."""
    draw = np.random.default_rng(seed)
    _, users, subchannels = system.shape
    cut = draw.integers(0, system.layers + 1, users)
    cut = np.full(users, cut[0] if users else 0) if form.common else cut
    active = ~((cut == system.layers) & form.silent)
    found = {}
    for name, link in (("up", system.uplink), ("down", system.downlink)):
        channel = draw.integers(0, subchannels, users)
        power = draw.uniform(link.power_min, link.power_max, users)
        found[name] = np.where(active, channel, -1)
        found[f"{name}_power"] = np.where(active, power, 0.0)
    units = draw.uniform(system.edge_units_min, system.edge_units_max, users)
    return Decisions(cut=cut, edge_units=units, **found)


def model_data(system: System) -> dict[str, Any]:
    """A system as the data of `noma.mec` and `noma_relaxed.mec`."""
    access_points, users, subchannels = system.shape
    numbers: Data = {
        "access_point_count": access_points,
        "user_count": users,
        "subchannel_count": subchannels,
        "layer_count": system.layers,
        "users_per_subchannel_max": system.users_per_subchannel_max,
        "edge_units_min": system.edge_units_min,
        "edge_units_max": system.edge_units_max,
        "edge_exponent": system.edge_exponent,
    }
    for link in system.links:
        for name in ("bandwidth", "noise", "power_min", "power_max"):
            numbers[f"{link.way.value}_{name}"] = getattr(link, name)
        numbers[link.way.value] = {"gain": link.gain.tolist()}
    of_users = ("cpu", "capacitance", "cycles_per_flop", "time_weight", "energy_weight")
    user = {name: getattr(system, name).tolist() for name in (*of_users, "layer_work", "cut_size")}
    numbers["user"] = user | {
        "home": (system.home + 1).tolist(),
        "result_size": system.result_size.tolist(),
    }
    numbers["access_point"] = {
        "unit_speed": system.unit_speed.tolist(),
        "capacitance": system.edge_capacitance.tolist(),
        "cycles_per_flop": system.edge_cycles_per_flop.tolist(),
    }
    return numbers


def model_values(system: System, decisions: Decisions) -> dict[str, np.ndarray]:
    """A point as values of the variable families of `noma.mec`."""
    layers, subchannels = np.arange(system.layers + 1), np.arange(system.shape[2])
    return {
        "user.cut": (decisions.cut[:, None] == layers).astype(float),
        "user.edge_units": decisions.edge_units,
        "user.uplink_assigned": (decisions.up[:, None] == subchannels).astype(float),
        "user.downlink_assigned": (decisions.down[:, None] == subchannels).astype(float),
        "user.uplink_power": decisions.up_power,
        "user.downlink_power": decisions.down_power,
    }
