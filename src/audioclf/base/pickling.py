"""Short pickles of dataclasses, of which many go from process to process."""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from typing import Any


def by_fields(value: Any) -> tuple[Any, ...]:
    """Return how a frozen dataclass with slots is made of its fields; assigned to `__reduce__`.

    It is otherwise pickled field by field in Python, which takes three times as long. So is a
    subclass, which may have fields of other kinds.
    """
    cls = type(value)
    if not _is_by_fields(cls):
        return copyreg.__newobj__, (cls,), value.__getstate__()  # type: ignore[attr-defined]
    return cls, tuple([getattr(value, name) for name in cls.__match_args__])


def _is_by_fields(cls: Any) -> bool:
    return vars(cls).get("__reduce__") is by_fields


class Columns:
    """Many values, which are pickled as a list of each field if they are of one such dataclass.

    That takes a quarter of the time of a pickle for each value.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values

    def __reduce__(self) -> tuple[Any, ...]:
        return _joined, _divided(self.values)


def _divided(values: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Return the class of all values, and each field of them in the same form; or None and all."""
    classes = set(map(type, values))
    cls: Any = classes.pop() if len(classes) == 1 else None
    if cls is None or not _is_by_fields(cls):
        return None, [*values]
    return cls, [_divided([getattr(each, name) for each in values]) for name in cls.__match_args__]


def _joined(cls: Any, parts: list[Any]) -> Columns:
    return Columns(_values(cls, parts))


def _values(cls: Any, parts: list[Any]) -> list[Any]:
    return parts if cls is None else [*map(cls, *(_values(*part) for part in parts))]
