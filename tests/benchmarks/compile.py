"""Building a Pyomo model from text against writing it by hand, and evaluating it; mobile edge
learning, K learners.

    uv run python -m tests.benchmarks.compile [sizes] [--repetitions N]

Both sides start from the same Python lists, one entry per learner, and end with a complete
`ConcreteModel` under the same names: ours through parse, check, instantiate and `to_pyomo`, the
other as a competent user of Pyomo writes it (sets, constant bounds, rules, `quicksum`). Evaluating
is objective and every row at a point: our `objective` and `differences` against Pyomo's `value`.
The two take turns in one process and the best of the repetitions counts. "gc on" is how anyone runs
Python; "gc off" switches the collector off on both sides, since `to_pyomo` pauses it.
"""

import argparse
import gc
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo

import mecdsl.models
from mecdsl.compiling.check import check
from mecdsl.data_files.read import given_in_memory
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.instances.tables import FloatArray
from mecdsl.parsing.parse import parse_file
from mecdsl.pyomo_model.lower import to_pyomo

SIZES = (2_000, 20_000, 200_000)
MODEL = Path(mecdsl.models.__file__).with_name("mel.mec")

Data = Mapping[str, list[float]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Best times in s of both sides at one size."""

    learners: int
    collector: bool
    build: float
    hand_build: float
    evaluate: float
    hand_evaluate: float


def draw_data(learners: int) -> Data:
    """Processors, links and work that differ from learner to learner, SI units, one list entry per
    learner.
    """
    source = random.Random(7)
    return {
        "cpu": [source.uniform(0.5e9, 3e9) for _ in range(learners)],  # cycle/s
        "work": [source.uniform(0.5e6, 2e6) for _ in range(learners)],  # cycle/sample
        "bandwidth": [source.uniform(1e6, 1e7) for _ in range(learners)],  # Hz
        "gain": [source.uniform(1e-11, 1e-9) for _ in range(learners)],
    }


def build(data: Data) -> tuple[Instance, Any]:
    """Instance and Pyomo model from the text of the model and the data."""
    learners = len(data["cpu"])
    document = parse_file(MODEL)
    values = {
        "learner_count": learners,
        "total_samples": 6000 * learners,
        "learner": {"cpu": data["cpu"], "work": data["work"]},
        "radio": {"bandwidth": data["bandwidth"], "gain": data["gain"]},
    }
    instance = instantiate(check(document), given_in_memory(values, ["learner", "radio"]))
    return instance, to_pyomo(instance).model


def build_by_hand(data: Data) -> Any:
    """The same model as a user of Pyomo writes it."""
    learners = len(data["cpu"])
    cycle_time, total_samples = 30.0, 6000.0 * learners
    power, noise_density = 1e-3 * 10**2.3, 1e-3 * 10**-17.4
    upload_bits, model_bits = 784 * 8.0, 2 * 32 * 280440.0
    compute, transfer, overhead = {}, {}, {}
    rows = zip(data["cpu"], data["work"], data["bandwidth"], data["gain"], strict=True)
    for k, (cpu, work, bandwidth, gain) in enumerate(rows, 1):
        rate = bandwidth * math.log2(1 + power * gain / (noise_density * bandwidth))
        compute[k] = work / cpu
        transfer[k] = upload_bits / rate
        overhead[k] = model_bits / rate

    model = pyo.ConcreteModel("mel")
    model.learner = pyo.Block()
    model.learner.members = pyo.RangeSet(1, learners)
    model.learner.batch = pyo.Var(
        model.learner.members,
        domain=pyo.NonNegativeIntegers,
        initialize=6000,
        doc="samples given to this learner",
    )
    model.updates = pyo.Var(
        domain=pyo.NonNegativeIntegers, initialize=1, doc="local updates per global cycle"
    )
    model.local_updates = pyo.Objective(expr=model.updates, sense=pyo.maximize)
    batch, updates = model.learner.batch, model.updates

    def cycle(_model: Any, k: int) -> Any:
        return compute[k] * updates * batch[k] + transfer[k] * batch[k] + overhead[k] <= cycle_time

    model.cycle = pyo.Constraint(model.learner.members, rule=cycle)
    model.all_samples = pyo.Constraint(expr=pyo.quicksum(batch.values()) == total_samples)
    return model


def point(learners: int) -> FloatArray:
    """Values of all columns: batches, then updates."""
    return np.append(np.linspace(1000.0, 9000.0, learners), 7.0)


def set_point(model: Any, x: FloatArray) -> None:
    """Put a point into a Pyomo model."""
    for variable, value in zip(model.learner.batch.values(), x[:-1].tolist(), strict=True):
        variable.set_value(value, skip_validation=True)
    model.updates.set_value(float(x[-1]))


def evaluate(instance: Instance, x: FloatArray) -> tuple[float, Mapping[str, FloatArray]]:
    """Objective, and left minus right of every row."""
    return instance.objective(x), instance.differences(x)


def evaluate_pyomo(model: Any) -> tuple[float, Mapping[str, FloatArray]]:
    """Objective, and body minus bound of every row."""
    value = pyo.value
    cycle = [value(row.body) - row.ub for row in model.cycle.values()]
    samples = [value(row.body) - row.ub for row in model.all_samples.values()]
    return value(model.local_updates), {"cycle": np.array(cycle), "all_samples": np.array(samples)}


def best_times(
    actions: Sequence[Callable[[], object]], repetitions: int, collector: bool
) -> list[float]:
    """The shortest time in s of each action; the actions take turns, garbage is collected between
    them.
    """
    best = [math.inf] * len(actions)
    for _ in range(repetitions):
        for position, action in enumerate(actions):
            gc.collect()
            if not collector:
                gc.disable()
            started = time.perf_counter()
            kept = action()
            best[position] = min(best[position], time.perf_counter() - started)
            gc.enable()
            del kept
    return best


def measure(learners: int, repetitions: int, collector: bool) -> Timing:
    """Both sides at one size."""
    data = draw_data(learners)
    built = best_times([lambda: build(data), lambda: build_by_hand(data)], repetitions, collector)
    x, (instance, _), model = point(learners), build(data), build_by_hand(data)
    set_point(model, x)
    evaluated = best_times(
        [lambda: evaluate(instance, x), lambda: evaluate_pyomo(model)], repetitions, collector
    )
    return Timing(learners, collector, *built, *evaluated)


def table(timings: Sequence[Timing]) -> str:
    """The timings as text: seconds, microseconds per row and ratios (below 1: ours is faster)."""
    lines = [
        f"{'':>9} {'':>3} | {'build':^39} | {'evaluate':^39}",
        f"{'learners':>9} {'gc':>3} | {'ours s':>8} {'hand s':>8} {'ratio':>8} {'us/row':>12}"
        f" | {'ours s':>8} {'hand s':>8} {'ratio':>8} {'us/row':>12}",
    ]
    for timing in timings:
        line = f"{timing.learners:>9} {'on' if timing.collector else 'off':>3}"
        for ours, hand in (
            (timing.build, timing.hand_build),
            (timing.evaluate, timing.hand_evaluate),
        ):
            per_row = f"{1e6 * ours / timing.learners:.2f}/{1e6 * hand / timing.learners:.2f}"
            line += f" | {ours:8.4f} {hand:8.4f} {ours / hand:8.3f} {per_row:>12}"
        lines.append(line)
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of learners")
    parser.add_argument("--repetitions", type=int, default=3)
    chosen = parser.parse_args(arguments)
    best_times(
        [lambda: build(draw_data(10)), lambda: build_by_hand(draw_data(10))], 1, True
    )  # grammar, imports
    timings = [measure(n, chosen.repetitions, on) for n in chosen.sizes for on in (True, False)]
    print(table(timings))


if __name__ == "__main__":
    main()
