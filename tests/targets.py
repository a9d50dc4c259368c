"""Targets made of arrays of codes."""

from typing import Any, Literal

import numpy as np

from audioclf.dataset.targets import Targets


def targets_of(
    y: Any,
    units: Any = None,
    *,
    unit: Literal["clip", "group"] = "clip",
    groups: Any = None,
    n_classes: int | None = None,
) -> Targets:
    """Return targets of these codes; each clip is a unit unless units are given."""
    codes = np.asarray(y, dtype=np.intp)
    classes = tuple(map(str, range(n_classes or int(codes.max()) + 1)))
    numbers = np.arange(len(codes)) if units is None else np.asarray(units, dtype=np.intp)
    return Targets(classes, codes, unit, numbers, groups)


def several_targets(states: Any, units: Any = None) -> Targets:
    """Return targets of states [shape=(n_clips, n_classes)]; units are groups if they are given."""
    states = np.asarray(states, dtype=np.int8)
    names = tuple(f"c{code}" for code in range(states.shape[1]))
    if units is None:
        return Targets(names, None, "clip", np.arange(len(states)), None, states)
    units = np.asarray(units, dtype=np.intp)
    return Targets(names, None, "group", units, units, states)
