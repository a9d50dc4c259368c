"""Short pickles of dataclasses, of which many go from process to process."""

from __future__ import annotations

import copyreg
from pathlib import Path
from typing import Any


def by_fields(value: Any) -> tuple[Any, ...]:
    """Return how a frozen dataclass with slots is made of its fields; assigned to `__reduce__`.

    It is otherwise pickled field by field in Python, which takes three times as long. So is a
    subclass, which may have fields of other kinds.
    """
    cls = type(value)
    if "__reduce__" not in vars(cls):
        return copyreg.__newobj__, (cls,), value.__getstate__()  # type: ignore[attr-defined]
    return cls, tuple([getattr(value, name) for name in cls.__match_args__])


def by_path(value: Any) -> tuple[Any, ...]:
    """Return how an object whose only field is a path is made of its text; for `__reduce__`."""
    if "__reduce__" not in vars(type(value)):
        return by_fields(value)
    return _with_path, (type(value), str(value.path))


def _with_path(cls: type, path: str) -> object:
    return cls(Path(path))
