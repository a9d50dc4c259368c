"""Predictions of a finished model for rows of a design matrix, as those of one fold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import ClassifierError
from audioclf.components.guard import guard, recorded
from audioclf.evaluation.class_fits import StateOutputs, predict_states
from audioclf.evaluation.fitting import pickled_size
from audioclf.evaluation.predictions import Predictions, predict_rows, spread
from audioclf.evaluation.results import FoldResult
from audioclf.models.calibration.maps import calibrated, calibrated_states, top_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.evaluation.splits import Fold
    from audioclf.models.calibration.records import Calibration
    from audioclf.models.model import Model


def predict_fold(
    model: Model, name: str, matrix: NDArray[np.float32], fold: Fold, classes: Sequence[str]
) -> FoldResult:
    """Return the predictions of a model for the test clips of a fold; its training side is empty.

    `matrix` [shape=(n_clips, n_views * n_features)] is that of the featurizer of the model. Of one
    label per clip, the `classes` are all that the model predicts, and more; a model that abstains
    gives its best class. Of several labels, they are some that it predicts. Scores are calibrated
    if the model is.
    """
    rows = model.views.to_predict(matrix)
    started = time.perf_counter()
    with guard(f"model {name!r}", ClassifierError), recorded() as remarks:
        result = (_states if model.is_several else _codes)(model, rows, fold, classes)
    seconds = time.perf_counter() - started
    return FoldResult(
        fold,
        fit_seconds=float("nan"),
        predict_seconds=seconds,
        warnings=tuple(remarks),
        model_bytes=None if model.estimator is None else pickled_size(model.estimator),
        **result,
    )


def _codes(
    model: Model, rows: NDArray[np.float32], fold: Fold, classes: Sequence[str]
) -> dict[str, Any]:
    outputs = predict_rows(model.scorer, rows, fold.test, len(model.classes))
    if (how := _calibration(model)) is not None:
        assert outputs.scores is not None
        scores = calibrated(how.mapping, outputs.scores)
        outputs = Predictions(top_of(scores, outputs.scores), scores, "probability")
    places = _places(model.classes, classes)
    return {
        "y_pred": places[outputs.codes],
        "scores": spread(outputs.scores, places, len(classes), absent=0.0),
        "decision_values": spread(outputs.decision_values, places, len(classes), absent=-np.inf),
        "score_kind": outputs.kind,
    }


def _states(
    model: Model, rows: NDArray[np.float32], fold: Fold, classes: Sequence[str]
) -> dict[str, Any]:
    outputs = predict_states(model.scorer, rows, fold.test)
    places = _places(classes, model.classes)
    values = outputs.decision_values
    if (how := _calibration(model)) is not None:
        assert outputs.scores is not None
        scores = calibrated_states(how.mapping, outputs.scores)
        states = (scores >= model.scorer.thresholds).astype(np.int8)
        outputs = StateOutputs(states, scores, "probability", None)
        values = None
    return {
        "y_pred": outputs.states[:, places],
        "scores": None if outputs.scores is None else outputs.scores[:, places],
        "decision_values": None if values is None else values[:, places],
        "score_kind": outputs.kind,
        "thresholds": None if outputs.scores is None else model.scorer.thresholds[places],
    }


def _calibration(model: Model) -> Calibration | None:
    """Return the calibration that the scores lack; those of a graph have it."""
    return None if model.estimator is None else model.manifest.calibration


def _places(names: Sequence[str], among: Sequence[str]) -> NDArray[np.intp]:
    at = {name: place for place, name in enumerate(among)}
    return np.array([at[name] for name in names], dtype=np.intp)
