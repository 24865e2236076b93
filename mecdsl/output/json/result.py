"""A result as plain data."""

from collections.abc import Mapping
from typing import Any

from mecdsl.analysis.member_units import multiplier_unit
from mecdsl.instances.instance import nested
from mecdsl.instances.reformulations import reformulations
from mecdsl.instances.tables import FloatArray
from mecdsl.output.json.game import equilibrium_json
from mecdsl.output.json.kkt import kkt_json
from mecdsl.output.json.plain import plain, whole
from mecdsl.output.json.reformulation import reformulation_json
from mecdsl.output.json.spread import spread_json
from mecdsl.output.json.trace import trace_json
from mecdsl.parsing.syntax import Kind
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee


def result_json(result: Result, trace: bool = False) -> dict[str, Any]:
    """Everything as plain data: SI numbers, full precision, units named; with `trace` the steps of
    the method too.
    """
    steps = {"trace": trace_json(result)} if trace else {}
    return {**_claims(result), **_numbers(result), **_circumstances(result), **steps}


def _claims(result: Result) -> dict[str, Any]:
    """What was asked for, and what the answer is."""
    model = result.instance.model
    return {
        "model": model.name,
        "form": model.form or "base",
        "relaxed": result.relaxed,
        "backend": result.backend,
        "label": result.solution.label,
        "choice": result.choice,
        "termination": result.termination.value,
        "guarantee": result.worth,
        "verified": result.verified,
        "faults": list(result.faults),
        "message": result.solution.message,
        "notes": list(result.notes),
        "objective": {
            "name": model.objective.name,
            "value": plain(result.objective),
            "unit": result.unit(model.objective.name),
            "sense": model.objective.sense,
            "player": model.objective.player or None,
            "claimed": plain(result.solution.objective),
        },
        "proven": _proven(result),
    }


def _numbers(result: Result) -> dict[str, Any]:
    """The bound, the residuals, the values."""
    return {
        "bound": plain(result.bound),
        "bound_by": result.bound_by,
        "gap": plain(result.gap),
        "gap_with_offset": plain(result.size.plain(result.objective, result.bound)),
        "objective_offset": plain(result.size.offset),
        "max_violation": plain(result.max_violation),
        "violations": {v.family: plain(v.amount) for v in result.violations},
        "violation_details": {
            v.family: {
                "unit": v.unit,
                "member": v.member,
                "allowed": plain(v.allowed),
                "relative": plain(v.relative),
                "accepted": v.accepted,
            }
            for v in result.violations
        },
        "values": _nested(result, result.values),
        "units": {name: result.unit(name) for name in (*result.values, *result.reports)},
        "reports": _nested(result, result.reports),
    }


def _circumstances(result: Result) -> dict[str, Any]:
    """What speaks for the answer, and how it came about."""
    return {
        "certificate": {name: plain(value) for name, value in result.solution.certificate.items()},
        "multipliers": {
            name: [plain(v) for v in (values + 0.0).tolist()]
            for name, values in result.solution.multipliers.items()
        },
        "multiplier_units": {
            family.name: multiplier_unit(result.instance, family.constraint)
            for family in result.instance.constraints
            if family.name in result.solution.multipliers
        },
        "kkt": kkt_json(result.kkt),
        "equilibrium": equilibrium_json(result),
        "original": _original(result),
        "linearized": [reformulation_json(one) for one in reformulations(result.instance)],
        "iterations": len(result.solution.iterations),
        "starts": spread_json(result.solution.spread),
        "seconds": dict(result.seconds),
        "seed": result.instance.seed,
        "versions": dict(result.solution.versions),
    }


def _proven(result: Result) -> dict[str, Any]:
    """What is proven, and by whom: None where nothing is."""
    known = {
        "optimum": result.guarantee is Guarantee.GLOBAL,
        "bound": result.bound is not None,
        "infeasible": result.guarantee is Guarantee.INFEASIBLE,
        "unbounded": result.guarantee is Guarantee.UNBOUNDED,
    }
    return {**known, "by": (result.bound_by or result.backend) if any(known.values()) else None}


def _nested(result: Result, values: Mapping[str, FloatArray]) -> dict[str, Any]:
    symbols = result.instance.world.symbols
    found: dict[str, Any] = {}
    for name, flat in values.items():
        symbol = result.instance.model.symbols[name]
        integral = symbol.kind is Kind.VAR and symbol.domain.value != "real"
        convert = whole if integral else plain
        found[name] = nested(flat, symbols[name].levels, convert)
    return found


def _original(result: Result) -> dict[str, Any] | None:
    if result.original is None:
        return None
    return {
        "objective": plain(result.original.objective),
        "kept": result.original.kept,
        "violations": {v.family: plain(v.amount) for v in result.original.violations},
    }
