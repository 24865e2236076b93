"""Which text an input of a seed is."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.fuzz.models import model
from tests.fuzz.tokens import mutated

ROOT: Final = Path(__file__).resolve().parent.parent.parent
FOLDERS: Final = ("models", "mecdsl/testing/models", "tests/diagnostics", "tests/truth")
LARGE: Final = 1000  # characters; a larger model is taken less often, for it takes longer


@dataclass(frozen=True, slots=True)
class Input:
    """A text, the folder where the files lie that it names, and whether the solvers see it."""

    number: int
    text: str
    folder: Path
    solved: bool
    command: bool


@cache
def corpus() -> tuple[tuple[str, Path], ...]:
    """The models of the repository with their folders, in a fixed order."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.mec"))
    found = [(path.read_bytes().decode("utf-8", errors="replace"), path.parent) for path in paths]
    return tuple(found)


def draw(seed: int, number: int, solve_share: float = 0.03) -> Input:
    """Input `number` of a seed: half are mutations of the models of the repository, half are drawn
    from the grammar.
    """
    generator = random.Random(f"{seed} {number}")
    texts: Sequence[str] = [text for text, _ in corpus()]
    if number % 2:
        text, folder = model(generator), ROOT / "models"
        if generator.random() < 0.1:
            text = mutated(text, texts, generator)
    else:
        text, folder = generator.choice(corpus())
        if len(text) > LARGE and generator.random() < 0.9:
            text, folder = generator.choice([pair for pair in corpus() if len(pair[0]) <= LARGE])
        text = mutated(text, texts, generator)
    return Input(number, text, folder, generator.random() < solve_share, generator.random() < 0.03)
