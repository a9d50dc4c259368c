"""Splits, cross-validation and metrics."""

from audioclf.evaluation.cross_validation import (
    Cell,
    CellResult,
    FoldResult,
    Predicted,
    evaluate,
)
from audioclf.evaluation.metrics import Estimate, check_metrics, estimate, unit_of
from audioclf.evaluation.splits import Fold, Splits, make_splits

__all__ = [
    "Cell",
    "CellResult",
    "Estimate",
    "Fold",
    "FoldResult",
    "Predicted",
    "Splits",
    "check_metrics",
    "estimate",
    "evaluate",
    "make_splits",
    "unit_of",
]
