"""What a manifest says of scores: how they are calibrated, and what it costs to name no class.

These are numbers from whoever wrote the file, so whatever would turn scores round or make them
something else than shares is refused here.
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
    """Base of all parts of a manifest."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Interval(Part):
    """A number with its interval."""

    value: float
    low: float
    high: float


class Temperature(Part):
    """All log-scores are divided by one number, which keeps their order (Guo et al. 2017)."""

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(ge=0.01, le=100)
    """Above 1 makes scores less sure, below 1 surer."""


class Sigmoid(Part):
    """A logistic curve over the log-odds of each class (Platt 1999)."""

    method: Literal["sigmoid"] = "sigmoid"
    slopes: tuple[Annotated[float, Field(ge=0, le=1e6)], ...]
    """One for each class; of two classes, of the last alone."""
    intercepts: tuple[Annotated[float, Field(ge=-1e6, le=1e6)], ...]


class Curve(Part):
    """A curve that never falls: straight lines between points, flat beyond the ends."""

    scores: tuple[Share, ...] = Field(min_length=1)
    """Rise strictly."""
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
    """The curve for each class that fits best of all that never fall (Zadrozny & Elkan 2002)."""

    method: Literal["isotonic"] = "isotonic"
    curves: tuple[Curve, ...]
    """One for each class; of two classes, of the last alone."""


Mapping = Annotated[Temperature | Sigmoid | Isotonic, Field(discriminator="method")]


class Change(Part):
    """A metric of the out-of-fold scores as they were, and calibrated by other clips' scores."""

    before: float
    after: float
    low: float
    """Lower end of the interval of `after - before`."""
    high: float


class Calibration(Part):
    """How scores become probabilities, and what that was measured to do."""

    mapping: Mapping
    clips: int = Field(ge=1)
    """Clips whose out-of-fold scores it was fitted on."""
    units: int = Field(ge=1)
    """Groups or clips that these are, as intervals count them."""
    unit: Text
    effect: dict[Effect, Change]
    """Empty where there were too few units to hold some out."""

    @property
    def method(self) -> Method:
        """The name that the config uses."""
        return self.mapping.method


class Abstention(Part):
    """What it costs to name no class below a score, on clips that were not trained on."""

    clips: int = Field(ge=1)
    units: int = Field(ge=1)
    unit: Text
    abstained: Interval
    """Share of the clips that get no class."""
    accuracy: Interval
    """Of all clips, if each gets a class."""
    accuracy_of_rest: Interval | None
    """Of the clips that keep their class; null where none does."""
    errors_avoided: Interval | None
    """Share of the wrong predictions that are withheld; null where none is wrong."""


def check_size(mapping: Temperature | Sigmoid | Isotonic, n_classes: int) -> None:
    """Refuse a mapping that is made for another number of classes.

    Raises
    ------
    ValueError
    """
    expected = 1 if n_classes == 2 else n_classes
    sizes: tuple[int, ...] = ()
    if isinstance(mapping, Sigmoid):
        sizes = (len(mapping.slopes), len(mapping.intercepts))
    elif isinstance(mapping, Isotonic):
        sizes = (len(mapping.curves),)
    if any(size != expected for size in sizes):
        counts = " and ".join(map(str, sizes))
        raise ValueError(f"a calibration of {counts} curves for {n_classes} classes")
