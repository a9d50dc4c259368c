"""Data augmentation: copies of training clips with changes that keep the class.

References
----------
N. Jaitly and G. E. Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition",
ICML Workshop on Deep Learning for Audio, Speech and Language Processing, 2013.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field, FiniteFloat, field_validator

from audioclf.plugin import Settings

Factor = Annotated[FiniteFloat, Ge(0.5), Le(2.0)]


class Vtlp(Settings):
    """Vocal tract length perturbation: copies of each training clip with warped frequencies.

    The copies differ in `warp` alone. The paper draws a random factor for each clip and pass; here
    each clip is used with every factor, so that runs are reproducible and features are cached.
    """

    type: Literal["vtlp"] = "vtlp"

    factors: tuple[Factor, ...] = Field(default=(0.9, 1.1), min_length=1, max_length=32)
    """Factors of `warp`, one for each copy, in [0.5, 2] without 1."""

    test_time: bool = False
    """Whether a prediction is the mean score of the clip and its copies, at a multiple of the cost;
    otherwise copies are for training only."""

    @field_validator("factors")
    @classmethod
    def _are_copies(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if 1.0 in factors:
            raise ValueError("the clip itself is always used: remove the factor 1")
        if len(set(factors)) < len(factors):
            raise ValueError("a factor is listed twice")
        return factors


Augmentation = Vtlp
"""Any augmentation; a union by `type` once there are several."""
