"""Output to stdout, also of libraries below Python, and unpickling, by an audit hook."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

_watched = threading.local()


@contextlib.contextmanager
def captured_stdout() -> Iterator[list[str]]:
    """Capture output to `sys.stdout` and to its file descriptor; the list is filled at the end."""
    parts: list[str] = []
    python = io.StringIO()
    with tempfile.TemporaryFile() as below:
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(below.fileno(), 1)
        try:
            with contextlib.redirect_stdout(python):
                yield parts
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            below.seek(0)
            parts += [python.getvalue(), below.read().decode(errors="replace")]


@contextlib.contextmanager
def unpickled_classes() -> Iterator[list[str]]:
    """Collect the names of the classes that this thread unpickles within a block."""
    _add_hook()
    names: list[str] = []
    _watched.names = names
    try:
        yield names
    finally:
        _watched.names = None


@cache
def _add_hook() -> None:
    # Audit hooks cannot be removed, so one is added and does nothing outside of a block.
    sys.addaudithook(_record)


def _record(event: str, args: Any) -> None:
    if event == "pickle.find_class":
        names = getattr(_watched, "names", None)
        if names is not None:
            names.append(".".join(map(str, args)))
