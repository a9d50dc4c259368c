"""Splits, cross-validation and metrics."""

from audioclf.evaluation.class_scores import ClassScores, per_class
from audioclf.evaluation.cross_validation import (
    Cell,
    CellResult,
    FoldResult,
    Predicted,
    evaluate,
)
from audioclf.evaluation.curves import (
    PrecisionRecallCurve,
    ReliabilityBin,
    RocCurve,
    precision_recall_curve,
    reliability,
    roc_curve,
)
from audioclf.evaluation.memory import FitPlan, plan_fits
from audioclf.evaluation.metrics import (
    Estimate,
    bootstrap_values,
    check_metrics,
    estimate,
    metric_value,
    unit_of,
)
from audioclf.evaluation.splits import Fold, Splits, make_splits
from audioclf.evaluation.subgroups import SubgroupScore, by_subgroup
from audioclf.evaluation.views import Views

__all__ = [
    "Cell",
    "CellResult",
    "ClassScores",
    "Estimate",
    "FitPlan",
    "Fold",
    "FoldResult",
    "PrecisionRecallCurve",
    "Predicted",
    "ReliabilityBin",
    "RocCurve",
    "Splits",
    "SubgroupScore",
    "Views",
    "bootstrap_values",
    "by_subgroup",
    "check_metrics",
    "estimate",
    "evaluate",
    "make_splits",
    "metric_value",
    "per_class",
    "plan_fits",
    "precision_recall_curve",
    "reliability",
    "roc_curve",
    "unit_of",
]
