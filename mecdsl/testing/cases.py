"""The conformance cases: small models with a known answer, derived at the top of each `.mec`
file.
"""

import math

from mecdsl.model.classes import ProblemClass
from mecdsl.testing.case import Case, infeasible, optimal, unbounded

LP, MILP = ProblemClass.LP, ProblemClass.MILP
QP, MIQP = ProblemClass.QP, ProblemClass.MIQP
NONCONVEX_QP, NONCONVEX_MIQP = ProblemClass.NONCONVEX_QP, ProblemClass.NONCONVEX_MIQP
QCP, MIQCP = ProblemClass.QCP, ProblemClass.MIQCP
NONCONVEX_QCP, NONCONVEX_MIQCP = ProblemClass.NONCONVEX_QCP, ProblemClass.NONCONVEX_MIQCP
NLP, MINLP = ProblemClass.NLP, ProblemClass.MINLP

_LINEAR = (
    optimal(
        "split_load", LP, 0.038, {"local": 4e6, "remote": 6e6}, "cheap bits first, then the rest"
    ),
    optimal("double_sided", LP, 7, {"x": 1, "y": 3}, "upper side of a double row plus a bound"),
    optimal("double_sided", LP, 1, {"x": 1, "y": 0}, "lower side of a double row", form="cheapest"),
    optimal("equality_system", LP, -7, {"x": 3, "y": -1}, "the equations have one solution"),
    optimal(
        "equality_system",
        LP,
        -7,
        {"x": 3, "y": -1},
        "a third equation agrees",
        "redundant",
        form="redundant",
    ),
    infeasible(
        "equality_system", LP, "a third equation disagrees", "redundant", form="contradictory"
    ),
    optimal(
        "negative_bounds", LP, -11, {"x": -5, "y": -3}, "each variable at its bound", "no rows"
    ),
    optimal(
        "tie_continuous",
        LP,
        1,
        None,
        "objective parallel to a row",
        "tie",
        point={"x": 0.25, "y": 0.75},
    ),
    infeasible("infeasible_demand", LP, "the limits add up to 7, 8 are asked for"),
    infeasible("crossed_bounds", LP, "lower bound 3 above upper bound 2"),
    unbounded(
        "unbounded_rate", LP, {"up": 0, "down": 0}, {"up": 2e6, "down": 1e6}, "the ray (2, 1)"
    ),
    optimal("constant_objective", LP, 13, {"t": 3}, "7 J + 2 W * 3 s"),
    optimal("duplicated_terms", LP, 17, {"x": 1, "y": 8}, "terms of the same variable add up"),
    optimal(
        "empty_family",
        LP,
        5,
        {"spare": 5, "device.load": ()},
        "empty sums are 0, empty families no rows",
    ),
    optimal(
        "empty_family",
        LP,
        -1,
        {"spare": 3, "device.load": (1, 1)},
        "both loads at least 1",
        form="two",
    ),
    optimal(
        "empty_model", LP, 3, {"device.load": ()}, "the constant is all there is", "no columns"
    ),
    optimal("constant_rows", LP, 2, {"t": 2}, "a true row without variables does nothing"),
    infeasible("constant_rows", LP, "a false row without variables", form="overloaded"),
    infeasible("constant_rows", LP, "0 >= 1 after the variable cancels", form="cancelled"),
    optimal(
        "battery",
        LP,
        23,
        {"level": (5, 5, 0), "used": (1, 1, 5)},
        "full battery before the best slot",
    ),
    optimal(
        "ragged_layers",
        LP,
        28e6,
        {"layer.kept": (1e6, 4e6, 2e6, 1e6, 0, 2e6)},
        "each device: greedy by weight",
    ),
    optimal(
        "sparse_where", LP, 42e6, {"device.load": (2e6, 10e6, 10e6, 10e6)}, "one pair of neighbours"
    ),
    optimal(
        "max_flow", LP, 5e6, {"wire.flow": (3e6, 2e6, 1e6, 2e6, 3e6)}, "a cut of the same capacity"
    ),
    optimal("fixed_variables", LP, 4, {"x": 4, "y": 1.5}, "6/1.5", "fixed", form="one_fixed"),
    optimal(
        "fixed_variables",
        LP,
        5,
        {"x": 5, "y": 2},
        "the fixed point, 10 >= 6",
        "fixed",
        "no columns",
        form="all_fixed",
    ),
    infeasible(
        "fixed_variables",
        LP,
        "the fixed point breaks 2 >= 6",
        "fixed",
        "no columns",
        form="badly_fixed",
    ),
    optimal("pinned_bounds", LP, 3, {"x": 3, "y": 2}, "5 minus the pinned 2"),
    optimal(
        "tiny_gains",
        LP,
        100 / 3,
        {"station.power": (0, 100 / 3)},
        "1e-10 W / 3e-12 by the better station",
        "scaling",
    ),
    optimal(
        "single_node",
        LP,
        2.5e9,
        {"server.busy": 1, "device.offloaded": 2.5e9},
        "10 Gcycle/s for 0.25 s",
    ),
    optimal("mixed_units", LP, 4e5 / 3, {"amount": 4e5 / 3}, "20 ms / 150 ns per bit"),
    optimal(
        "assignment",
        LP,
        5e-3,
        {"x": (0, 1, 0, 1, 0, 0, 0, 0, 1)},
        "corners are permutations",
        form="relaxed",
    ),
    optimal(
        "knapsack",
        LP,
        24,
        {"service.kept": (1, 1, 2 / 3)},
        "greedy by value per size",
        form="relaxed",
    ),
    optimal(
        "parity", LP, 1.75, {"x": 0, "y": 1.75}, "the integer problem has no point", form="relaxed"
    ),
    optimal(
        "large_integer",
        LP,
        1e6 + 1 / 3,
        {"x": 1e6 + 1 / 3, "y": 5e5 - 1 / 3},
        "3000001/3",
        form="relaxed",
    ),
    optimal(
        "activation",
        LP,
        14,
        {"server.on": (0.7, 0), "server.load": (7, 0)},
        "2 W against 3.2 W per task/s",
        form="relaxed",
    ),
    optimal(
        "learning",
        LP,
        2.2,
        {"updates": 2.2, "learner.batch": (5, 5)},
        "27/5 = 2 tau + 1",
        "fixed",
        form="equal",
    ),
)

