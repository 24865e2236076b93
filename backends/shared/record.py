"""What an iterative algorithm notes of its steps, with the time since the record was opened."""

import time
from dataclasses import dataclass, field

from mecdsl.solution import Iteration


@dataclass(slots=True, eq=False)
class Record:
    """Open it where the algorithm begins; `first` is the number of the first step."""

    first: int = 1
    began: float = field(default_factory=time.perf_counter)
    noted: list[Iteration] = field(default_factory=list)

    def note(
        self,
        objective: float | None = None,
        bound: float | None = None,
        residual: float | None = None,
        note: str = "",
    ) -> None:
        """Add a step: values in SI and in the sense of the model, None for what is not known."""
        seconds = time.perf_counter() - self.began
        self.noted.append(
            Iteration(
                number=self.first + len(self.noted),
                objective=objective,
                bound=bound,
                residual=residual,
                seconds=seconds,
                note=note,
            )
        )

    @property
    def steps(self) -> tuple[Iteration, ...]:
        """The steps so far."""
        return tuple(self.noted)
