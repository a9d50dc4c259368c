"""Short pickles of dataclasses, of which many go from process to process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def by_fields(value: Any) -> tuple[type, tuple[object, ...]]:
    """Return how a dataclass is made of its fields; assigned to `__reduce__`.

    Frozen dataclasses with slots are otherwise pickled field by field in Python, which takes three
    times as long.
    """
    cls = type(value)
    return cls, tuple([getattr(value, name) for name in cls.__match_args__])


def by_path(value: Any) -> tuple[Callable[[type, str], object], tuple[type, str]]:
    """Return how an object whose only field is a path is made of its text; for `__reduce__`."""
    return _with_path, (type(value), str(value.path))


def _with_path(cls: type, path: str) -> object:
    return cls(Path(path))
