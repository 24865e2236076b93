"""Random small models as text, with points known to be feasible: food for `test_labels`.

Every variable `x` is used as `u = x/scale`, a number of size one, so that formulas fit whatever the
units are. The same formulas are evaluated by NumPy, apart from the project's own evaluator.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mecdsl.instances.tables import FloatArray

UNITS: Final = {"1": 1.0, "ms": 1e-3, "GHz": 1e9, "nJ": 1e-9, "Mbit": 1e6}
FUNCTIONS: Final = {
    "exp": np.exp,
    "ln": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "max": np.maximum,
    "perspective": lambda t, e: t * np.log1p(e / t),
    "quad_over_lin": lambda x, y: x**2 / y,
}
TERMS: Final = {
    "linear": ("{c}*{u}", "-{c}*{u}"),
    "quadratic": ("{c}*{u}^2", "{c}*({u} - {c}*{v} + 1)^2", "-{c}*{u}"),
    "bilinear": ("{c}*{u}*{v}", "-{c}*{u}*{v}", "{c}*{u}"),
    "convex": (
        "{c}*exp(-{u})",
        "-{c}*ln(1 + {p})",
        "-{c}*sqrt({p})",
        "{c}/({p} + 0.1)",
        "{c}*{p}^1.5",
        "-{c}*{u}",
    ),
    "cone": (
        "{c}*quad_over_lin({u}, {p})",
        "{c}*{p}^3/({q} + 1)^2",
        "-{c}*perspective({p}, {q})",
        "{c}*{u}",
    ),
    "poles": (
        "{c}/{p}",
        "-{c}*{p}/{q}",
        "{c}*ln({p})",
        "-{c}*ln({p})",
        "-{c}*{p}^3/{q}^2",
        "{c}*quad_over_lin({p}, {q})",
    ),
    "nonsmooth": ("{c}*abs({u} - 1)", "{c}*max({u}, {v})", "-{c}*abs({u})", "{c}*{u}"),
}
POINTS: Final = 5000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RandomModel:
    """A model in text; `lower`, `upper`, `integral`: of the numbers u; `rows`: formula, relation,
    right-hand side.
    """

    text: str
    lower: FloatArray
    upper: FloatArray
    integral: np.ndarray
    scale: FloatArray
    objective: str
    maximize: bool
    rows: tuple[tuple[str, str, float], ...]

    def evaluate(self, formula: str, points: FloatArray) -> FloatArray:
        """A formula at points, float64[n, columns]."""
        names: dict[str, Any] = {f"u{i}": column for i, column in enumerate(points.T)}
        with np.errstate(all="ignore"):
            found = eval(formula.replace("^", "**"), dict(FUNCTIONS), names)
        return np.broadcast_to(np.asarray(found, dtype=np.float64), len(points))

    def best_point(self, seed: int) -> tuple[FloatArray, float] | None:
        """The best of many random points (all of them where there are few) that keeps every row,
        and its objective.
        """
        points = self._points(np.random.default_rng(seed))
        values = self.evaluate(self.objective, points)
        kept = np.isfinite(values)
        for formula, relation, bound in self.rows:
            found = self.evaluate(formula, points)
            kept &= np.isfinite(found) & (found <= bound if relation == "<=" else found >= bound)
        if not kept.any():
            return None
        points, values = points[kept], values[kept]
        best = int(np.argmax(values) if self.maximize else np.argmin(values))
        return points[best] * self.scale, float(values[best])

    def _points(self, generator: np.random.Generator) -> FloatArray:
        columns = []
        for low, high, integral in zip(self.lower, self.upper, self.integral, strict=True):
            end = min(high, low + 8.0)
            if integral:
                columns.append(np.arange(math.ceil(low), math.floor(end) + 1.0))
            else:
                columns.append(np.concatenate([[low, end], generator.uniform(low, end, POINTS)]))
        if math.prod(len(column) for column in columns) <= POINTS:
            return np.array(list(itertools.product(*columns)))
        return np.column_stack([generator.choice(column, POINTS) for column in columns])


def quantity(value: float, unit: str) -> str:
    return f"{float(value)!r}{'' if unit == '1' else ' ' + unit}"


def random_model(seed: int) -> RandomModel:
    """The model of a seed."""
    generator = np.random.default_rng(seed)

    def pick(*items: Any) -> Any:
        return items[int(generator.integers(len(items)))]

    count = int(generator.integers(1, 5))
    kind, share = pick(*TERMS), pick(0.0, 0.4, 1.0)
    lines = ["model random"]
    lower, upper, integral, scale = (
        np.zeros(count),
        np.zeros(count),
        np.zeros(count, dtype=bool),
        np.ones(count),
    )
    for i in range(count):
        integral[i] = generator.random() < share
        if integral[i]:
            lower[i], upper[i] = pick((0.0, 1.0), (0.0, 1.0), (-2.0, 3.0), (0.0, 4.0))
            lines.append(f"var x{i} : integer >= {lower[i]:g} <= {upper[i]:g}")
            lines.append(f"let u{i} : 1 = x{i}")
            continue
        lower[i], upper[i] = pick((0.0, 5.0), (0.0, math.inf), (0.5, 2.0), (0.0, 1e20), (-2.0, 3.0))
        unit, factor = pick(*UNITS), pick(1.0, 2.5, 40.0)
        scale[i] = factor * UNITS[unit]
        ends = [f" >= {quantity(lower[i] * factor, unit)}"]
        if math.isfinite(upper[i]):
            ends.append(f" <= {quantity(upper[i] * factor, unit)}")
        lines.append(f"var x{i} : {unit}{''.join(ends)}")
        lines.append(f"let u{i} : 1 = x{i}/({quantity(factor, unit)})")
    above = [f"u{i}" for i in range(count) if lower[i] >= 0.0] or ["2"]

    def term() -> str:
        form = pick(*TERMS[pick(kind, kind, "linear")])
        parts = {name: pick(*(f"u{i}" for i in range(count))) for name in "uv"} | {
            name: pick(*above) for name in "pq"
        }
        return str(form.format(c=f"{generator.uniform(0.1, 9):.2f}", **parts))

    def formula() -> str:
        return "0" + "".join(f" + ({term()})" for _ in range(int(generator.integers(1, 4))))

    rows = []
    for number in range(int(generator.integers(0, 4))):
        row = (formula(), pick("<=", "<=", ">="), float(np.round(generator.uniform(-5, 15), 1)))
        rows.append(row)
        unit = pick("1", "1 nJ", "1 Mbit")
        lines.append(f"constraint c{number}: {unit}*({row[0]}) {row[1]} ({row[2]!r})*{unit}")
    objective, maximize = formula(), bool(generator.random() < 0.4)
    lines.append(f"{'maximize' if maximize else 'minimize'} goal = {objective}")
    return RandomModel(
        text="\n".join(lines),
        lower=lower,
        upper=upper,
        integral=integral,
        scale=scale,
        objective=objective,
        maximize=maximize,
        rows=tuple(rows),
    )
