"""Cost of leakage: the score of one pipeline with the groups of clips shared and kept apart.

Both scores use the same clips, features, classifier and seed, about as many folds and a single
repeat, and intervals over the same resampling units. They differ in one point: whether the speaker,
the recording or the copy that is tested is also in training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit.inputs import Rescoring
from audioclf.base.errors import ClassifierError, SplitError
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.metrics.estimate import estimate
from audioclf.evaluation.splits import (
    GroupKFold,
    LeaveOneGroupOut,
    Split,
    Splits,
    StratifiedGroupKFold,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]

MOST_FOLDS = 10
"""Most folds of the split that separates no unit."""

_MANY_GROUPS = 5000
"""Above this number folds are not stratified, since scikit-learn's search for them gets slow."""


def cost_of_leakage(
    rescoring: Rescoring, dataset: Dataset, units: Codes, words: tuple[str, str, str]
) -> dict[str, Any]:
    """Score a pipeline with units on both sides of the split, and with units kept together.

    `units` [shape=(n_clips,)] numbers the copy set, group or recording of each clip; `words`
    describe the two scores. In the result, `shared` and `apart` have `value`, `low`, `high`,
    `split` and `train_clips`; both are None if one is impossible, and `sentence` gives the reason.
    """
    facts: dict[str, Any] = {"cell": rescoring.pipeline.name, "metric": rescoring.metric}
    try:
        shared = _once(rescoring.split).folds(dataset, rescoring.seed)
        apart = _apart(dataset, units, shared, rescoring.seed)
        facts["shared"] = _score(rescoring, dataset, units, shared)
        facts["apart"] = _score(rescoring, dataset, units, apart)
    except (SplitError, ClassifierError) as exc:
        reason = f"The cost of this leak cannot be measured: {exc.message}"
        return {**facts, "shared": None, "apart": None, "sentence": reason}
    facts["sentence"] = (
        f"Pipeline {rescoring.pipeline.name}: {rescoring.metric} "
        f"{_text(facts['shared'], words[2])} {words[0]}, "
        f"{_text(facts['apart'], words[2])} {words[1]}"
    )
    return facts


def _once(split: Split) -> Split:
    return split.model_copy(update={"repeats": 1}) if hasattr(split, "repeats") else split


def _apart(dataset: Dataset, units: Codes, shared: Splits, seed: int) -> Splits:
    """Return a split of about as many folds that separates no unit."""
    clips = [
        replace(clip, group=str(unit)) for clip, unit in zip(dataset, units.tolist(), strict=True)
    ]
    grouped = dataset.with_clips(clips)
    n_units, n_folds = len(np.unique(units)), min(_n_folds(shared, len(dataset)), MOST_FOLDS)
    if n_units == 1:
        raise SplitError(
            "copies, groups and recordings link all clips, so no split keeps them apart"
        )
    if n_units <= max(n_folds, MOST_FOLDS):
        return LeaveOneGroupOut().folds(grouped, seed)
    if n_units > _MANY_GROUPS:
        return GroupKFold(n_splits=n_folds).folds(grouped, seed)
    return StratifiedGroupKFold(n_splits=n_folds).folds(grouped, seed)


def _n_folds(splits: Splits, n_clips: int) -> int:
    """Return how many folds have test sides as large as these."""
    test = float(np.mean([len(fold.test) for fold in splits.folds]))
    return max(2, round(n_clips / test))


def _score(
    rescoring: Rescoring, dataset: Dataset, units: Codes, splits: Splits
) -> dict[str, Any] | None:
    targets = replace(dataset.targets, unit="group", unit_codes=units, groups=None)
    seed, parts = rescoring.seed, (rescoring.matrices, targets, splits)
    (result,) = evaluate([rescoring.pipeline], *parts, seed=seed, fit_cache=rescoring.fit_cache)
    score = estimate(result, rescoring.metric, targets, seed=seed)
    if score is None:
        return None
    train = float(np.mean([len(fold.train) for fold in splits.folds]))
    interval = {"value": score.value, "low": score.low, "high": score.high}
    tested = len(np.unique(units[np.concatenate([fold.test for fold in splits.folds])]))
    facts = {"units": tested, "split": splits.description, "train_clips": round(train)}
    return {**interval, **facts}


def _text(score: Mapping[str, Any] | None, unit: str) -> str:
    if score is None:
        return "n/a"
    if score["units"] == 1:
        return f"{score['value']:.3f} (no interval: all test clips are of one {unit})"
    if not np.isfinite([score["low"], score["high"]]).all():
        return f"{score['value']:.3f}"
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
