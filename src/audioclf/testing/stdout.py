"""Capture of stdout, including output of libraries below Python."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Written:
    """Output to stdout, by Python and by libraries below it."""

    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.parts)


@contextlib.contextmanager
def captured_stdout() -> Iterator[Written]:
    """Capture output to `sys.stdout` and to its file descriptor within a block."""
    written, python = Written(), io.StringIO()
    with tempfile.TemporaryFile() as below:
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(below.fileno(), 1)
        try:
            with contextlib.redirect_stdout(python):
                yield written
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            below.seek(0)
            written.parts += [python.getvalue(), below.read().decode(errors="replace")]
