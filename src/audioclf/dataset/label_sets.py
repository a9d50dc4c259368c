"""Several labels per clip, written as one text.

The text of a clip holds the names of its classes, sorted and joined by `;`. `?name` means that the
class is not labelled in the clip: the clip neither trains nor tests it. Classes that the text does
not name are absent; the empty text is a clip of no class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    States = NDArray[np.int8]

SEPARATOR = ";"
UNSURE = "?"


def join_labels(present: Iterable[str], unlabelled: Iterable[str] = ()) -> str:
    """Return the canonical text of the classes that are in a clip, and of those not labelled.

    >>> join_labels(["wren", "robin"], ["owl"])
    '?owl;robin;wren'
    """
    marked = [*((name, "") for name in present), *((name, UNSURE) for name in unlabelled)]
    return SEPARATOR.join(mark + name for name, mark in sorted(marked))


def split_labels(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the classes that are in a clip, and those that are not labelled, from its text.

    >>> split_labels("?owl;robin;wren"), split_labels("")
    ((('robin', 'wren'), ('owl',)), ((), ()))
    """
    parts = text.split(SEPARATOR) if text else []
    present = tuple(part for part in parts if not part.startswith(UNSURE))
    return present, tuple(part[1:] for part in parts if part.startswith(UNSURE))


def in_order(classes: Iterable[str], normal: str | None) -> tuple[str, ...]:
    """Return names of classes sorted by code point, the normal one of a detector first.

    >>> in_order({"anomaly", "normal"}, None), in_order({"anomaly", "normal"}, "normal")
    (('anomaly', 'normal'), ('normal', 'anomaly'))
    """
    return tuple(sorted(classes, key=lambda name: (name != normal, name)))


def normal_of(classes: Sequence[str]) -> str | None:
    """Return the normal class of names that `in_order` sorted, or None.

    >>> normal_of(("normal", "anomaly")), normal_of(("cat", "dog"))
    ('normal', None)
    """
    return None if list(classes) == sorted(classes) else classes[0]


def class_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return all classes that texts of clips name, sorted by code point."""
    return tuple(
        sorted({name for text in set(texts) for part in split_labels(text) for name in part})
    )


def states_of(texts: Sequence[str], classes: Sequence[str]) -> States:
    """Return 1 (yes), 0 (no) or -1 (not labelled) [shape=(n_clips, n_classes)]."""
    import numpy as np

    at = {name: place for place, name in enumerate(classes)}
    states = np.zeros((len(texts), len(classes)), dtype=np.int8)
    for row, text in zip(states, texts, strict=True):
        for state, names in zip((1, -1), split_labels(text), strict=True):
            row[[at[name] for name in names]] = state
    return states
