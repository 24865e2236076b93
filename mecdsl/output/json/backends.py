"""Backends as plain data."""

from collections.abc import Sequence
from typing import Any

from mecdsl.backend import Backend


def backends_json(backends: Sequence[Backend]) -> list[dict[str, Any]]:
    """What each can, whether it is there, which version, and why not."""
    return [_backend(backend) for backend in backends]


def _backend(backend: Backend) -> dict[str, Any]:
    there, can = backend.availability(), backend.capabilities
    return {
        "name": backend.name,
        "title": can.title,
        "available": there.available,
        "reason": there.reason,
        "fix": there.fix,
        "versions": there.versions,
        "classes": sorted(kind.value for kind in can.classes),
        "guarantee": can.guarantee.value,
        "proves": list(can.proves),
        "proves_where_convex": list(can.proves_where_convex),
        "models": list(can.models),
        "reference": can.reference,
        "options": dict(can.options),
        "time_limit": can.time_limit,
        "warm_start": can.warm_start,
        "starts": can.starts,
        "bounds": can.bounds,
        "multipliers": can.multipliers,
    }
