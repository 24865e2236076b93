"""Short ways to write what is made of other functions."""

from typing import Final

from mecdsl.functions.function import Spelled

ROWS: Final = (
    Spelled(
        name="rate",
        parameters=("power", "gain", "bandwidth", "noise_density"),
        text="bandwidth * log2(1 + power*gain/(noise_density*bandwidth)) * 1 bit",
    ),
    Spelled(
        name="sinr_rate",
        parameters=("signal", "interference", "noise", "bandwidth"),
        text="bandwidth * log2(1 + signal/(interference + noise)) * 1 bit",
    ),
    Spelled(name="relu", parameters=("x",), text="max(x, 0)", also=("pos",)),
    Spelled(name="hypot", parameters=("x", "y"), text="sqrt(x^2 + y^2)"),
    Spelled(
        name="norm",
        parameters=("x",),
        text="sqrt(sum(x^2 for i in I))",
        family=True,
        mistaken=("norm2",),
    ),
    Spelled(
        name="logsumexp",
        parameters=("x",),
        text="ln(sum(exp(x) for i in I))",
        family=True,
        mistaken=("log_sum_exp", "lse"),
    ),
)
