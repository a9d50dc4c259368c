"""Names of the resampling unit and of the weights of a run, from its config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from audioclf.dataset.targets import Targets, Unit

_GROUP_WORD = re.compile(
    "animal|bird|day|deployment|device|farm|individual|location|machine|microphone|night|patient|"
    "person|place|recorder|room|session|site|speaker|station|subject"
)


def unit_word(dataset: Mapping[str, Any], unit: Unit) -> str:
    """Return the resampling unit by the name of the column with the groups, such as "site".

    `dataset` is that part of a config.

    >>> unit_word({"columns": {"group": "Site"}}, "group"), unit_word({"group": "x"}, "group")
    ('site', 'group')
    """
    column = dataset.get("group") or (dataset.get("columns") or {}).get("group")
    word = str(column).casefold()
    return word if unit == "group" and _GROUP_WORD.fullmatch(word) else unit


def weighted_by(dataset: Mapping[str, Any], targets: Targets) -> str:
    """Return the column with the weights of the clips; empty if all clips count the same."""
    columns = dataset.get("columns") or {}
    return "" if targets.weights is None else str(columns.get("weight") or "weight")
