"""Ranges of numbers in fields of augmenters, and random draws from them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt
from pydantic import AfterValidator, FiniteFloat

if TYPE_CHECKING:
    import numpy as np


def in_order(limits: tuple[float, float]) -> tuple[float, float]:
    """Return the limits; ValueError if the lower one does not come first."""
    low, high = limits
    if low > high:
        raise ValueError(f"the lower limit comes first: [{high:g}, {low:g}]")
    return limits


Range = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(in_order)]
"""`[low, high]`; both may be equal."""

Positive = Annotated[FiniteFloat, Gt(0)]
PositiveRange = Annotated[tuple[Positive, Positive], AfterValidator(in_order)]
"""`[low, high]`, both above 0."""


def drawn(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Return a number from a range, each with the same probability."""
    return float(rng.uniform(*limits))


def drawn_by_ratio(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Return a positive number from a range, uniform in its logarithm, as for frequencies."""
    return math.exp(drawn(rng, (math.log(limits[0]), math.log(limits[1]))))
