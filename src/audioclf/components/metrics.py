"""Table of metrics: range, direction, input and scikit-learn's scorer of each.

To add a metric, add its name to `Metric`, its row to `METRICS`, and the function that computes it
to `LABEL_METRICS`, `RANK_METRICS` or `LOSSES` in evaluation/metrics; for several labels per clip,
to the tables of `several.py` there, for numbers and ordered classes to `NUMBER_METRICS`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

TargetKind = Literal["class", "several", "number", "ordered"]
"""Kinds of targets: one class per clip, several labels, a number, or one of ordered classes."""

Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "f1_weighted",
    "precision",
    "precision_macro",
    "recall",
    "recall_macro",
    "matthews_corrcoef",
    "roc_auc",
    "partial_auc",
    "average_precision",
    "log_loss",
    "brier_score",
    "expected_calibration_error",
    "average_precision_macro",
    "roc_auc_macro",
    "f1_micro",
    "precision_micro",
    "recall_micro",
    "lwlrap",
    "subset_accuracy",
    "hamming_loss",
    "ccc",
    "mae",
    "rmse",
    "r2",
    "pearson",
    "spearman",
    "quadratic_kappa",
]
"""Metrics by their names in scikit-learn."""


_ONE: tuple[TargetKind, ...] = ("class", "ordered")
_SEVERAL: tuple[TargetKind, ...] = ("several",)
_ANY = (*_ONE, *_SEVERAL)
_NUMBER: tuple[TargetKind, ...] = ("number",)


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """Properties of a metric: its range, direction, and names of scikit-learn's scorers.

    `needs` predicted labels, scores of any kind, or probabilities. For more than two classes, one
    that is defined for `two_classes_only` has `<name>_macro`, others may have a
    `multiclass_scorer`. `targets` are the kinds of targets that it is defined for. Input may also
    name it by one of the `aliases`.
    """

    scorer: str | None = None
    needs: Literal["labels", "scores", "probabilities"] = "labels"
    low: float = 0.0
    high: float = 1.0
    lower_is_better: bool = False
    two_classes_only: bool = False
    multiclass_scorer: str | None = None
    targets: tuple[TargetKind, ...] = _ONE
    aliases: tuple[str, ...] = ()


def _loss(scorer: str | None, high: float) -> MetricInfo:
    return MetricInfo(scorer, needs="probabilities", high=high, lower_is_better=True)


def _error(scorer: str, targets: tuple[TargetKind, ...]) -> MetricInfo:
    return MetricInfo(scorer, high=math.inf, lower_is_better=True, targets=targets)


METRICS: dict[Metric, MetricInfo] = {
    "accuracy": MetricInfo("accuracy"),
    "balanced_accuracy": MetricInfo("balanced_accuracy", aliases=("uar",)),
    "f1": MetricInfo("f1", two_classes_only=True),
    "f1_macro": MetricInfo("f1_macro", targets=_ANY),
    "f1_weighted": MetricInfo("f1_weighted"),
    "precision": MetricInfo("precision", two_classes_only=True),
    "precision_macro": MetricInfo("precision_macro", targets=_ANY),
    "recall": MetricInfo("recall", two_classes_only=True),
    "recall_macro": MetricInfo("recall_macro", targets=_ANY),
    "matthews_corrcoef": MetricInfo("matthews_corrcoef", low=-1.0),
    "roc_auc": MetricInfo("roc_auc", needs="scores", multiclass_scorer="roc_auc_ovr"),
    "partial_auc": MetricInfo(
        needs="scores", low=9 / 19, two_classes_only=True
    ),  # see its function
    "average_precision": MetricInfo("average_precision", needs="scores"),
    "log_loss": _loss("neg_log_loss", math.inf),
    "brier_score": _loss(None, 2.0),
    "expected_calibration_error": _loss(None, 1.0),
    "average_precision_macro": MetricInfo(needs="scores", targets=_SEVERAL),
    "roc_auc_macro": MetricInfo(needs="scores", targets=_SEVERAL),
    "f1_micro": MetricInfo(targets=_SEVERAL),
    "precision_micro": MetricInfo(targets=_SEVERAL),
    "recall_micro": MetricInfo(targets=_SEVERAL),
    "lwlrap": MetricInfo(needs="scores", targets=_SEVERAL),
    "subset_accuracy": MetricInfo(targets=_SEVERAL),
    "hamming_loss": MetricInfo(lower_is_better=True, targets=_SEVERAL),
    "ccc": MetricInfo(low=-1.0, targets=_NUMBER),
    "mae": _error("neg_mean_absolute_error", targets=("number", "ordered")),
    "rmse": _error("neg_root_mean_squared_error", targets=_NUMBER),
    "r2": MetricInfo("r2", low=-math.inf, targets=_NUMBER),
    "pearson": MetricInfo(low=-1.0, targets=_NUMBER),
    "spearman": MetricInfo(low=-1.0, targets=_NUMBER),
    "quadratic_kappa": MetricInfo(low=-1.0, targets=("ordered",)),
}
"""A row for each metric, in the order of messages and documentation."""

_NAMES = {alias: name for name, info in METRICS.items() for alias in info.aliases}


def canonical(name: Any) -> Any:
    """Return the name of a metric from one of its aliases; anything else as it is.

    >>> canonical("uar"), canonical("f1")
    ('balanced_accuracy', 'f1')
    """
    return _NAMES.get(name, name) if isinstance(name, str) else name


DEFAULT_METRICS: dict[TargetKind, tuple[Metric, ...]] = {
    "class": ("accuracy", "balanced_accuracy"),
    "several": ("average_precision_macro", "f1_macro"),
    "number": ("ccc", "mae"),
    "ordered": ("quadratic_kappa", "mae"),
}
"""Metrics by the kind of the targets, where the config names none."""


def of_class(metric: str, classes: Sequence[str]) -> str:
    """Return which of two classes a metric is of, to be added to its name.

    >>> of_class("f1", ("cat", "dog")), of_class("accuracy", ("cat", "dog"))
    (" of 'dog'", '')
    """
    info = METRICS.get(metric)  # type: ignore[call-overload]
    return f" of {classes[-1]!r}" if info and info.two_classes_only else ""


if TYPE_CHECKING:
    MetricName = Metric
    SearchMetric = Metric
else:

    def _field_of(names: Iterable[str]) -> Any:
        names = tuple(names)
        accepted = [name for own in names for name in (own, *METRICS[own].aliases)]
        schema = WithJsonSchema({"enum": accepted, "type": "string"})
        return Annotated[Literal[names], BeforeValidator(canonical), schema]

    MetricName = _field_of(METRICS)
    """Type of a field that holds a metric and accepts its aliases."""
    SearchMetric = _field_of(name for name, metric in METRICS.items() if metric.scorer)
    """Metrics by which a search can choose: those that have a scorer in scikit-learn."""