_INTEGER = (
    optimal(
        "assignment", MILP, 5e-3, {"x": (0, 1, 0, 1, 0, 0, 0, 0, 1)}, "best of six permutations"
    ),
    optimal("knapsack", MILP, 22, {"service.kept": (0, 1, 1)}, "best of eight subsets"),
    infeasible("parity", MILP, "an even number is never 7"),
    unbounded("unbounded_integer", MILP, {"x": 3, "y": 1}, {"x": 1, "y": 0}, "x grows alone"),
    optimal("large_integer", MILP, 1e6, {"x": 1e6, "y": 5e5}, "3000001/3 rounded down"),
    optimal(
        "placement",
        MILP,
        9e-3,
        {"service.at": (1, 0, 0, 1, 1, 0)},
        "the fastest places are too small",
    ),
    optimal(
        "offload_links", MILP, 7e-3, {"uplink.used": (0, 1, 1, 0, 1)}, "best of the three choices"
    ),
    optimal("tie_binary", MILP, 2, None, "any two of three", "tie", point={"on": (1, 1, 0)}),
    optimal(
        "fractional_bounds", MILP, 5, {"x": 3, "y": -2}, "the integers within the bounds", "no rows"
    ),
    optimal("network_cut", MILP, 1.125, {"at": (0, 0, 1, 0)}, "best of four cuts"),
    optimal(
        "fast_links",
        MILP,
        20,
        {"device.pace": (1e-7, 2e-7), "at": (1, 0, 0, 1)},
        "best of two assignments",
        "scaling",
    ),
    optimal(
        "activation", MILP, 17, {"server.on": (1, 0), "server.load": (7, 0)}, "one server is enough"
    ),
)

_QUADRATIC = (
    optimal("projection", QP, 0.5, {"x": 0.5, "y": 1.5}, "foot of a perpendicular"),
    optimal(
        "concave_price", QP, 4.25, {"x": 2, "y": 0.5}, "completed squares, maximised", "no rows"
    ),
    optimal(
        "concave_price", QP, 3.75, {"x": 1.5, "y": 0}, "equal slopes at the cap", form="capped"
    ),
    optimal(
        "repeated_products", QP, -6, {"x": 1, "y": 1}, "slopes vanish, positive definite", "no rows"
    ),
    optimal(
        "singular_square", QP, 0, {"x": 0, "y": 2}, "a sum of terms >= 0 that vanishes", "no rows"
    ),
    unbounded(
        "unbounded_square", QP, {"x": 0, "y": 1}, {"x": 0, "y": 1}, "the square does not hold y"
    ),
    optimal(
        "integer_squares", MIQP, 0.65, {"x": 2, "y": 3}, "neighbours of the real optimum", "no rows"
    ),
    optimal("bilinear_box", NONCONVEX_QP, -8, {"x": 0, "y": 4}, "best of four corners", "no rows"),
    optimal(
        "farthest_corner", NONCONVEX_QP, 13, {"x": 2, "y": -3}, "best of four corners", "no rows"
    ),
    optimal(
        "pair_selection", NONCONVEX_MIQP, 5, {"device.chosen": (0, 1, 1, 0)}, "best of six pairs"
    ),
    optimal("disc", QCP, 2, {"x": 1, "y": 1}, "Cauchy and Schwarz"),
    infeasible("two_discs", QCP, "4 km apart, radii 1 km and 2 km"),
    optimal("lattice_disc", MIQCP, 18, {"x": 4, "y": 3}, "best y for each x"),
    optimal("outside_disc", NONCONVEX_QCP, 2, {"x": 2, "y": 0}, "below 2 the point is inside"),
    optimal("rectangle", NONCONVEX_QCP, 12, {"x": 3, "y": 2}, "arithmetic and geometric mean"),
    optimal("fixed_variables", NONCONVEX_QCP, 3, {"x": 3, "y": 2}, "6 over the largest y"),
    optimal(
        "learning",
        NONCONVEX_QCP,
        3.65,
        {"updates": 3.65, "learner.batch": (28 / 4.15, 13.5 / 4.15)},
        "41.5/(tau + 0.5) = 10",
        form="relaxed",
    ),
    optimal(
        "learning",
        NONCONVEX_MIQCP,
        3,
        {"updates": 3},
        "8 + 3 samples fit at 3 updates, 6 + 3 at 4",
        "tie",
        point={"learner.batch": (8, 2)},
    ),
    optimal(
        "congested_links",
        NONCONVEX_QCP,
        10,
        {"channel.pace": (2e-7, 2e-7), "channel.share": (5e7, 5e7), "span": 10},
        "the larger half at its pace",
        "scaling",
    ),
    optimal(
        "pace",
        NONCONVEX_MIQCP,
        20,
        {"span": 20},
        "4 Mbit at 200 kbit/s, however shared",
        "tie",
        "scaling",
        point={"server.pace": (1e-5, 1e-5), "server.speed": (1e5, 1e5), "at": (1, 0, 1, 0, 0, 1)},
    ),
)

