"""Where the members of the links stand in the fog paper's index order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.fog.system import Reals

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the members of the families stand: `receiver` of each distribution, `sender` of each
    exchange and whether it goes up; all count from 0."""

    receiver: Places
    sender: Places
    up: NDArray[np.bool_]

    def of_links(self, up: Reals, down: Reals) -> Reals:
        """[K, N] of both directions as [links, N] in family order."""
        values: Reals = np.where(self.up[:, None], up[self.sender], down[self.sender])
        return values
