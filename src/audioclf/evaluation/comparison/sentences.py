"""Sentences about the result of a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Verdict = Literal["better", "equivalent", "undecided"]

MAX_NAMED = 3
"""Largest number of pipelines that a sentence names; it counts the rest."""


def sample_words(n_units: int, unit_name: str, n_clips: int) -> str:
    """Return the test sample in words.

    >>> sample_words(98, "clip", 98), sample_words(6, "group", 240)
    ('98 clips', '6 groups (240 clips)')
    """
    units = _counted(n_units, unit_name)
    return units if unit_name == "clip" else f"{units} ({_counted(n_clips, 'clip')})"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("s" if count != 1 else "")


def pair_sentence(
    verdict: Verdict,
    better: str,
    worse: str,
    interval: tuple[float, float, float],
    detectable: float,
    sample: str,
    margin: float | None,
) -> str:
    """Return the verdict on two pipelines as one sentence without a full stop.

    - `interval`: the difference, and the ends of its interval.
    - `detectable`: smallest detectable difference; NaN if none is detectable.
    - `sample`: test sample, such as "98 clips".
    - `margin`: largest difference that counts as none.

    >>> pair_sentence("better", "svm", "knn", (0.11, 0.04, 0.18), 0.08, "98 clips", None)
    'svm beats knn by 0.11 (0.04 to 0.18)'
    """
    if verdict == "equivalent":
        return f"{better} and {worse} are equivalent within {margin:g}"
    if verdict == "better":
        difference, low, high = (f"{value:.{_decimals(interval[1])}f}" for value in interval)
        return f"{better} beats {worse} by {difference} ({low} to {high})"
    undecided = f"{better} and {worse} cannot be told apart on {sample}"
    if not detectable > 0:
        return undecided
    threshold = f"{detectable:.{_decimals(detectable)}f}"
    return f"{undecided}; a difference below about {threshold} would not show"


def _decimals(value: float) -> int:
    """Return the decimals for a positive number: two, or as many as show one digit that is not 0.

    >>> _decimals(0.18), _decimals(0.004), _decimals(3.0)
    (2, 3, 2)
    """
    return 2 if value >= 0.01 or not value > 0 else min(9, -math.floor(math.log10(value)))


def listed(names: Sequence[str]) -> str:
    """Join names; of many, only the first few are named.

    >>> listed(["svm"]), listed(["svm", "knn"]), listed(list("abcdef"))
    ('svm', 'svm and knn', 'a, b, c and 3 others')
    """
    if len(names) == 1:
        return names[0]
    if len(names) <= MAX_NAMED + 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:MAX_NAMED])} and {len(names) - MAX_NAMED} others"
