"""Whether the class can be told without listening: from the format, the recording, the timing.

A random forest learns the class from nothing but a table of facts, on the folds of the run. Its
balanced accuracy is held against chance and against what the pipelines of the run reach. Three
tables are tried apart, since they mean different things:

format
    Container, encoding, sample rate, channels, chunks of the header. None of it is sound: whatever
    it tells comes from who recorded what, and with which device.
recording
    Level, noise floor, bandwidth and the like. A bark is louder than a purr, so this is doubtful
    only where it tells about as much as the pipelines do.
timing
    Duration and the silence before and after. How long a sound lasts is often what it is, so this
    is doubtful only where it tells nearly everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.audit.findings import Audit, Finding, Severity
from audioclf.audit.shortcuts.facts import FACTS, FORMAT_FACTS, FileFormat
from audioclf.audit.shortcuts.formats import find_habits, habit_finding, words_for
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.metrics.estimate import Estimate, estimate
from audioclf.evaluation.results import FoldResult, PipelineResult
from audioclf.evaluation.splits import Fold, Splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]
    Floats = NDArray[np.float64]

NAMES = ("shortcut", "shortcut-recording", "shortcut-timing", "recording-habit")
"""The findings of this audit."""

MAX_FOLDS = 5
TREES = 50
MAX_TRAINED = 5000
"""Clips that a forest learns from at most, drawn at random; a rule this simple needs no more."""

SPREAD = 1.4
"""How much wider than the bootstrap says the uncertainty is: clips of a fold share one forest.

Of 450 tables of 98 clips that know nothing of the class, 1 in 40 seems to tell it with this factor,
and 1 in 12 without it.
"""

CLOSE = 0.9
"""Share of the best cell's gain over chance from which on a table tells about as much."""

NEARLY_ALL = 0.9
"""Balanced accuracy from which on the timing tells nearly everything."""

_MAX_VALUES = 30
_MIN_AUC = 0.6

Kind = Literal["format", "recording", "timing"]
_KINDS: tuple[Kind, ...] = ("format", "recording", "timing")


def audit_shortcuts(
    dataset: Dataset,
    facts: NDArray[np.float32],
    formats: Mapping[str, FileFormat],
    splits: Splits,
    results: Sequence[PipelineResult] = (),
    *,
    seed: int,
) -> Audit:
    """Look for ways to the label that do not lead through the sound.

    Parameters
    ----------
    dataset : Dataset
    facts : np.ndarray [shape=(n_clips, n_facts)], float32
        Waveform facts, a row per clip of the dataset, columns as in `FACTS`.
    formats : mapping of str to FileFormat
        By id of the clip.
    splits : Splits
        Of the run; not more than `MAX_FOLDS` folds are made of them.
    results : sequence of PipelineResult
        What the pipelines of the run reach on these splits, the baseline among them or not.
    seed : int
    """
    folds, how = few_folds(splits)
    judge = _Judge(dataset, folds, seed)
    judged = {kind: judge.judge(table) for kind, table in _tables(dataset, facts, formats)}
    best = judge.best(results)
    habits = habit_finding(dataset, find_habits(dataset, formats))
    findings = [_finding(kind, judged[kind], best) for kind in _KINDS if kind in judged]
    return Audit(
        "shortcuts",
        "Shortcuts",
        _summary(dataset, judged, how),
        [finding for finding in (habits, *findings) if finding is not None],
        {"best_pipeline": best and best.to_data()}
        | {kind: judged[kind].to_data() if kind in judged else None for kind in _KINDS},
    )


def few_folds(splits: Splits) -> tuple[tuple[Fold, ...], str]:
    """Return at most `MAX_FOLDS` folds that keep apart what the splits do, and how they were made.

    Folds of the first repeat are put together where there are more: the union of their test sides,
    the intersection of their training sides. Of repeated holdout, the first repeats are taken.
    """
    all_folds = splits.folds
    first = [fold for fold in all_folds if fold.repeat == all_folds[0].repeat]
    if len(first) == 1:
        kept = all_folds[:MAX_FOLDS]
        return kept, _share_of(len(kept), len(all_folds))
    if len(first) <= MAX_FOLDS:
        return tuple(first), _share_of(len(first), len(all_folds))
    bunches = [first[start::MAX_FOLDS] for start in range(MAX_FOLDS)]
    merged = tuple(_merged(number, bunch) for number, bunch in enumerate(bunches))
    return merged, f"{len(first)} folds of the run put together to {MAX_FOLDS}"


