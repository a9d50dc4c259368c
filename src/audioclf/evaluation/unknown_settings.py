"""Settings of the search for sounds of no known class."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audioclf.base.settings import Settings


class UnknownConfig(Settings):
    """The final model names sounds `unknown` that are unlike those of its classes."""

    method: Literal["distance", "score"] = "distance"
    """`distance` measures how far the features are from those of the nearest class; `score` takes
    the highest score of a class."""

    lost: float = Field(default=0.05, gt=0, le=0.5)
    """Share of the clips of known classes that may be called unknown."""
