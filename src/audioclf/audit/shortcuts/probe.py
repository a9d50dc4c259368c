"""Forests on tables of facts, which predict the labels of clips without their sound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from audioclf.audit.inputs import Floats
from audioclf.audit.remembered import Remember, computed
from audioclf.audit.shortcuts.facts import WORDS
from audioclf.base.text import human_number
from audioclf.components.metrics import Metric
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Codes, Targets
from audioclf.evaluation.metrics.estimate import Estimate, estimate
from audioclf.evaluation.results import FoldResult, PipelineResult, Predicted, SomeFolds
from audioclf.evaluation.splits import Fold

if TYPE_CHECKING:
    from numpy.typing import NDArray


TREES = 50
MAX_TRAINED = 5000
"""Largest number of clips that a forest is fitted on, drawn at random."""

MANY, FEWER_TREES = 2000, 20
"""Clips above which a forest has fewer trees, whose thresholds are drawn from ranks, not searched.

It takes less than a third of the time. `benchmarks/shortcut_power.py` compares the power.
"""

SPREAD = 1.4
"""Factor on the bootstrap's uncertainty, since clips of a fold share one forest.

Of 450 tables of 98 clips without information on the class, 1 in 40 is a false alarm with this
factor, and 1 in 12 without it.
"""

_TREE = {"max_depth": 6, "min_samples_leaf": 3}

MIN_AUC = 0.6
"""ROC AUC from which a single fact is named."""


@dataclass(frozen=True)
class Column:
    """A fact: a number with its name, or whether a clip has a value, by its description."""

    name: str
    is_share: bool
    values: Floats


@dataclass(frozen=True)
class ProbeResult:
    """The metric of the forest on one table of facts, beside chance and the best facts."""

    metric: Metric
    estimate: Estimate
    chance: float
    rows: list[dict[str, Any]]
    elsewhere: dict[str, Any] | None = None
    spread: float = SPREAD

    @property
    def above_chance(self) -> bool:
        """Whether the forest is better than chance by more than its uncertainty."""
        estimate = self.estimate
        return estimate.value - self.spread * (estimate.value - estimate.low) > self.chance

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        data = {**_interval(self.metric, self.estimate), "chance": self.chance, "facts": self.rows}
        return data | ({"elsewhere": self.elsewhere} if self.elsewhere else {})


@dataclass(frozen=True)
class Best:
    """The best pipeline of the run by the metric of the forests."""

    name: str
    metric: Metric
    estimate: Estimate

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"name": self.name, **_interval(self.metric, self.estimate)}


def _interval(metric: Metric, estimate: Estimate) -> dict[str, float]:
    return {metric: estimate.value, "low": estimate.low, "high": estimate.high}


class ShortcutProbe:
    """Fits forests on tables of facts, on the same clips, folds and resampling units for all."""

    metric: ClassVar[Metric] = "balanced_accuracy"
    words: ClassVar[tuple[str, str]] = ("class", "balanced accuracy")
    """What is predicted, and the metric in words."""

    def __init__(
        self, dataset: Dataset, folds: Sequence[Fold], seed: int, remember: Remember = computed
    ) -> None:
        self.targets = dataset.targets
        self.folds = folds
        self.seed, self.remember = seed, remember

    def fit(self, columns: Sequence[Column]) -> ProbeResult:
        """Return the result of a forest on these columns."""
        from scipy.stats import rankdata

        X = np.column_stack([column.values for column in columns]).astype(np.float32)
        if len(X) > MANY:
            X = np.column_stack([rankdata(values) for values in X.T]).astype(np.float32)
        sides = [side for fold in self.folds for side in (fold.train, fold.test)]
        truth = self.targets.truth
        predicted = self.remember(
            f"forest on facts, seed {self.seed}",
            [type(self._forest(len(X))).__name__, X, truth, *sides],
            lambda: [self._predict(X, fold).tolist() for fold in self.folds],
        )
        folds = tuple(
            FoldResult(fold, np.array(values, dtype=truth.dtype), None, "none", 0, 0)
            for fold, values in zip(self.folds, predicted, strict=True)
        )
        rows = [self._row(column) for column in columns]
        rows.sort(key=self.worth, reverse=True)
        estimate = self._estimate(SomeFolds(folds))
        return ProbeResult(self.metric, estimate, self._chance(), rows)

    def best_facts(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """Return the end of a sentence on the most predictive facts."""
        best = [row for row in rows[:2] if self.worth(row) >= MIN_AUC]
        if not best:
            return "; no single fact is enough"
        return "; most predictive: " + ", ".join(map(self._fact_text, best))

    def _chance(self) -> float:
        tested = np.concatenate([fold.test for fold in self.folds])
        return 1.0 / len(np.unique(self.targets.codes[tested]))

    def _row(self, column: Column) -> dict[str, Any]:
        return row_of_class(column, self.targets)

    def worth(self, row: Mapping[str, Any]) -> float:
        """Return how well a single fact tells the label, from 0.5 to 1."""
        return float(row["auc"])

    def _fact_text(self, row: Mapping[str, Any]) -> str:
        inside, others, label = row["in_class"], row["elsewhere"], row["label"]
        if row["measure"] == "share":
            shares = f"{100 * inside:.0f} % of {label!r} and {100 * others:.0f} % of the others"
            return f"{shares} are {row['fact']}"
        words = WORDS[row["fact"]]
        if inside == others:
            return (
                f"the {words} differs in {label!r} (ROC AUC {row['auc']:.2f}), but not its median"
            )
        first, second = human_number(inside), human_number(others)
        return f"the median {words} is {first} in {label!r} and {second} in the others"

    def interval_note(self) -> str:
        """Return the reason if there are no intervals, and so no findings; else ""."""
        tested = np.concatenate([fold.test for fold in self.folds])
        if len(np.unique(self.targets.unit_codes[tested])) > 1:
            return ""
        return (
            f" Only 1 {self.targets.unit} is tested, so there are no intervals, and no table is "
            "reported as better than chance."
        )

    def best(self, results: Iterable[PipelineResult]) -> Best | None:
        """Return the best pipeline that is not a baseline."""
        learned = [r for r in results if not r.pipeline.is_baseline]
        pipelines = [
            Best(result.pipeline.name, self.metric, self._estimate(result)) for result in learned
        ]
        return max(pipelines, key=lambda pipeline: pipeline.estimate.value, default=None)

    def _predict(self, X: NDArray[np.float32], fold: Fold) -> NDArray[Any]:
        train = fold.train
        if len(train) > MAX_TRAINED:
            train = np.random.default_rng(self.seed).choice(train, MAX_TRAINED, replace=False)
        truth = self.targets.truth
        forest = self._forest(len(X)).fit(X[train], truth[train])
        predicted: NDArray[Any] = forest.predict(X[fold.test])
        return predicted

    def _forest(self, n_clips: int) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

        kind = ExtraTreesClassifier if n_clips > MANY else RandomForestClassifier
        options = {"class_weight": "balanced", "random_state": self.seed}
        return kind(n_estimators=_n_trees(n_clips), **_TREE, **options)

    def _estimate(self, result: Predicted) -> Estimate:
        value = estimate(result, self.metric, self.targets, seed=self.seed)
        assert value is not None
        return value


class NumberProbe(ShortcutProbe):
    """Fits forests that predict numbers; a fact is rated by its rank correlation with them."""

    metric = "spearman"
    words = ("number", "Spearman correlation")

    def _chance(self) -> float:
        return 0.0

    def _forest(self, n_clips: int) -> Any:
        from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

        kind = ExtraTreesRegressor if n_clips > MANY else RandomForestRegressor
        return kind(n_estimators=_n_trees(n_clips), **_TREE, random_state=self.seed)

    def _row(self, column: Column) -> dict[str, Any]:
        from scipy.stats import spearmanr

        correlation = spearmanr(column.values, self.targets.truth).statistic
        return {"fact": column.name, "correlation": round(float(correlation), 4)}

    @override
    def worth(self, row: Mapping[str, Any]) -> float:
        return (1.0 + abs(float(row["correlation"]))) / 2.0  # as an AUC

    def _fact_text(self, row: Mapping[str, Any]) -> str:
        words = WORDS.get(row["fact"], row["fact"])
        return f"{words}, whose rank correlation with the number is {row['correlation']:.2f}"


def _n_trees(n_clips: int) -> int:
    return FEWER_TREES if n_clips > MANY else TREES


def probe_for(
    dataset: Dataset, folds: Sequence[Fold], seed: int, remember: Remember
) -> ShortcutProbe:
    """Return the probe for the labels of a dataset."""
    kind = NumberProbe if dataset.is_numbers else ShortcutProbe
    return kind(dataset, folds, seed, remember)


def row_of_class(column: Column, targets: Targets, code: int | None = None) -> dict[str, Any]:
    """Return a class, or that which a single fact separates best from the others, and its AUC."""
    y = targets.codes
    auc = _aucs(column.values, y)
    if code is None:
        code = int(np.argmax(np.abs(auc - 0.5) + 1e-9 * auc))
    inside = y == code
    middle = np.mean if column.is_share else np.median
    return {
        "fact": column.name,
        "label": targets.classes[code],
        "auc": round(float(max(auc[code], 1.0 - auc[code])), 4),
        "measure": "share" if column.is_share else "median",
        "in_class": round(float(middle(column.values[inside])), 4) + 0.0,  # no -0.0
        "elsewhere": round(float(middle(column.values[~inside])), 4) + 0.0,
    }


def _aucs(values: Floats, y: Codes) -> Floats:
    """Return each class's ROC AUC against the rest, a fact taken as a score (Mann-Whitney's U)."""
    from scipy.stats import rankdata

    counts = np.bincount(y)
    ranks = np.bincount(y, weights=rankdata(values))
    aucs: Floats = (ranks - counts * (counts + 1) / 2) / np.maximum(counts * (len(y) - counts), 1)
    return aucs
