"""Names of columns and rows that readers of LP and MPS files take: `learner.batch(3)` for
`learner.batch[3]`.

What readers refuse or misread, each tried or documented: spaces, signs and brackets; letters beyond
ASCII; a digit or a point in front; what looks like a number (`e1`, `inf`, `nan`); words of either
format; more than 100 characters (CBC; others allow 255). Two names never become one.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 96

# Words of the LP format, of sections of the MPS format, and what reads as a number; compared
# without case.
WORDS: Final = frozenset(
    "bin binaries binary bounds bound end free gen general generals inf infinity int integer "
    "integers max maximise "
    "maximize maximum min minimise minimize minimum nan s.t. sec semi semi-continuous semis "
    "sin sos sos1 sos2 st st. "
    "subject subjectto such to "
    "bnd columns csection endata indicators lazycons marker name names objname objsense "
    "objsensemax objsensemin "
    "qcmatrix qmatrix qsection quadobj ranges range rhs rows sets usercuts".split()
)

NUMBER: Final = re.compile(r"[.\d]|[eE](?:$|[\d.eE])|0x", re.ASCII)
UNKNOWN: Final = re.compile(r"[^A-Za-z0-9_.(),]")


def file_names(names: Iterable[str]) -> tuple[str, ...]:
    """A legal name for every name, in their order, each of them once."""
    given: set[str] = set()
    result = []
    for name in names:
        plain = _plain(name)
        label, number = plain, 1
        while label in given:
            number += 1
            label = f"{plain}_{number}"
        given.add(label)
        result.append(label)
    return tuple(result)


def _plain(name: str) -> str:
    """The name in the characters that every reader takes; a cut one ends in a checksum of the
    whole.
    """
    text = name.replace("[", "(").replace("]", ")").replace(", ", ",").replace('"', "")
    letters = unicodedata.normalize("NFKD", text)
    ascii_text = "".join(c for c in letters if not unicodedata.combining(c))
    label = UNKNOWN.sub("_", ascii_text)
    if NUMBER.match(label) or not label:
        label = f"_{label}"
    if len(label) > LONGEST:
        label = f"{label[: LONGEST - 9]}_{zlib.crc32(name.encode()):08x}"
    return f"{label}_" if label.lower() in WORDS else label
