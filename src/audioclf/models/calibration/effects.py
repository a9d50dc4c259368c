"""Calibration fitted on out-of-fold predictions, its measured effect, and the cost of abstaining.

The calibration in a bundle is fitted on all out-of-fold scores. Its effect is measured by nested
calibration: units (groups or clips) are split into blocks, and the scores of each block are
calibrated by a fit on the other blocks, so no clip takes part in its own calibration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import difference_interval, interval, on_resamples
from audioclf.evaluation.metrics.estimate import bootstrap_values, metric_value
from audioclf.evaluation.results import FoldResult
from audioclf.models.calibration.maps import (
    MIN_ERRORS,
    calibrated,
    fit_calibration,
    has_few_errors,
    names_no_class,
    top_of,
)
from audioclf.models.calibration.records import (
    Abstention,
    Calibration,
    Change,
    Effect,
    Interval,
    Method,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

N_BLOCKS = 5
FEW_CLIPS = 50
"""With fewer clips, a run notes that the calibrated probabilities are unreliable."""
ISOTONIC_CLIPS = 200
"""With fewer clips, isotonic calibration overfits and is refused."""


@dataclass(frozen=True)
class ScoreEffects:
    """Calibration and abstention of a model; each note is the end of a sentence on the pipeline."""

    calibration: Calibration | None = None
    abstention: Abstention | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scored:
    """Out-of-fold predictions, row by row."""

    folds: tuple[FoldResult, ...]
    targets: Targets

    @property
    def test(self) -> Codes:
        """Position of the clip of each row."""
        return np.concatenate([fold.fold.test for fold in self.folds])

    @property
    def true(self) -> Codes:
        """True code of each row."""
        true: Codes = self.targets.codes[self.test]
        return true

    @property
    def units(self) -> Codes:
        """Number of the resampling unit of each row."""
        units: Codes = self.targets.unit_codes[self.test]
        return units

    @property
    def predicted(self) -> Codes:
        """Predicted code of each row."""
        return np.concatenate([fold.y_pred for fold in self.folds])

    @property
    def scores(self) -> Floats:
        """Scores of each row [shape=(n_rows, n_classes)]."""
        return np.concatenate([fold.scores for fold in self.folds if fold.scores is not None])

    @property
    def weights(self) -> Floats:
        """Weight of each row: the rows of one clip sum to 1, or to its weight if clips have some.

        The mean weight of a clip is 1.
        """
        shares = 1.0 / np.bincount(self.test)[self.test]
        of_clips = self.targets.weights_of(self.test)
        return (
            shares
            if of_clips is None
            else shares * (of_clips / np.average(of_clips, weights=shares))
        )

    @property
    def n_clips(self) -> int:
        """Number of tested clips."""
        return len(np.unique(self.test))

    @property
    def n_units(self) -> int:
        """Number of tested units."""
        return len(np.unique(self.units))

    def with_scores(self, scores: Floats, codes: Codes) -> Scored:
        """Return the same rows with other scores and predictions."""
        ends = np.cumsum([len(fold.fold.test) for fold in self.folds])[:-1]
        parts = zip(self.folds, np.split(scores, ends), np.split(codes, ends), strict=True)
        folds = tuple(replace(f, scores=s, y_pred=c, score_kind="probability") for f, s, c in parts)
        return replace(self, folds=folds)


def effects_of(
    rows: Scored, *, calibrate: Method | None, abstain_below: float | None, seed: int
) -> ScoreEffects:
    """Fit a calibration on out-of-fold predictions, and measure it and abstaining.

    The rows are those of all repeats. The seed is that of the blocks and of the resampling.
    """
    if any(fold.scores is None for fold in rows.folds):
        asked = {"was not calibrated": calibrate, "does not abstain": abstain_below}
        lost = [what for what, value in asked.items() if value is not None]
        return ScoreEffects(notes=tuple(f"{w}: the classifier gives no scores" for w in lost))
    why_not = None if calibrate is None else _why_not(calibrate, rows)
    notes: list[str] = []
    calibration, new_rows = None, rows
    if why_not is not None:
        notes = [f"was not calibrated: {why_not}"]
        if abstain_below is not None:
            notes[0] += f"; abstain_below {abstain_below:g} applies to its uncalibrated scores"
    if calibrate is not None and why_not is None:
        calibration, new_rows = _calibration(calibrate, rows, seed)
        notes += _warnings(rows, calibration)
    cost = None if abstain_below is None else abstention(new_rows, abstain_below, seed=seed)
    return ScoreEffects(calibration, cost, tuple(notes))


def _why_not(method: Method, rows: Scored) -> str | None:
    if method == "isotonic" and rows.n_clips < ISOTONIC_CLIPS:
        return (
            f"isotonic needs {ISOTONIC_CLIPS} tested clips, and there are {rows.n_clips}; use "
            "sigmoid or temperature"
        )
    classes = rows.targets.classes
    never = [classes[code] for code in np.setdiff1d(np.arange(len(classes)), rows.true)]
    if never and method != "temperature":
        return f"no clip of {never[0]!r} was tested, which {method} needs; use temperature"
    return None


def _warnings(rows: Scored, calibration: Calibration) -> Iterator[str]:
    if rows.n_clips < FEW_CLIPS:
        yield (
            f"was calibrated on {rows.n_clips} clips, fewer than {FEW_CLIPS}: do not rely on its "
            "probabilities"
        )
    few = has_few_errors(rows.scores, rows.true, rows.weights)
    if calibration.method == "temperature" and few:
        yield (
            f"made fewer than {MIN_ERRORS} errors on {rows.n_clips} tested clips, too few to show "
            "how sure its scores may be: the temperature is at least 1"
        )
    yield from about_effect(calibration)


def about_effect(calibration: Calibration) -> Iterator[str]:
    """Yield a note if calibration did not help, or its effect was not measured."""
    loss = calibration.effect.get("log_loss")
    if loss is None:
        yield "was calibrated, but there are too few units to measure the effect"
    elif loss.after > loss.before:
        yield (
            f"has a log loss of {loss.after:.3f} with calibration and {loss.before:.3f} without: "
            "calibration did not help"
        )


def _calibration(method: Method, rows: Scored, seed: int) -> tuple[Calibration, Scored]:
    """Return the calibration for the bundle, and the rows as calibrated on new clips."""
    mapping = fit_calibration(method, rows.scores, rows.true, rows.weights)
    effect: dict[Effect, Change] = {}
    if rows.n_units < 2:
        scores = calibrated(mapping, rows.scores)
        after = rows.with_scores(scores, top_of(scores, rows.scores))
    else:
        after = nested(method, rows, seed=seed)
        effect = {each: change(each, rows, after, seed) for each in get_args(Effect)}
    counts = {"clips": rows.n_clips, "units": rows.n_units}
    return Calibration(mapping=mapping, unit=rows.targets.unit, effect=effect, **counts), after


def nested(method: Method, rows: Scored, *, seed: int) -> Scored:
    """Calibrate each block of units by a fit on the other blocks; there are at least 2 units."""
    blocks = blocks_of(rows.targets, rows.test, seed=seed)[rows.units]
    scores, y_true, weights = rows.scores, rows.true, rows.weights
    after = np.empty_like(scores)
    for block in np.unique(blocks):
        inside, others = blocks == block, blocks != block
        mapping = fit_calibration(method, scores[others], y_true[others], weights[others])
        after[inside] = calibrated(mapping, scores[inside])
    return rows.with_scores(after, top_of(after, scores))


def blocks_of(targets: Targets, test: Codes, *, seed: int) -> Codes:
    """Return the block of each unit of the tested clips, stratified by class; -1 for others."""
    test = np.unique(test)
    tested, first = np.unique(targets.unit_codes[test], return_index=True)
    chance = np.random.default_rng(seed).permutation(len(tested))
    order = np.lexsort((chance, targets.codes[test[first]]))
    blocks = np.full(int(targets.unit_codes.max()) + 1, -1)
    blocks[tested[order]] = np.arange(len(tested)) % min(N_BLOCKS, len(tested))
    return blocks


def change(metric: Effect, rows: Scored, after: Scored, seed: int) -> Change:
    """Measure scores of any kind as if they were probabilities."""
    before = rows.with_scores(rows.scores, rows.predicted)
    both = (before, after)
    values = bootstrap_values(both, metric, rows.targets, seed=seed)
    low, high = difference_interval(values[1] - values[0])
    was, now = (metric_value(each, metric, rows.targets) for each in both)
    return Change(before=was, after=now, low=low, high=high)


def abstention(rows: Scored, below: float, *, seed: int) -> Abstention:
    """Measure the effects of giving no class below a score, or where two classes share the top."""
    codes, y_true = rows.predicted, rows.true
    kept = ~names_no_class(rows.scores, codes, below)
    right, ones = codes == y_true, np.ones(len(codes), dtype=bool)

    def share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Interval | None:
        return share_of(rows.units, rows.weights, part & whole, whole, seed=seed)

    withheld, accuracy = share(~kept, ones), share(right, ones)
    assert withheld is not None
    assert accuracy is not None
    return Abstention(
        clips=rows.n_clips,
        units=rows.n_units,
        unit=rows.targets.unit,
        abstained=withheld,
        accuracy=accuracy,
        accuracy_of_rest=share(right, kept),
        errors_avoided=share(~kept, ~right),
    )


def share_of(
    units: Codes, weights: Floats, part: NDArray[np.bool_], whole: NDArray[np.bool_], *, seed: int
) -> Interval | None:
    """Return a share of weighted rows with an interval over units; None if `whole` is empty."""
    if not whole.any():
        return None
    tested, unit = np.unique(units, return_inverse=True)
    of_part, of_whole = (
        np.bincount(unit, weights * mask, minlength=len(tested)) for mask in (part, whole)
    )

    def ratio(counts: Floats) -> Floats:
        total = (counts * of_whole).sum(axis=1)
        nothing = np.full(len(counts), np.nan)
        shares: Floats = (counts * of_part).sum(axis=1)
        ratios: Floats = np.divide(shares, total, out=nothing, where=total > 0)
        return ratios

    value = float(of_part.sum() / of_whole.sum())
    low, high = interval(value, on_resamples(ratio, len(tested), seed=seed), len(tested))
    if not math.isfinite(low):
        low = high = value
    return Interval(value=value, low=low, high=high)
