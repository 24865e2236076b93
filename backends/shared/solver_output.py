"""Keep what a solver prints away from standard output, which belongs to the caller (`--json`).

Solvers print in two ways: through Python's `sys.stdout` (CasADi) and through file descriptor 1 (C
and Fortran). Both are redirected for the time of a `with` block and put back even if the block
raises. Redirecting is process-wide, so two solves at once in two threads of one process share it;
the module is meant for one solve at a time.
"""

import contextlib
import ctypes
import io
import os
import sys
import tempfile
from collections.abc import Iterator


class Transcript(io.TextIOBase):
    """Text that a solver printed; with `echo`, also passed on to standard error as it comes."""

    def __init__(self, echo: bool) -> None:
        self._parts: list[str] = []
        self._echo = echo

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._parts.append(text)
        if self._echo:
            sys.stderr.write(text)
        return len(text)


@contextlib.contextmanager
def solver_output(echo: bool = False) -> Iterator[Transcript]:
    """Collect what the block prints; with `echo`, pass it on to standard error (then C output is
    not collected).
    """
    transcript = Transcript(echo)
    with contextlib.redirect_stdout(transcript), _descriptor_redirected(transcript, echo):
        yield transcript


@contextlib.contextmanager
def _descriptor_redirected(transcript: Transcript, echo: bool) -> Iterator[None]:
    flush_c_streams()
    try:
        saved = os.dup(1)
    except OSError:  # descriptor 1 is closed: nothing can leak into it
        yield
        return
    with tempfile.TemporaryFile() as sink:
        if echo:
            sys.stderr.flush()
        os.dup2(2 if echo else sink.fileno(), 1)
        try:
            yield
        finally:
            flush_c_streams()  # else buffered text appears after the descriptor is back
            os.dup2(saved, 1)
            os.close(saved)
            sink.seek(0)
            transcript.write(sink.read().decode(errors="replace"))


def flush_c_streams() -> None:
    """Write out what C code has printed so far, and what Python has on the standard output of the
    process.
    """
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)
    if sys.__stdout__ is not None and not sys.__stdout__.closed:
        sys.__stdout__.flush()