_NONLINEAR = (
    optimal(
        "share_link",
        NLP,
        5 * math.log(2) + 3 * math.log(6),
        {"device.bandwidth": (2e6, 4e6, 6e6)},
        "shares in proportion to the weights",
        "convex",
    ),
    optimal(
        "dvfs", NLP, 12, {"job.speed": (2e9, 2e9)}, "one speed for all jobs", "convex", "scaling"
    ),
    optimal(
        "exponential_trade",
        NLP,
        2 - 2 * math.log(2),
        {"x": math.log(2)},
        "slope vanishes",
        "convex",
        "no rows",
    ),
    optimal("root_split", NLP, 25, {"x": 9, "y": 16}, "Cauchy and Schwarz", "convex"),
    optimal("power_law", NLP, -4, {"x": 4}, "slope vanishes", "convex", "no rows"),
    optimal(
        "perspective_time", NLP, 2 * math.log(3), {"device.active": (0.5, 1.5)}, "Jensen", "convex"
    ),
    optimal(
        "perspective_time",
        NLP,
        2 * math.log(3),
        {"device.active": (0.5, 1.5)},
        "Jensen",
        "convex",
        form="written_out",
    ),
    optimal(
        "processor_share",
        NLP,
        3,
        {"job.speed": (2e9, 4e9, 6e9)},
        "the square root rule",
        "convex",
        "scaling",
    ),
    optimal(
        "transmit_power",
        NLP,
        0.26,
        {"device.power": (0.12, 0.14)},
        "each rate inverted",
        "convex",
        "scaling",
    ),
    optimal(
        "transmit_power",
        NLP,
        0.26,
        {"device.power": (0.12, 0.14)},
        "each rate inverted",
        "convex",
        "scaling",
        form="written_out",
    ),
    optimal(
        "cubic_valley",
        NLP,
        -8.125,
        {"x": -2.5},
        "best of ends and flat places",
        "nonconvex",
        "no rows",
    ),
    optimal(
        "trilinear",
        NLP,
        -4,
        None,
        "best of eight corners",
        "nonconvex",
        "no rows",
        "tie",
        point={"x": (-1, 2, 2)},
    ),
    optimal(
        "cube_gap",
        NLP,
        20 ** (1 / 3),
        {"n": 20 ** (1 / 3)},
        "the cube root of 20",
        "nonconvex",
        form="relaxed",
    ),
    infeasible("root_infeasible", NLP, "the root is at most sqrt(8)", "convex"),
    unbounded(
        "unbounded_logarithm",
        NLP,
        {"x": 1},
        {"x": 1},
        "ln has no largest value",
        "convex",
        "no rows",
    ),
    optimal(
        "makespan", NLP, 2, {"server.load": (4, 8)}, "both end together", "convex", "nonsmooth"
    ),
    optimal("absolute_value", NLP, 5, {"x": 4}, "the median", "convex", "nonsmooth", "no rows"),
    optimal(
        "replicas",
        MINLP,
        math.log(0.99 * 0.992),
        {"service.copies": (2, 3)},
        "best of four splits of 5",
        "convex",
    ),
    optimal(
        "replicas",
        MINLP,
        0.99 * 0.992,
        {"service.copies": (2, 3)},
        "best of four splits of 5",
        "convex",
        form="product",
    ),
    optimal(
        "batch_size", MINLP, 11, {"batch": 4}, "convex, and 4 beats 3 and 5", "convex", "no rows"
    ),
    optimal(
        "mixed_exponential",
        MINLP,
        1.4 + math.log(2),
        {"n": 2, "x": math.log(2)},
        "closed form for each n",
        "nonconvex",
        "no rows",
    ),
    infeasible("cube_gap", MINLP, "no cube between 20 and 26", "nonconvex"),
)

CASES: tuple[Case, ...] = (*_LINEAR, *_INTEGER, *_QUADRATIC, *_NONLINEAR)
