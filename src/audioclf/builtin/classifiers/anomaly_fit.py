"""Estimators of the detectors of anomalies."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, OutlierMixin
from sklearn.model_selection import GroupKFold, KFold
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioclf.plugin import ClassifierError

FEWEST = 10
HALF = 0.499999


class MeanDistance(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Mean distance to the nearest rows of the training."""

    def __init__(self, n_neighbors: int = 1) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any = None) -> MeanDistance:
        """Keep the rows."""
        self.neighbors_ = NearestNeighbors(n_neighbors=self.n_neighbors, algorithm="brute").fit(X)
        return self

    def score_samples(self, X: Any) -> Any:
        """Return the negative mean distance of each row."""
        return -self.neighbors_.kneighbors(X)[0].mean(axis=1)


class AnomalyClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The detectors of the inner folds, each with the strangeness of its own held-out clips.

    A new clip and the held-out clips are compared by the same detectors, none of which was fitted
    on them, so that p-values of new normal clips are nearly uniform (Vovk 2015, cross-conformal).
    """

    ranks_by_decision_function = True

    def __init__(self, component: Any, random_state: int = 0) -> None:
        self.component = component
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, clips: Any = None) -> AnomalyClassifier:
        """Fit on the rows of the normal class; `groups` and `clips` stay together in inner folds.

        Of several rows of a clip, the first is the clip itself, and only that counts among the
        held-out ones. ClassifierError if there are fewer than 10 normal clips, more rows than the
        detector takes, or all are of one group.
        """
        is_normal = np.asarray(y) == self.component.normal_code
        rows = np.ascontiguousarray(X[is_normal])
        units = groups if groups is not None else clips
        units = np.arange(len(rows)) if units is None else np.asarray(units)[is_normal]
        of_clips = np.arange(len(rows)) if clips is None else np.asarray(clips)[is_normal]
        first, n_units = np.unique(of_clips, return_index=True)[1], len(np.unique(units))
        if len(first) < FEWEST or n_units < 2:
            counted = f"{len(first)} normal clips of {n_units} groups"
            raise ClassifierError(
                f"{self.component.type_name()} needs {FEWEST} normal clips of 2 groups, and the "
                f"training side has {counted}"
            )
        if len(rows) > (most := self.component.most_rows):
            raise ClassifierError(
                f"{self.component.type_name()} takes {most:,} normal clips with their copies at "
                f"most, and the training side has {len(rows):,}",
                hint="Use `nearest_normal` or `isolation_forest`.",
            )
        lost = self.component.lost
        if 1 / (len(first) + 1) > lost:
            warnings.warn(
                f"no clip is called an anomaly: lost: {lost:g} needs {math.ceil(1 / lost) - 1} "
                f"normal clips, and the training side has {len(first)}",
                stacklevel=2,
            )
        n_splits = min(self.component.most_folds, n_units)
        if n_units == len(rows):
            folds = KFold(n_splits, shuffle=True, random_state=self.random_state).split(rows)
        else:
            folds = GroupKFold(n_splits).split(rows, groups=units)
        fold_of = np.empty(len(rows), dtype=np.int8)
        for number, (_, test) in enumerate(folds):
            fold_of[test] = number
        return self.fit_normal(rows, fold_of, np.isin(np.arange(len(rows)), first))

    def fit_normal(self, rows: Any, fold_of: Any, counts: Any) -> AnomalyClassifier:
        """Fit a detector without each fold of normal rows; `counts` are rows that are clips."""
        self.rows_, self.fold_of_, self.counts_ = rows, fold_of, counts
        self.detectors_, self.held_out_ = [], []
        for number in np.unique(fold_of):
            inside = fold_of == number
            detector = self.component.detector(int((~inside).sum()), self.random_state)
            self.detectors_.append(make_pipeline(StandardScaler(), detector).fit(rows[~inside]))
            strangeness = -self.detectors_[-1].score_samples(rows[inside & counts])
            self.held_out_.append(np.sort(strangeness))
        self.classes_ = np.arange(2)
        self.n_features_in_ = rows.shape[1]
        return self

    def _strangeness(self, X: Any) -> Any:
        """Return how strange rows are for each detector [shape=(n_detectors, n_rows)]."""
        return np.stack([-detector.score_samples(X) for detector in self.detectors_])

    def p_values(self, X: Any) -> Any:
        """Return the share of held-out normal clips at least as strange as each row.

        Values that differ by rounding are equal: the bits depend on the processor.
        """
        stranger, n = np.zeros(len(X), dtype=np.intp), 0
        for held_out, values in zip(self.held_out_, self._strangeness(X), strict=True):
            near = values - 1e-6 * _spread(held_out)
            stranger += len(held_out) - np.searchsorted(held_out, near, side="left")
            n += len(held_out)
        return (1 + stranger) / (n + 1)

    def decision_function(self, X: Any) -> Any:
        """Return how strange rows are, in standard deviations of held-out normal clips.

        It is positive for the second class, above the share `lost` of normal clips.
        """
        held_out = np.concatenate(self.held_out_)
        limit = np.quantile(held_out, 1 - self.component.lost)
        value = (self._strangeness(X).mean(axis=0) - limit) / _spread(held_out)
        return value if self.component.normal_code == 0 else -value

    def predict_proba(self, X: Any) -> Any:
        """Return scores by the p-values; an anomaly has more than 0.5."""
        p, lost = self.p_values(X), self.component.lost
        # Slightly above 0.5 where the p-value is `lost`, so that no two scores are equal.
        score = np.where(p <= lost, 1 - HALF * p / lost, HALF * (1 - p) / (1 - lost))
        columns = np.column_stack([1 - score, score])
        return columns if self.component.normal_code == 0 else columns[:, ::-1]

    def p_values_of_scores(self, scores: Any) -> Any:
        """Return the p-values of which `predict_proba` made the scores."""
        score, lost = scores[:, 1 - self.component.normal_code], self.component.lost
        return np.where(score > 0.5, (1 - score) * lost / HALF, 1 - score * (1 - lost) / HALF)

    def predict(self, X: Any) -> Any:
        """Return the code of each row: the other class where the p-value is at most `lost`."""
        return self.predict_proba(X).argmax(axis=1)


def _spread(held_out: Any) -> float:
    return max(float(held_out.std()), 1e-12)
