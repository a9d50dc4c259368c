"""A finished model that was evaluated, and its results here beside those in cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audioclf.components.metrics import METRICS, Metric
from audioclf.evaluation.metrics.estimate import Estimate


@dataclass(frozen=True)
class EvaluatedModel:
    """A finished model among the pipelines of an evaluation.

    Parameters
    ----------
    name : str
        The name of its pipeline here.
    sha256 : str
        SHA-256 of its manifest, which holds those of all its parts.
    run, pipeline : str
        Names of the run that made it, and of the pipeline there.
    calibrated : bool
        Whether its scores are calibrated.
    split, unit : str
        The split of its cross-validation in words, and the resampling unit of the intervals there.
    cross_validated : dict of str to Estimate
        Its results in cross-validation, if it has some.
    differences : dict of str to Estimate
        Results here minus those in cross-validation, with intervals.
    not_compared : str
        The reason if there are no differences, as a note.
    """

    name: str
    sha256: str
    run: str
    pipeline: str
    calibrated: bool = False
    split: str = ""
    unit: str = ""
    cross_validated: Mapping[Metric, Estimate] = field(default_factory=dict)
    differences: Mapping[Metric, Estimate] = field(default_factory=dict)
    not_compared: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return its entry in `metrics.json`."""
        return {
            "sha256": self.sha256,
            "run": self.run,
            "cell": self.pipeline,
            "calibrated": self.calibrated,
            "cross_validation": {
                "split": self.split,
                "unit": self.unit,
                "metrics": {name: v.to_data() for name, v in self.cross_validated.items()},
            },
            "difference": {name: v.to_data() for name, v in self.differences.items()},
        }


def drift_sentence(model: str, metric: Metric, here: float, before: float, change: Estimate) -> str:
    """Return how a metric differs from cross-validation, as a sentence without a full stop.

    >>> drift_sentence("svm", "accuracy", 0.71, 0.93, Estimate(-0.22, -0.31, -0.1))
    'svm is worse here than in its own cross-validation: accuracy 0.710 instead of 0.930, ...
    """
    worse = (change.value > 0) == METRICS[metric].lower_is_better
    word = "worse" if worse else "better"
    numbers = (
        f"{metric} {here:.3f} instead of {before:.3f}, a difference of {change.value:+.3f} "
        f"[{change.low:+.3f}, {change.high:+.3f}]"
    )
    if change.low <= 0 <= change.high:
        return f"{model} is not shown to differ from its own cross-validation: {numbers}"
    return f"{model} is {word} here than in its own cross-validation: {numbers}"
