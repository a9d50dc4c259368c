"""Records of calibration and abstention in a manifest.

The numbers are untrusted: values that would reverse the order of scores, or give values outside
[0, 1], are refused.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["sigmoid", "isotonic", "temperature"]
Effect = Literal["log_loss", "brier_score", "expected_calibration_error", "accuracy"]

Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]


class Part(BaseModel):
    """Base class of all parts of a manifest."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Interval(Part):
    """A value with its interval."""

    value: float
    low: float
    high: float


class Temperature(Part):
    """Temperature scaling: one divisor for all log scores (Guo et al. 2017)."""

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(ge=0.01, le=100)
    """Above 1 scores become less extreme, below 1 more extreme."""


class Sigmoid(Part):
    """A logistic curve over the log-odds of each class (Platt 1999)."""

    method: Literal["sigmoid"] = "sigmoid"
    slopes: tuple[Annotated[float, Field(ge=0, le=1e6)], ...]
    """One for each class; for two classes, only one for the second."""
    intercepts: tuple[Annotated[float, Field(ge=-1e6, le=1e6)], ...]


class Curve(Part):
    """A non-decreasing curve: linear between points, constant beyond the ends."""

    scores: tuple[Share, ...] = Field(min_length=1)
    """Strictly increasing."""
    shares: tuple[Share, ...]

    @model_validator(mode="after")
    def _rises(self) -> Curve:
        if len(self.scores) != len(self.shares):
            raise ValueError(f"{len(self.scores)} scores for {len(self.shares)} shares")
        if any(a >= b for a, b in pairwise(self.scores)):
            raise ValueError("the scores of a curve do not rise")
        if any(a > b for a, b in pairwise(self.shares)):
            raise ValueError("the curve falls")
        return self


class Isotonic(Part):
    """Isotonic regression: the best non-decreasing curve of each class (Zadrozny & Elkan 2002)."""

    method: Literal["isotonic"] = "isotonic"
    curves: tuple[Curve, ...]
    """One for each class; for two classes, only one for the second."""


Mapping = Annotated[Temperature | Sigmoid | Isotonic, Field(discriminator="method")]


class Change(Part):
    """A metric of the uncalibrated out-of-fold scores, and after nested calibration."""

    before: float
    after: float
    low: float
    """Lower end of the interval of `after - before`."""
    high: float


class Calibration(Part):
    """Map from scores to probabilities, with its measured effect."""

    mapping: Mapping
    clips: int = Field(ge=1)
    """Number of clips that it was fitted on."""
    units: int = Field(ge=1)
    """Number of resampling units (clips, groups or recordings) of these clips."""
    unit: Text
    effect: dict[Effect, Change]
    """Empty if there were too few units to measure it."""

    @property
    def method(self) -> Method:
        """Name of the method in a config."""
        return self.mapping.method


class Abstention(Part):
    """Measured effects of giving no class below a score, on out-of-fold predictions."""

    clips: int = Field(ge=1)
    units: int = Field(ge=1)
    unit: Text
    abstained: Interval
    """Share of the clips without a class."""
    accuracy: Interval
    """Accuracy if every clip gets a class."""
    accuracy_of_rest: Interval | None
    """Accuracy on the clips that keep their class; null if there are none."""
    errors_avoided: Interval | None
    """Share of the errors that are withheld; null if there are none."""


class Unknown(Part):
    """Rule for sounds of no known class, with its price on out-of-fold predictions."""

    method: Literal["distance", "score"]
    lost: Share
    """Share of the clips of known classes that may be called unknown."""
    above: float
    """A sound is unknown if its distance, or 1 - its highest score, is above this."""
    measured_lost: Interval | None = None
    """Share of the clips of known classes that were called unknown, by the threshold of others."""
    refused: Interval | None = None
    """Mean share of the clips of a class that were called unknown when it was left out of the
    training; the interval is over classes. Null if none could be left out."""
    by_class: dict[Text, Interval] = Field(default_factory=dict)
    """The same of each class that was left out, with intervals over its units."""


def check_size(
    mapping: Temperature | Sigmoid | Isotonic, n_classes: int, *, several: bool = False
) -> None:
    """Check that a mapping fits the number of classes; raise `ValueError` if not."""
    if several and not isinstance(mapping, Sigmoid):
        raise ValueError(f"a calibration by {mapping.method} of several labels")
    expected = 1 if n_classes == 2 and not several else n_classes
    sizes: tuple[int, ...] = ()
    if isinstance(mapping, Sigmoid):
        sizes = (len(mapping.slopes), len(mapping.intercepts))
    elif isinstance(mapping, Isotonic):
        sizes = (len(mapping.curves),)
    if any(size != expected for size in sizes):
        counts = " and ".join(map(str, sizes))
        raise ValueError(f"a calibration of {counts} curves for {n_classes} classes")
