"""Columns of numbers and of words with an order, from their values."""

from __future__ import annotations

from collections.abc import Sequence

from audioclf.dataset.label_cells import number_text, read_number
from audioclf.dataset.path_labels import shown

USUAL = ("arousal", "valence", "dominance", "rating", "score", "mos", "temperature", "count")
"""Usual names of columns with numbers to be predicted."""

_MOST_CODES = 20
"""Most different whole numbers that may be the codes of classes."""

_SCALES = (
    ("none", "slight", "mild", "moderate", "severe", "extreme"),
    ("very low", "low", "medium", "moderate", "high", "very high"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("bad", "poor", "fair", "good", "very good", "excellent"),
    ("very small", "small", "medium", "large", "very large"),
    ("quiet", "normal", "loud", "very loud"),
)


def target_of_values(
    column: str, values: Sequence[str]
) -> tuple[str | dict[str, list[str]] | None, str]:
    """Return the field `target` of a loader, None for names of classes, and a note."""
    numbers = [read_number(value) for value in values]
    if numbers and None not in numbers:
        distinct = sorted({number for number in numbers if number is not None})
        if any(number % 1 for number in distinct) or len(distinct) > _MOST_CODES:
            return "number", (
                f"A GUESS by its values: {column!r} holds numbers to be predicted, by regression. "
                "If each is the name of a class, remove `target`, and choose classifiers."
            )
        if len(distinct) < 3:
            return None, ""
        names = ", ".join(map(number_text, distinct))
        return None, (
            f"{column!r} holds the whole numbers {names}, which are read as names of classes. If "
            "they are amounts, write `target: number` and regressors such as `ridge`; if they are "
            f"degrees, `target: {{ordered: [{names}]}}`."
        )
    present = {value.casefold(): value for value in values}
    for scale in _SCALES:
        if len(present) > 2 and present.keys() <= set(scale):
            ordered = [present[name] for name in scale if name in present]
            return {"ordered": ordered}, (
                f"A GUESS by its values: the classes of {column!r} have the order "
                f"{shown(ordered, most=9)}. If they have none, remove `target`."
            )
    return None, ""
