"""Settings of a learning curve, and of the search for sounds of no known class."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from audioclf.base.settings import Settings
from audioclf.components.metrics import MetricName


class LearningCurveConfig(Settings):
    """A learning curve: every pipeline is also fitted to parts of the training sides."""

    sizes: tuple[PositiveInt, ...] = Field(default=(1, 2, 5, 10, 20, 50), min_length=1)
    """Training clips of each class; a size that some training side cannot give is left out."""

    repeats: int = Field(default=5, ge=1, le=100)
    """Random draws of the subsets, over which the metric is averaged."""

    metric: MetricName | None = None
    """Metric of the curve; null for the main metric of the run."""


class UnknownConfig(Settings):
    """The final model names sounds `unknown` that are unlike those of its classes."""

    method: Literal["distance", "score"] = "distance"
    """`distance` measures how far the features are from those of the nearest class; `score` takes
    the highest score of a class."""

    lost: float = Field(default=0.05, gt=0, le=0.5)
    """Share of the clips of known classes that may be called unknown."""
