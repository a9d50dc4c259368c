"""Sounds of no known class: the threshold of a model, and its price.

A sound is unknown if it is stranger than all but a share `lost` of the known clips of other folds.
The price is measured by leaving out each class in turn: its clips are then sounds of a class that
the model did not learn. The threshold for a block of units (groups or clips) comes from the known
clips of the other blocks, so that none decides on itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from audioclf.base.errors import ClassifierError
from audioclf.dataset.targets import Codes, Targets
from audioclf.evaluation.metrics.bootstrap import interval, on_resamples, t_quantile
from audioclf.evaluation.results import FoldResult, PipelineResult
from audioclf.evaluation.splits import Fold, Splits
from audioclf.models.calibration.effects import blocks_of, share_of
from audioclf.models.calibration.records import Interval, Unknown
from audioclf.models.class_distance import ClassDistance
from audioclf.models.decisions import strangeness_of_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.evaluation.extra_settings import UnknownConfig
    from audioclf.evaluation.learning_curve import Fit

    Floats = NDArray[np.float64]

MOST_LEFT_OUT = 20
"""Classes that are left out at most; of more, so many are drawn."""


@dataclass(frozen=True)
class UnknownRule:
    """The rule of a final model; the distance is None for the method `score`."""

    record: Unknown
    distance: ClassDistance | None = None


def threshold(strangeness: Floats, weights: Floats, lost: float) -> float:
    """Return the value above which at most a share `lost` of new clips like these lies.

    It is that of split conformal prediction (Vovk et al., *Algorithmic Learning in a Random World*,
    2005): with `n` clips the one at rank `(n + 1) (1 - lost)`; infinity if there are too few. The
    weights of the rows of one clip sum to 1.
    """
    order = np.argsort(strangeness)
    ranks = np.cumsum(weights[order])
    at = int(np.searchsorted(ranks, (ranks[-1] + 1) * (1 - lost) - 1e-9))
    return float(strangeness[order][at]) if at < len(order) else math.inf


@dataclass(frozen=True)
class RowsOfTest:
    """Tested clips, row by row, and how strange they are to a model of the known classes."""

    targets: Targets
    test: Codes
    strangeness: Floats
    fold_sizes: Sequence[int]

    @property
    def codes(self) -> Codes:
        """Code of the class of each row."""
        codes: Codes = self.targets.codes[self.test]
        return codes

    @property
    def units(self) -> Codes:
        """Number of the resampling unit of each row."""
        units: Codes = self.targets.unit_codes[self.test]
        return units

    @property
    def weights(self) -> Floats:
        """Weight of each row; the sum is the number of clips, or of equal ones (Kish 1965)."""
        shares: Floats = 1.0 / np.bincount(self.test)[self.test]
        of_clips = self.targets.weights_of(self.test)
        if of_clips is None or not of_clips.any():
            return shares
        of_rows = shares * of_clips
        factor = float(of_rows.sum() / (of_rows * of_clips).sum())
        return of_rows * factor

    def called_unknown(self, left_out: int | None, lost: float, seed: int) -> NDArray[np.bool_]:
        """Return for each row whether the known clips of other blocks are less strange."""
        blocks = blocks_of(self.targets, self.test, seed=seed)[self.units]
        known = np.ones(len(self.test), dtype=bool) if left_out is None else self.codes != left_out
        weights, above = self.weights, np.full(len(self.test), math.inf)
        for block in np.unique(blocks):
            others = known & (blocks != block)
            if others.any():
                limit = threshold(self.strangeness[others], weights[others], lost)
                above[blocks == block] = limit
        return self.strangeness > above

    def loss_of_new(self, above: float, measured: float) -> tuple[float, float]:
        """Return the 95 % interval of the share of new known clips above a threshold of these.

        If it is that at rank k of n independent values, the share has the distribution
        Beta(n + 1 - k, k) (Vovk 2012, *JMLR W&CP* 25, 475-490). Here its variance is that over
        units, if that is larger, plus the variance of the folds that chance does not explain, as
        the final model is another one. The interval also holds that around the `measured` share,
        by thresholds of other units: with few of them a threshold fits its own units too well.
        """
        from scipy import special

        weights, over, n_units = self.weights, self.strangeness > above, len(np.unique(self.units))
        total = float(weights.sum())
        share = 1 - float(weights[~over].sum()) / (total + 1)
        excess = weights * (over - share)
        independent = share * (1 - share) / (total + 2)
        of_units = np.square(np.bincount(self.units, excess)).sum() / total**2
        variance = independent
        if n_units > 1:
            few = (t_quantile(n_units - 1) / special.ndtri(0.975)) ** 2
            variance = max(independent, few * float(of_units) * n_units / (n_units - 1))
        fold = np.repeat(np.arange(len(self.fold_sizes)), self.fold_sizes)
        of_fold = np.bincount(fold, weights)
        if len(of_fold) > 1 and of_fold.all():
            shares = np.bincount(fold, weights * over) / of_fold
            n_clips = np.square(of_fold) / np.bincount(fold, np.square(weights))
            chance = variance * (total + 2) / float(n_clips.mean())
            variance += max(0.0, float(shares.var(ddof=1)) - chance)
        n = max(1.0, share * (1 - share) / variance - 1)
        centers = np.array([share, measured if 0 < measured < 1 else share])
        ends = special.betaincinv(centers * n, (1 - centers) * n, [[0.025], [0.975]])
        return min(measured, float(ends.min())), max(measured, float(ends.max()))


class Search:
    """Measures the search for unknown sounds of one pipeline, and makes its final rule."""

    def __init__(
        self,
        settings: UnknownConfig,
        evaluated: PipelineResult,
        matrix: NDArray[np.float32],
        targets: Targets,
        fit: Fit,
        *,
        seed: int,
    ) -> None:
        self.settings, self.evaluated, self.targets = settings, evaluated, targets
        self.rows = evaluated.pipeline.views.plain(matrix)
        self.fit, self.seed = fit, seed

    def rule(self) -> tuple[UnknownRule | None, tuple[str, ...]]:
        """Return the rule with its price, and notes; each is the end of a sentence on the model."""
        folds, lost = self.evaluated.folds, self.settings.lost
        if self.settings.method == "score" and any(fold.scores is None for fold in folds):
            return None, ("finds no unknown sounds: its classifier gives no scores",)
        known = self._tested([fold.fold for fold in folds], folds)
        above = threshold(known.strangeness, known.weights, lost)
        if not math.isfinite(above):
            needed = math.ceil(1 / lost) - 1
            what = f"finds no unknown sounds: `lost: {lost:g}` needs {needed} tested clips or more"
            return None, (what,)
        left_out, notes = self._classes_to_leave_out()
        shares, price_lost = self._left_out(left_out)
        refused = _over_classes([share.value for share in shares.values()], self.seed)
        if price_lost is None:
            called = known.called_unknown(None, lost, self.seed)
            whole = np.ones(len(called), dtype=bool)
            price_lost = share_of(known.units, known.weights, called, whole, seed=self.seed)
        if price_lost is not None:
            low, high = known.loss_of_new(above, price_lost.value)
            price_lost = Interval(value=price_lost.value, low=low, high=high)
        record = Unknown(
            method=self.settings.method,
            lost=lost,
            above=above,
            measured_lost=price_lost,
            refused=refused,
            by_class={self.targets.classes[code]: share for code, share in shares.items()},
        )
        distance = None
        if self.settings.method == "distance":
            weights = self.targets.weights
            distance = ClassDistance.fit(
                self.rows, self.targets.codes, seed=self.seed, weights=weights
            )
        return UnknownRule(record, distance), (*notes, sentence(record))

    def _classes_to_leave_out(self) -> tuple[list[int], tuple[str, ...]]:
        clips = np.concatenate([f.fold.test for f in self.evaluated.folds])
        weights = self.targets.weights_of(clips)
        tested = np.unique(self.targets.codes[clips if weights is None else clips[weights > 0]])
        if len(tested) <= MOST_LEFT_OUT:
            return tested.tolist(), ()
        drawn = np.random.default_rng(self.seed).choice(tested, MOST_LEFT_OUT, replace=False)
        return sorted(drawn.tolist()), ()

    def _left_out(self, classes: Sequence[int]) -> tuple[dict[int, Interval], Interval | None]:
        """Return the share of clips called unknown of each class that is left out of training.

        The second is the share of the known clips that are lost at the same time.
        """
        least = 1 if self.settings.method == "distance" else 2
        codes = self.targets.codes
        folds: dict[int, list[Fold]] = {}
        for code in classes:
            smaller = [_without(result.fold, codes, code) for result in self.evaluated.folds]
            if min(len(np.unique(codes[fold.train])) for fold in smaller) >= least:
                folds[code] = smaller
        results = self._fitted([fold for of_class in folds.values() for fold in of_class])
        shares: dict[int, Interval] = {}
        parts = []
        for code, of_class in folds.items():
            rows = self._tested(
                of_class, None if results is None else list(islice(results, len(of_class)))
            )
            called = rows.called_unknown(code, self.settings.lost, self.seed)
            is_unknown = rows.codes == code
            share = share_of(
                rows.units, rows.weights, called & is_unknown, is_unknown, seed=self.seed
            )
            assert share is not None
            shares[code] = share
            parts.append((rows.units, rows.weights, called & ~is_unknown, ~is_unknown))
        if not parts:
            return {}, None
        units, weights, lost, known = (np.concatenate(part) for part in zip(*parts, strict=True))
        return shares, share_of(units, weights, lost, known, seed=self.seed)

    def _fitted(self, folds: Sequence[Fold]) -> Iterator[FoldResult] | None:
        """Return the predictions of the folds; None for the method `distance`, which fits none."""
        if self.settings.method == "distance" or not folds:
            return None
        try:
            splits = Splits(tuple(folds), "classes left out")
            (result,) = self.fit([self.evaluated.pipeline], splits=splits)
        except ClassifierError as exc:
            raise ClassifierError(f"unknown: with a class left out, {exc.message}") from exc
        return iter(result.folds)

    def _tested(self, folds: Sequence[Fold], results: Sequence[FoldResult] | None) -> RowsOfTest:
        """Return the test sides of folds with their strangeness."""
        test, sizes = np.concatenate([fold.test for fold in folds]), [len(f.test) for f in folds]
        if self.settings.method == "score":
            assert results is not None
            parts = [strangeness_of_scores(r.scores) for r in results if r.scores is not None]
            return RowsOfTest(self.targets, test, np.concatenate(parts), sizes)
        distances = []
        for fold in folds:
            train = fold.train
            codes, weights = self.targets.codes[train], self.targets.weights_of(train)
            model = ClassDistance.fit(self.rows[train], codes, seed=self.seed, weights=weights)
            distances.append(model.of(self.rows[fold.test]))
        return RowsOfTest(self.targets, test, np.concatenate(distances), sizes)


def _without(fold: Fold, codes: Codes, code: int) -> Fold:
    return Fold(fold.repeat, fold.name, fold.train[codes[fold.train] != code], fold.test)


def _over_classes(shares: Sequence[float], seed: int) -> Interval | None:
    """Return the mean of the shares with an interval over classes, as the next one is another."""
    if not shares:
        return None
    values, value = np.array(shares), float(np.mean(shares))

    def mean(counts: Floats) -> Floats:
        means: Floats = counts @ values / counts.sum(axis=1)
        return means

    low, high = interval(value, on_resamples(mean, len(values), seed=seed), len(values))
    if not math.isfinite(low):
        low, high = 0.0, 1.0
    return Interval(value=value, low=low, high=high)


def sentence(record: Unknown) -> str:
    """Return the price of a rule, as the end of a sentence on the model."""
    allowed = f"{100 * record.lost:g} %"
    lost = f"calls {allowed} of known clips unknown"
    if record.measured_lost is not None:
        lost = f"calls {_percent(record.measured_lost)} of known clips unknown ({allowed} allowed)"
    if record.refused is None:
        return f"{lost}; no class could be left out, so the share of unknown sounds is not measured"
    refused, many = record.refused, len(record.by_class)
    worst = min(record.by_class, key=lambda name: record.by_class[name].value)
    return (
        f"{lost} and {_percent(refused)} of the clips of a class that it did not learn ({many} "
        f"classes left out in turn; least of {worst!r}, {100 * record.by_class[worst].value:.0f} %)"
    )


def _percent(share: Interval) -> str:
    low, value, high = (100 * number for number in (share.low, share.value, share.high))
    return f"{value:.3g} % [{low:.3g}, {high:.3g}]"
