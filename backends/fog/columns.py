"""A plan for fog nodes as values of the variables of the shipped model, and its prices as
multipliers of its rows.
"""

import numpy as np

from mecdsl.backends.fog.internal import fixed
from mecdsl.backends.fog.recognise import Recognised
from mecdsl.backends.fog.system import Plan, Reals


def columns(found: Recognised, plan: Plan) -> dict[str, Reals] | None:
    """A plan as values by variable family; None where the plan has no point."""
    if plan.rows is None or plan.layer_time is None or plan.compute_time is None:
        return None
    assert plan.distribution_time is not None
    assert plan.distribution_energy is not None
    links = [plan.up_time, plan.down_time, plan.up_energy, plan.down_energy]
    up_time, down_time, up_energy, down_energy = (np.asarray(values) for values in links)
    to, of_links = found.layout.receiver, found.layout.of_links
    link_time, link_energy = of_links(up_time, down_time), of_links(up_energy, down_energy)
    parts = {
        "fog_node.rows": plan.rows,
        "layer_pack.time": plan.layer_time,
        "fog_node.compute_time": _compute_time(plan, up_time, down_time),
        "distribution.time": plan.distribution_time[to],
        "neighbour.time": link_time,
        "distribution.radio_energy": plan.distribution_energy[to],
        "neighbour.radio_energy": link_energy,
    }
    if found.powers:
        parts["distribution.transmit_power"] = (
            plan.distribution_energy[to] / plan.distribution_time[to]
        )
        parts["neighbour.transmit_power"] = _per(link_energy, link_time)
    return parts


def _per(amount: Reals, per: Reals) -> Reals:
    """The quotient, 0 where nothing is sent."""
    result: Reals = np.divide(amount, per, out=np.zeros(amount.shape), where=per > 0.0)
    return result


def _compute_time(plan: Plan, up_time: Reals, down_time: Reals) -> Reals:
    """Computing times; a node without rows gets the time that is left, since 0/0 is no number in
    the model's text.
    """
    assert plan.compute_time is not None
    assert plan.layer_time is not None
    idle = plan.compute_time <= 0.0
    left = plan.layer_time - np.nan_to_num(up_time) - np.nan_to_num(down_time)
    least = 1e-9 * np.maximum(plan.layer_time, plan.layer_time.max() * 1e-9)
    return np.where(idle, np.maximum(left, least), plan.compute_time)


def multipliers(found: Recognised, plan: Plan) -> dict[str, Reals]:
    """Derivatives of the optimal energy for the right-hand sides of the shipped rows, by family;
    empty without prices.

    theta of (10), (19) in J/nat is s e^x/B below the power limit and (p + C)/(B x) at it, C the
    circuit power plus phi or beta; nu of (27), (30) = theta B e^(-x)/s - 1 and gamma of (16) =
    (beta - 2 kappa v^3)/v are 0 below the limit. The prices decide which limit holds: a barrier
    method stays a little below all of them. Below it the point's own x is taken and not x(C): theta
    then suits a power far smaller than the others, however flat the energy is there. A layer
    without columns has nothing to send, and its rates are worth nothing.
    """
    if plan.beta is None or plan.phi is None:
        return {}
    system, layout = found.system, found.layout
    limits = fixed(system)
    of_links, to = layout.of_links, layout.receiver
    price = np.broadcast_to(plan.beta + system.circuit_power[:, None], system.link_scale.shape)
    x = np.nan_to_num(np.stack([np.asarray(plan.x_up), np.asarray(plan.x_down)]))
    both = _rate_prices(
        price, x, system.link_scale, system.link_most, limits.links, system.bandwidth
    )
    theta, nu = (of_links(*np.where(system.link_nats > 0.0, values, 0.0)) for values in both)
    send_price = np.full(system.shape[0], system.circuit_power[system.master] + plan.phi)
    x = np.nan_to_num(np.asarray(plan.x_frd))
    both = _rate_prices(
        send_price, x, system.send_scale, system.send_most, limits.sends, system.bandwidth
    )
    send_theta, send_nu = (values[to] for values in both)
    if found.powers:  # p <= p^max is (27), (30) divided by the time
        send_nu = send_nu * np.asarray(plan.distribution_time)[to]
        nu = nu * of_links(np.asarray(plan.up_time), np.asarray(plan.down_time))
    own: dict[str, Reals] = {
        "distribution_rate": -send_theta,
        "cpu_limit": -np.maximum(plan.beta - limits.cycles, 0.0) / system.cpu_max[:, None],
        "exchange_rate": -theta,
        "layer_deadline": -plan.beta,
        "deadline": np.array([-plan.phi]),
        "distribution_power": -send_nu,
        "exchange_power": -nu,
    }
    if plan.lam is not None:
        own["all_rows"] = np.array([plan.lam])
    return own


def _rate_prices(
    price: Reals, x: Reals, scale: Reals, most: Reals, full: Reals, bandwidth: float
) -> tuple[Reals, Reals]:
    """theta of a rate in J/nat and nu of its power limit, for prices C in W, `full` at the limit,
    and the point's x.
    """
    below = price <= full
    at_most = scale * np.expm1(most) + price
    theta = np.where(below, scale * np.exp(x) / bandwidth, at_most / (bandwidth * most))
    nu: Reals = np.where(
        below, 0.0, np.maximum(theta * bandwidth * np.exp(-most) / scale - 1.0, 0.0)
    )
    return theta, nu
