"""Copies of the training clips that differ from them in ways that leave the class as it is.

References
----------
N. Jaitly and G. E. Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition",
ICML Workshop on Deep Learning for Audio, Speech and Language Processing, 2013.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator

Factor = Annotated[FiniteFloat, Ge(0.5), Le(2.0)]


class Vtlp(BaseModel):
    """Vocal tract length perturbation: each training clip also as other throats would say it.

    The copies differ in `warp` alone. Where the paper draws a factor at random for each clip and
    pass, each clip is here learned with every factor, so that a run is the same each time and the
    cache can keep what it computed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    type: Literal["vtlp"] = "vtlp"

    factors: tuple[Factor, ...] = Field(default=(0.9, 1.1), min_length=1, max_length=32)
    """A copy for each: what `warp` is multiplied by, in [0.5, 2] and not 1."""

    test_time: bool = False
    """Whether a prediction is the mean of the scores of the clip and all its copies, which takes
    as many times the work; otherwise copies are for training alone."""

    @field_validator("factors")
    @classmethod
    def _are_copies(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if 1.0 in factors:
            raise ValueError("the clip itself is always there: leave out the factor 1")
        if len(set(factors)) < len(factors):
            raise ValueError("a factor stands there twice")
        return factors


Augmentation = Vtlp
"""Any way to make copies; a union by `type` once there is another."""
