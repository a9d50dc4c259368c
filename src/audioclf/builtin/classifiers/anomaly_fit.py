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

N_FOLDS = 5
FEWEST = 10


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
    """A detector with the strangeness of held-out normal clips, `held_out_`, in rising order."""

    ranks_by_decision_function = True

    def __init__(self, component: Any, random_state: int = 0) -> None:
        self.component = component
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, clips: Any = None) -> AnomalyClassifier:
        """Fit on the rows of the normal class; `groups` and `clips` stay together in inner folds.

        Of several rows of a clip, the first is the clip itself, and only that counts among the
        held-out ones. ClassifierError if there are fewer than 10 normal clips, or all are of one
        group.
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
        lost = self.component.lost
        if 1 / (len(first) + 1) > lost:
            warnings.warn(
                f"no clip is called an anomaly: lost: {lost:g} needs {math.ceil(1 / lost) - 1} "
                f"normal clips, and the training side has {len(first)}",
                stacklevel=2,
            )
        held_out, n_splits = np.empty(len(rows)), min(N_FOLDS, n_units)
        if n_units == len(rows):
            folds = KFold(n_splits, shuffle=True, random_state=self.random_state).split(rows)
        else:
            folds = GroupKFold(n_splits).split(rows, groups=units)
        for train, test in folds:
            held_out[test] = -self._fitted(rows[train]).score_samples(rows[test])
        return self.fit_normal(rows, np.sort(held_out[first]))

    def fit_normal(self, rows: Any, held_out: Any) -> AnomalyClassifier:
        """Fit the detector on normal rows, with the strangeness of held-out ones."""
        self.rows_, self.held_out_ = rows, held_out
        self.detector_ = self._fitted(rows)
        self.classes_ = np.arange(2)
        self.n_features_in_ = rows.shape[1]
        return self

    def _fitted(self, rows: Any) -> Any:
        detector = self.component.detector(len(rows), self.random_state)
        return make_pipeline(StandardScaler(), detector).fit(rows)

    def p_values(self, X: Any) -> Any:
        """Return the share of held-out normal clips at least as strange as each row."""
        strangeness = -self.detector_.score_samples(X)
        n = len(self.held_out_)
        stranger = n - np.searchsorted(self.held_out_, strangeness, side="left")
        return (1 + stranger) / (n + 1)

    def decision_function(self, X: Any) -> Any:
        """Return how strange rows are, in standard deviations of held-out normal clips.

        It is positive for the second class, above the share `lost` of normal clips.
        """
        strangeness = -self.detector_.score_samples(X)
        spread = max(float(self.held_out_.std()), 1e-12)
        limit = np.quantile(self.held_out_, 1 - self.component.lost)
        value = (strangeness - limit) / spread
        return value if self.component.normal_code == 0 else -value

    def predict_proba(self, X: Any) -> Any:
        """Return scores by the p-values; an anomaly has more than 0.5."""
        p, lost = self.p_values(X), self.component.lost
        # Slightly above 0.5 where the p-value is `lost`, so that no two scores are equal.
        score = np.where(p <= lost, 1 - 0.499999 * p / lost, 0.499999 * (1 - p) / (1 - lost))
        columns = np.column_stack([1 - score, score])
        return columns if self.component.normal_code == 0 else columns[:, ::-1]

    def predict(self, X: Any) -> Any:
        """Return the code of each row: the other class where the p-value is at most `lost`."""
        return self.predict_proba(X).argmax(axis=1)
