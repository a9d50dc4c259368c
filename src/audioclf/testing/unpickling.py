"""Notice what is unpickled, by whatever way."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

_heard = threading.local()


@contextlib.contextmanager
def unpickled_classes() -> Iterator[list[str]]:
    """Collect the names of what this thread unpickles while the body runs."""
    _listen()
    names: list[str] = []
    _heard.names = names
    try:
        yield names
    finally:
        _heard.names = None


@cache
def _listen() -> None:
    # A hook stays until the process ends, so there is one, and it mostly does nothing.
    sys.addaudithook(_hear)


def _hear(event: str, args: Any) -> None:
    if event == "pickle.find_class":
        names = getattr(_heard, "names", None)
        if names is not None:
            names.append(".".join(map(str, args)))
