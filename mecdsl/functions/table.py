"""The table: every function of the language by its name."""

from collections.abc import Mapping
from typing import Final

from mecdsl.functions import angles, pieces, powers, quotients, sigmoids, spelled
from mecdsl.functions.function import Several, Spelled, Univariate

TABLE: Final[Mapping[str, Univariate | Several]] = {
    row.name: row
    for row in (*powers.ROWS, *pieces.ROWS, *quotients.ROWS, *angles.ROWS, *sigmoids.ROWS)
}
"""Functions with a value of their own, by the name they are called by after checking."""

SPELLED: Final[Mapping[str, Spelled]] = {row.name: row for row in spelled.ROWS}
"""Functions that checking writes out."""

NAMES: Final[Mapping[str, str]] = {
    name: row.name for row in (*TABLE.values(), *SPELLED.values()) for name in (row.name, *row.also)
}
"""Every name that may be called, and the row it means."""

MISTAKEN: Final[Mapping[str, str]] = {
    name: row.name for row in (*TABLE.values(), *SPELLED.values()) for name in row.mistaken
}
"""Names of other languages."""

UNIVARIATE: Final[Mapping[str, Univariate]] = {
    name: row for name, row in TABLE.items() if isinstance(row, Univariate)
}

SEVERAL: Final[Mapping[str, Several]] = {
    name: row for name, row in TABLE.items() if isinstance(row, Several)
}
