"""Backends as text."""

from collections.abc import Sequence

from mecdsl.backend import Backend
from mecdsl.output.text.layout import paragraph


def backends_text(backends: Sequence[Backend]) -> str:
    """What each can, whether it is there, which version, and why not."""
    return "\n".join(line for backend in backends for line in _lines(backend))


def _lines(backend: Backend) -> list[str]:
    there, can = backend.availability(), backend.capabilities
    versions = ", ".join(f"{name} {version}" for name, version in there.versions.items())
    lacking = "; ".join(part for part in (there.reason, there.fix) if part)
    missing = "" if there.available else "  NOT AVAILABLE"
    classes = ", ".join(sorted(kind.value for kind in can.classes))
    solves = f"model {', '.join(can.models)}" if can.models else classes
    return [
        paragraph(f"{backend.name}: {can.title}{missing}", further=4),
        paragraph(f"gives: {can.guarantee.value}; {versions or lacking}", 4, 4),
        paragraph(f"solves: {solves}", 4, 4),
        *([paragraph("--starts NUMBER: of that many starts the best", 4, 4)] if can.starts else []),
        *(paragraph(f"--option {name}=...: {meaning}", 4, 4) for name, meaning in can.options),
    ]
