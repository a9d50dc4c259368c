"""Targets made of arrays of codes."""

from __future__ import annotations

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
