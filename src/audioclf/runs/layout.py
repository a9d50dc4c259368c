"""Columns and keys of the files of a run folder, for those that write and those that read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from audioclf.evaluation.metrics.estimate import Estimate

PIPELINES = "cells"
"""Key of the pipelines in `metrics.json`, `importances.json` and the output of `compare`."""

COSTS = ("fit_seconds", "predict_seconds_per_clip", "model_bytes", "peak_memory_bytes")
"""Keys of the costs of a pipeline in `metrics.json`."""


class LedgerLine(NamedTuple):
    """A row of `ledger.csv`: a clip and its file."""

    path: str
    label: str
    status: str
    message: str
    container: str
    subtype: str
    sr: int | str
    channels: int | str
    frames: int | str
    seconds: float | str
    sha256: str
    recording: str
    """Id of the recording that the clip is a part of; empty for a whole file."""


class FoldRow(NamedTuple):
    """A row of `folds.csv`: a clip on the test side of a fold."""

    repeat: int | str
    fold: str
    path: str
    label: str
    group: str


class PredictionRow(NamedTuple):
    """First columns of a row of `predictions.csv`.

    A `score_column` for each class follows, and where a pipeline has decision values, a
    `decision_column` for each class.
    """

    cell: str
    repeat: int | str
    fold: str
    path: str
    true_label: str
    label: str
    score: str


def score_column(label: str) -> str:
    """Return the name of the column of `predictions.csv` with the scores of a class."""
    return f"score_{label}"


def decision_column(label: str) -> str:
    """Return the name of the column of `predictions.csv` with the decision values of a class."""
    return f"decision_{label}"


_Row = TypeVar("_Row", FoldRow, PredictionRow)


def row_of(kind: type[_Row], row: Mapping[str, str]) -> _Row:
    """Return the columns of a row that was read."""
    return kind(*(row[column] for column in kind._fields))


def interval_data(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate as plain data."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