def _share_of(kept: int, there: int) -> str:
    return f"{kept} of the {there} folds of the run" if kept < there else "the folds of the run"


def _merged(number: int, folds: Sequence[Fold]) -> Fold:
    test = np.unique(np.concatenate([fold.test for fold in folds]))
    train = folds[0].train
    for fold in folds[1:]:
        train = np.intersect1d(train, fold.train)
    return Fold(folds[0].repeat, str(number), np.setdiff1d(train, test), test)


@dataclass(frozen=True)
class _Column:
    """A fact: a number with its name, or whether a clip has a value, in words."""

    name: str
    is_share: bool
    values: Floats


@dataclass(frozen=True)
class _Predictions:
    folds: tuple[FoldResult, ...]


@dataclass(frozen=True)
class _Judged:
    """What one table of facts tells."""

    found: Estimate
    chance: float
    rows: list[dict[str, Any]]

    @property
    def above_chance(self) -> bool:
        found = self.found
        return found.value - SPREAD * (found.value - found.low) > self.chance

    def to_data(self) -> dict[str, Any]:
        return {**_interval(self.found), "chance": self.chance, "facts": self.rows}


@dataclass(frozen=True)
class _Best:
    name: str
    found: Estimate

    def to_data(self) -> dict[str, Any]:
        return {"name": self.name, **_interval(self.found)}


def _interval(found: Estimate) -> dict[str, float]:
    return {"balanced_accuracy": found.value, "low": found.low, "high": found.high}


def _tables(
    dataset: Dataset, facts: NDArray[np.float32], formats: Mapping[str, FileFormat]
) -> Iterator[tuple[Kind, list[_Column]]]:
    """Yield the tables that hold a fact in which clips differ."""
    tables: dict[Kind, list[_Column]] = {"format": list(_format_columns(dataset, formats))}
    for column, fact in enumerate(FACTS):
        values = facts[:, column].astype(np.float64)
        if np.ptp(values) > 0:
            tables.setdefault(fact.kind, []).append(_Column(fact.name, False, values))
    yield from ((kind, columns) for kind, columns in tables.items() if columns)


def _format_columns(dataset: Dataset, formats: Mapping[str, FileFormat]) -> Iterator[_Column]:
    """Yield a column for each value of a fact, or one column where there are two values."""
    for fact in FORMAT_FACTS:
        values = [getattr(formats.get(clip.id), fact, "") for clip in dataset]
        different = sorted(set(values), key=lambda value: (values.count(value), str(value)))
        if len(different) == 2:
            different = different[:1]
        elif len(different) == 1:
            continue
        for value in different[-_MAX_VALUES:]:
            has = np.array([each == value for each in values], dtype=np.float64)
            yield _Column(words_for(fact, value), True, has)


class _Judge:
    """Measures what a table tells, on the same clips, folds and units for all tables."""

    def __init__(self, dataset: Dataset, folds: Sequence[Fold], seed: int) -> None:
        self.dataset = dataset
        self.targets = dataset.targets
        self.y: Codes = dataset.targets.codes
        self.folds = folds
        self.seed = seed

    def judge(self, columns: Sequence[_Column]) -> _Judged:
        X = np.column_stack([column.values for column in columns]).astype(np.float32)
        folds = tuple(self._fit(X, fold) for fold in self.folds)
        tested = np.concatenate([fold.test for fold in self.folds])
        chance = 1.0 / len(np.unique(self.y[tested]))
        rows = [_row(column, self.y, self.dataset.classes) for column in columns]
        rows.sort(key=lambda row: -row["auc"])
        return _Judged(self._estimate(_Predictions(folds)), chance, rows)

    def best(self, results: Iterable[PipelineResult]) -> _Best | None:
        """Return the best pipeline that learns; no baseline does."""
        learnt = [r for r in results if not r.pipeline.is_baseline]
        pipelines = [_Best(result.pipeline.name, self._estimate(result)) for result in learnt]
        return max(pipelines, key=lambda pipeline: pipeline.found.value, default=None)

    def _fit(self, X: NDArray[np.float32], fold: Fold) -> FoldResult:
        from sklearn.ensemble import RandomForestClassifier

        train = fold.train
        if len(train) > MAX_TRAINED:
            train = np.random.default_rng(self.seed).choice(train, MAX_TRAINED, replace=False)
        forest = RandomForestClassifier(
            n_estimators=TREES,
            max_depth=6,
            min_samples_leaf=3,
            class_weight="balanced",
            random_state=self.seed,
        )
        forest.fit(X[train], self.y[train])
        return FoldResult(fold, forest.predict(X[fold.test]).astype(np.intp), None, "none", 0, 0)

    def _estimate(self, result: PipelineResult | _Predictions) -> Estimate:
        found = estimate(result, "balanced_accuracy", self.targets, seed=self.seed)
        assert found is not None
        return found


