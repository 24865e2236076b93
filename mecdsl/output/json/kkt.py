"""The first-order conditions of an answer as plain data."""

from typing import TYPE_CHECKING, Any, Final

from mecdsl.output.json.plain import plain

if TYPE_CHECKING:
    from mecdsl.certificates.kkt import Kkt

CONDITIONS: Final = ("stationarity", "complementarity", "sign")


def kkt_json(kkt: "Kkt | None") -> dict[str, Any] | None:
    """The conditions as plain data; None where they do not apply."""
    if kkt is None:
        return None
    conditions = {name: getattr(kkt, name) for name in CONDITIONS}
    return {"accepted": kkt.accepted} | {
        name: {
            "relative": plain(condition.relative),
            "member": condition.member,
            "amount": plain(condition.amount),
            "unit": condition.unit,
        }
        for name, condition in conditions.items()
    }
