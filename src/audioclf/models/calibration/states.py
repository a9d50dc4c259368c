"""Calibration of several labels per clip: each class by itself, on its labelled clips.

Each labelled pair of clip and class is a row of two classes, "no" and "yes", so that the effect is
measured as for one label per clip. The units stay those of the clips.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audioclf.dataset.targets import Targets
from audioclf.evaluation.class_fits import FEWEST
from audioclf.evaluation.results import FoldResult
from audioclf.models.calibration.effects import (
    Scored,
    ScoreEffects,
    about_effect,
    blocks_of,
    change,
)
from audioclf.models.calibration.maps import FLOOR, calibrated_states, fit_sigmoid
from audioclf.models.calibration.records import Calibration, Effect, Sigmoid

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_KEPT = (1.0, 0.0)
"""Slope and intercept of a class that keeps its scores."""

_EFFECTS: tuple[Effect, ...] = ("log_loss", "brier_score")


def effects_of_states(rows: Scored, *, seed: int) -> ScoreEffects:
    """Fit a sigmoid for each class on out-of-fold predictions, and measure its effect."""
    if any(fold.scores is None for fold in rows.folds):
        return ScoreEffects(notes=("was not calibrated: the classifier gives no scores",))
    n_classes = rows.targets.n_classes
    pairs = _pairs(rows)
    codes, scores = pairs.test % n_classes, pairs.scores[:, 1]
    mapping = _fitted(codes, scores, pairs, np.ones(len(codes), dtype=bool), n_classes)
    n_kept = list(zip(mapping.slopes, mapping.intercepts, strict=True)).count(_KEPT)
    if n_kept == n_classes:
        why = f"no class has {FEWEST} tested clips with it and without it"
        return ScoreEffects(notes=(f"was not calibrated: {why}",))
    effect = {}
    if pairs.n_units > 1:
        blocks, after = blocks_of(pairs.targets, pairs.test, seed=seed)[pairs.units], scores.copy()
        for block in np.unique(blocks):
            inside = blocks == block
            other = _fitted(codes, scores, pairs, ~inside, n_classes)
            after[inside] = _mapped(other, codes[inside], scores[inside])
        calibrated = pairs.with_scores(_both(after), pairs.predicted)
        effect = {each: change(each, pairs, calibrated, seed) for each in _EFFECTS}
    counts = {"clips": rows.n_clips, "units": pairs.n_units}
    calibration = Calibration(mapping=mapping, unit=rows.targets.unit, effect=effect, **counts)
    notes = [*about_effect(calibration)]
    if n_kept:
        notes.append(
            f"has uncalibrated scores of {n_kept} of {n_classes} classes: fewer than {FEWEST} "
            "tested clips have the class, or lack it, or the scores do not tell them apart"
        )
    return ScoreEffects(calibration, notes=tuple(notes))


def with_thresholds(calibration: Calibration, thresholds: Floats) -> tuple[Calibration, Floats]:
    """Return the calibration and the thresholds of calibrated scores, which give equal labels.

    A class whose threshold lies beyond the scores that a sigmoid tells apart keeps its scores.
    """
    mapping = calibration.mapping
    assert isinstance(mapping, Sigmoid)
    is_kept = (thresholds <= FLOOR) | (thresholds >= 1 - FLOOR)
    slopes = np.where(is_kept, 1.0, mapping.slopes)
    intercepts = np.where(is_kept, 0.0, mapping.intercepts)
    mapping = Sigmoid(slopes=tuple(slopes.tolist()), intercepts=tuple(intercepts.tolist()))
    new = calibrated_states(mapping, thresholds[None])[0]
    return calibration.model_copy(update={"mapping": mapping}), new


def _pairs(rows: Scored) -> Scored:
    """Return each labelled pair of a clip and a class as a row of the classes "no" and "yes"."""
    targets, states = rows.targets, rows.targets.states
    assert states is not None
    n_classes = states.shape[1]

    def of(fold: FoldResult) -> FoldResult:
        test = fold.fold.test
        known = states[test] >= 0
        at = (test[:, None] * n_classes + np.arange(n_classes))[known]
        assert fold.scores is not None
        return replace(
            fold,
            fold=replace(fold.fold, test=at),
            y_pred=fold.y_pred[known].astype(np.intp),
            scores=_both(fold.scores[known]),
            decision_values=None,
            thresholds=None,
        )

    weights = None if targets.weights is None else np.repeat(targets.weights, n_classes)
    of_pairs = Targets(
        ("no", "yes"),
        np.maximum(states, 0).ravel().astype(np.intp),
        "group",
        np.repeat(targets.unit_codes, n_classes),
        weights=weights,
    )
    return Scored(tuple(map(of, rows.folds)), of_pairs)


def _fitted(
    codes: Codes, scores: Floats, pairs: Scored, used: NDArray[np.bool_], n_classes: int
) -> Sigmoid:
    true, weights = pairs.true == 1, pairs.weights
    order = np.flatnonzero(used)[np.argsort(codes[used], kind="stable")]
    ends = np.searchsorted(codes[order], np.arange(n_classes + 1))
    lines = []
    for first, last in pairwise(ends.tolist()):
        at = order[first:last]
        n_yes = len(np.unique(pairs.test[at][true[at]]))
        line = _KEPT
        if min(n_yes, len(np.unique(pairs.test[at])) - n_yes) >= FEWEST:
            line = fit_sigmoid(scores[at], true[at], weights[at])
        lines.append(line if line[0] > 0 else _KEPT)
    return Sigmoid(slopes=tuple(a for a, _ in lines), intercepts=tuple(b for _, b in lines))


def _mapped(mapping: Sigmoid, codes: Codes, scores: Floats) -> Floats:
    """Return the calibrated score of each pair."""
    own = Sigmoid(
        slopes=tuple(np.asarray(mapping.slopes)[codes].tolist()),
        intercepts=tuple(np.asarray(mapping.intercepts)[codes].tolist()),
    )
    calibrated: Floats = calibrated_states(own, scores[None])[0]
    return calibrated


def _both(scores: Floats) -> Floats:
    return np.column_stack([1.0 - scores, scores])