def _row(column: _Column, y: Codes, classes: Sequence[str]) -> dict[str, Any]:
    """Say which class a single fact tells best from the others, and how well."""
    auc = _aucs(column.values, y)
    code = int(np.argmax(np.abs(auc - 0.5) + 1e-9 * auc))
    inside = y == code
    middle = np.mean if column.is_share else np.median
    return {
        "fact": column.name,
        "label": classes[code],
        "auc": round(float(max(auc[code], 1.0 - auc[code])), 4),
        "measure": "share" if column.is_share else "median",
        "in_class": round(float(middle(column.values[inside])), 4),
        "elsewhere": round(float(middle(column.values[~inside])), 4),
    }


def _aucs(values: Floats, y: Codes) -> Floats:
    """Return for each class the share of pairs with other clips in which its value is larger.

    Ties count half: the area under the ROC curve of a fact taken as a score, by Mann-Whitney's U.
    """
    from scipy.stats import rankdata

    counts = np.bincount(y)
    ranks = np.bincount(y, weights=rankdata(values))
    aucs: Floats = (ranks - counts * (counts + 1) / 2) / np.maximum(counts * (len(y) - counts), 1)
    return aucs


_WHAT = {
    "format": "The format of the files",
    "recording": "The recording (level, noise floor, bandwidth and the like)",
    "timing": "The timing (duration, silence before and after)",
}
_ADVICE = {
    "format": "Split by recording session or device (groups), and compare with a run on clips of "
    "one format.",
    "recording": "Compare with a run on clips of equal level and background, or ask whether "
    "these facts belong to the sounds themselves.",
    "timing": "Ask whether the length belongs to the sounds or to how they were cut; cut all clips "
    "alike if it does not.",
}
_NAME = {
    "format": "shortcut",
    "recording": "shortcut-recording",
    "timing": "shortcut-timing",
}


def _finding(kind: Kind, judged: _Judged, best: _Best | None) -> Finding | None:
    if not judged.above_chance:
        return None
    text = (
        f"{_WHAT[kind]} alone tells the class with a balanced accuracy of {judged.found}, where "
        f"chance is {judged.chance:.3f}{_against(best)}{_carried(judged.rows)}."
    )
    return Finding(_NAME[kind], _severity(kind, judged, best), text, _ADVICE[kind], judged.rows)


def _severity(kind: Kind, judged: _Judged, best: _Best | None) -> Severity:
    if kind == "format":
        return "finding"
    value = judged.found.value
    close = best is not None and value - judged.chance >= CLOSE * (best.found.value - judged.chance)
    nearly_all = value >= NEARLY_ALL
    serious = close if kind == "recording" else close and nearly_all
    return "finding" if serious else "info"


def _against(best: _Best | None) -> str:
    return "" if best is None else f" and pipeline {best.name} reaches {best.found.value:.3f}"


def _carried(rows: Sequence[Mapping[str, Any]]) -> str:
    telling = [row for row in rows[:2] if row["auc"] >= _MIN_AUC]
    if not telling:
        return "; no single fact tells it"
    return "; most telling: " + ", ".join(map(_told, telling))


def _told(row: Mapping[str, Any]) -> str:
    inside, elsewhere, label = row["in_class"], row["elsewhere"], row["label"]
    if row["measure"] == "share":
        shares = f"{100 * inside:.0f} % of {label!r} and {100 * elsewhere:.0f} % of the others"
        return f"{shares} are {row['fact']}"
    return f"the median {row['fact']} is {inside:.4g} in {label!r} and {elsewhere:.4g} elsewhere"


def _summary(dataset: Dataset, judged: Mapping[Kind, _Judged], how: str) -> str:
    told = [
        f"{kind} {judged[kind].found} (chance {judged[kind].chance:.3f})"
        if kind in judged
        else f"{kind} is the same for all"
        for kind in _KINDS
    ]
    return (
        f"Tried to tell the class of {len(dataset)} clips without listening, by random forests on "
        f"{how}; balanced accuracy: {', '.join(told)}."
    )
