"""Audit of shortcuts: prediction of the class from the format, the recording or the timing alone.

A random forest predicts the class from a table of facts, on the folds of the run. Its balanced
accuracy is compared with chance and with the pipelines of the run. There are three tables:

- format (container, encoding, sample rate, channels, chunks of the header): none of it is sound, so
  it can predict the class only through the place, the device or the session of the recording;
- recording (level, noise floor, bandwidth and the like): a bark is louder than a purr, so this is a
  finding only if the forest is about as good as the pipelines;
- timing (duration, silence before and after): the duration often belongs to the sound itself, so
  this is a finding only if the forest is nearly perfect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.audit.findings import Audit, Finding, Severity
from audioclf.audit.inputs import AuditInput, FileFormat, Floats
from audioclf.audit.shortcuts import elsewhere
from audioclf.audit.shortcuts.facts import FACTS, FORMAT_FACTS, read_formats
from audioclf.audit.shortcuts.formats import format_finding, formats_by_class, words_for
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Codes, Targets
from audioclf.evaluation.metrics.estimate import Estimate, estimate
from audioclf.evaluation.results import FoldResult, PipelineResult, Predicted, SomeFolds
from audioclf.evaluation.splits import Fold, Splits

if TYPE_CHECKING:
    from numpy.typing import NDArray


NAMES = ("shortcut", "shortcut-recording", "shortcut-timing", "recording-habit")
"""The findings of this audit."""

MAX_FOLDS = 5
TREES = 50
MAX_TRAINED = 5000
"""Largest number of clips that a forest is fitted on, drawn at random."""

SPREAD = 1.4
"""Factor on the bootstrap's uncertainty, since clips of a fold share one forest.

Of 450 tables of 98 clips without information on the class, 1 in 40 is a false alarm with this
factor, and 1 in 12 without it.
"""

CLOSE = 0.9
"""Share of the best pipeline's gain over chance above which a table is about as good."""

NEARLY_ALL = 0.9
"""Balanced accuracy above which the timing is nearly perfect."""

_MAX_VALUES = 30
_MIN_AUC = 0.6

Kind = Literal["format", "recording", "timing"]
_KINDS: tuple[Kind, ...] = ("format", "recording", "timing")


def audit_shortcuts(inputs: AuditInput) -> Audit:
    """Predict the class from tables of facts, and look for formats that only one class has."""
    dataset, formats = inputs.dataset, inputs.formats
    if formats is None:
        formats = read_formats(inputs.ledger)
    if dataset.is_several:
        return _formats_only(dataset, formats)
    folds, description = few_folds(inputs.splits)
    probe = ShortcutProbe(dataset, folds, inputs.seed)
    tables = dict(_tables(dataset, inputs.facts, formats))
    probed = {kind: probe.fit(table) for kind, table in tables.items()}
    best = probe.best(inputs.results)
    for kind, result in probed.items():
        if result.above_chance and _severity(kind, result, best) == "finding":
            probed[kind] = _with_elsewhere(result, tables[kind], inputs)
    by_class = format_finding(dataset, formats_by_class(dataset, formats))
    findings = [_finding(kind, probed[kind], best) for kind in _KINDS if kind in probed]
    return Audit(
        "shortcuts",
        "Shortcuts",
        _summary(dataset, probed, description) + probe.interval_note(),
        [finding for finding in (by_class, *findings) if finding is not None],
        {"best_cell": best and best.to_data()}
        | {kind: probed[kind].to_data() if kind in probed else None for kind in _KINDS},
    )


def _with_elsewhere(
    result: ProbeResult, columns: Sequence[_Column], inputs: AuditInput
) -> ProbeResult:
    """Add the accuracy of the pipelines where the most predictive fact points to another class."""
    row = result.rows[0]
    if row["auc"] < _MIN_AUC:
        return result
    values = next(column.values for column in columns if column.name == row["fact"])
    found = elsewhere.accuracy_elsewhere(row, values, inputs.results, inputs.dataset.targets)
    return replace(result, elsewhere=found)


def _formats_only(dataset: Dataset, formats: Mapping[str, FileFormat]) -> Audit:
    finding = format_finding(dataset, formats_by_class(dataset, formats))
    summary = (
        f"Compared the formats of {len(dataset)} files with their classes. Level, background and "
        "length were not: that is not made for several labels per clip."
    )
    return Audit("shortcuts", "Shortcuts", summary, [finding] if finding else [])


def few_folds(splits: Splits) -> tuple[tuple[Fold, ...], str]:
    """Return at most `MAX_FOLDS` folds with the separation of the splits, and a description.

    More folds of the first repeat are merged: the union of their test sides, the intersection of
    their training sides. Of repeated holdout, the first repeats are taken.
    """
    all_folds = splits.folds
    first = [fold for fold in all_folds if fold.repeat == all_folds[0].repeat]
    if len(first) == 1:
        kept = all_folds[:MAX_FOLDS]
        return kept, _share_of(len(kept), len(all_folds))
    if len(first) <= MAX_FOLDS:
        return tuple(first), _share_of(len(first), len(all_folds))
    fold_groups = [first[start::MAX_FOLDS] for start in range(MAX_FOLDS)]
    merged = tuple(_merged(number, group) for number, group in enumerate(fold_groups))
    return merged, f"{len(first)} folds of the run merged into {MAX_FOLDS}"


def _share_of(kept: int, n_folds: int) -> str:
    return f"{kept} of the {n_folds} folds of the run" if kept < n_folds else "the folds of the run"


def _merged(number: int, folds: Sequence[Fold]) -> Fold:
    test = np.unique(np.concatenate([fold.test for fold in folds]))
    train = folds[0].train
    for fold in folds[1:]:
        train = np.intersect1d(train, fold.train)
    return Fold(folds[0].repeat, str(number), np.setdiff1d(train, test), test)


@dataclass(frozen=True)
class _Column:
    """A fact: a number with its name, or whether a clip has a value, by its description."""

    name: str
    is_share: bool
    values: Floats


@dataclass(frozen=True)
class ProbeResult:
    """Balanced accuracy of the forest on one table of facts, beside chance and the best facts."""

    estimate: Estimate
    chance: float
    rows: list[dict[str, Any]]
    elsewhere: dict[str, Any] | None = None

    @property
    def above_chance(self) -> bool:
        """Whether the forest is better than chance by more than its uncertainty."""
        estimate = self.estimate
        return estimate.value - SPREAD * (estimate.value - estimate.low) > self.chance

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        data = {**_interval(self.estimate), "chance": self.chance, "facts": self.rows}
        return data | ({"elsewhere": self.elsewhere} if self.elsewhere else {})


@dataclass(frozen=True)
class _Best:
    name: str
    estimate: Estimate

    def to_data(self) -> dict[str, Any]:
        return {"name": self.name, **_interval(self.estimate)}


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"balanced_accuracy": estimate.value, "low": estimate.low, "high": estimate.high}


def _tables(
    dataset: Dataset, facts: NDArray[np.float32], formats: Mapping[str, FileFormat]
) -> Iterator[tuple[Kind, list[_Column]]]:
    """Yield the tables that have a fact in which clips differ."""
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


class ShortcutProbe:
    """Fits forests on tables of facts, on the same clips, folds and resampling units for all."""

    def __init__(self, dataset: Dataset, folds: Sequence[Fold], seed: int) -> None:
        self.targets = dataset.targets
        self.folds = folds
        self.seed = seed

    def fit(self, columns: Sequence[_Column]) -> ProbeResult:
        """Return the result of a forest on these columns."""
        X = np.column_stack([column.values for column in columns]).astype(np.float32)
        folds = tuple(self._fit(X, fold) for fold in self.folds)
        tested = np.concatenate([fold.test for fold in self.folds])
        chance = 1.0 / len(np.unique(self.targets.codes[tested]))
        rows = [_row(column, self.targets) for column in columns]
        rows.sort(key=lambda row: -row["auc"])
        return ProbeResult(self._estimate(SomeFolds(folds)), chance, rows)

    def interval_note(self) -> str:
        """Return the reason if there are no intervals, and so no findings; else ""."""
        tested = np.concatenate([fold.test for fold in self.folds])
        if len(np.unique(self.targets.unit_codes[tested])) > 1:
            return ""
        return (
            f" Only 1 {self.targets.unit} is tested, so there are no intervals, and no table is "
            "reported as better than chance."
        )

    def best(self, results: Iterable[PipelineResult]) -> _Best | None:
        """Return the best pipeline that is not a baseline."""
        learned = [r for r in results if not r.pipeline.is_baseline]
        pipelines = [_Best(result.pipeline.name, self._estimate(result)) for result in learned]
        return max(pipelines, key=lambda pipeline: pipeline.estimate.value, default=None)

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
        forest.fit(X[train], self.targets.codes[train])
        return FoldResult(fold, forest.predict(X[fold.test]).astype(np.intp), None, "none", 0, 0)

    def _estimate(self, result: Predicted) -> Estimate:
        value = estimate(result, "balanced_accuracy", self.targets, seed=self.seed)
        assert value is not None
        return value


def _row(column: _Column, targets: Targets) -> dict[str, Any]:
    """Return the class that a single fact separates best from the others, with its ROC AUC."""
    y = targets.codes
    auc = _aucs(column.values, y)
    code = int(np.argmax(np.abs(auc - 0.5) + 1e-9 * auc))
    inside = y == code
    middle = np.mean if column.is_share else np.median
    return {
        "fact": column.name,
        "label": targets.classes[code],
        "auc": round(float(max(auc[code], 1.0 - auc[code])), 4),
        "measure": "share" if column.is_share else "median",
        "in_class": round(float(middle(column.values[inside])), 4),
        "elsewhere": round(float(middle(column.values[~inside])), 4),
    }


def _aucs(values: Floats, y: Codes) -> Floats:
    """Return each class's ROC AUC against the rest, a fact taken as a score (Mann-Whitney's U)."""
    from scipy.stats import rankdata

    counts = np.bincount(y)
    ranks = np.bincount(y, weights=rankdata(values))
    aucs: Floats = (ranks - counts * (counts + 1) / 2) / np.maximum(counts * (len(y) - counts), 1)
    return aucs


_STRONG_AUC = 0.8
_GAIN = "`augment: [{type: gain, db: [-12, 12]}]`"
_TRIM = "`trim_silence: {top_db: 30}` in the featurizer"
_KEYS = {
    "level_db": f"level_db: {_GAIN}",
    "peak_db": f"peak_db: {_GAIN}",
    "noise_floor_db": "noise_floor_db: `augment: [{type: background, path: NOISE}]`",
    "lead_s": f"lead_s: {_TRIM}",
    "tail_s": f"tail_s: {_TRIM}",
}
"""Config keys against facts that tell the class."""

_SUBJECT = {
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


def _finding(kind: Kind, result: ProbeResult, best: _Best | None) -> Finding | None:
    if not result.above_chance:
        return None
    against = f" and pipeline {best.name} reaches {best.estimate.value:.3f}" if best else ""
    text = (
        f"{_SUBJECT[kind]} alone predicts the class with a balanced accuracy of {result.estimate}; "
        f"chance is {result.chance:.3f}{against}{_best_facts(result.rows)}."
    )
    if result.elsewhere:
        text += elsewhere.sentence(result.elsewhere)
    name = "shortcut" if kind == "format" else f"shortcut-{kind}"
    return Finding(
        name, _severity(kind, result, best), text, _advice(kind, result.rows), result.rows
    )


def _advice(kind: Kind, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the advice for a table, with config keys against the facts that tell the class."""
    keys = [text for row in rows if row["auc"] >= _STRONG_AUC and (text := _key_against(row))]
    if not keys:
        return _ADVICE[kind]
    return f"{_ADVICE[kind]} Against {'; against '.join(keys)}."


def _key_against(row: Mapping[str, Any]) -> str:
    if row["fact"] == "bandwidth_hz":
        # Below the lower of both medians no class has less than the other.
        lower = 0.95 * min(row["in_class"], row["elsewhere"])
        return f"bandwidth_hz: `fmax: {lower - lower % 100:.0f}` in `mel` or `mfcc`"
    return _KEYS.get(row["fact"], "")


def _severity(kind: Kind, result: ProbeResult, best: _Best | None) -> Severity:
    if kind == "format":
        return "finding"
    value, chance = result.estimate.value, result.chance
    close = best is not None and value - chance >= CLOSE * (best.estimate.value - chance)
    nearly_all = value >= NEARLY_ALL
    serious = close if kind == "recording" else close and nearly_all
    return "finding" if serious else "info"


def _best_facts(rows: Sequence[Mapping[str, Any]]) -> str:
    best = [row for row in rows[:2] if row["auc"] >= _MIN_AUC]
    if not best:
        return "; no single fact is enough"
    return "; most predictive: " + ", ".join(map(_fact_text, best))


def _fact_text(row: Mapping[str, Any]) -> str:
    inside, elsewhere, label = row["in_class"], row["elsewhere"], row["label"]
    if row["measure"] == "share":
        shares = f"{100 * inside:.0f} % of {label!r} and {100 * elsewhere:.0f} % of the others"
        return f"{shares} are {row['fact']}"
    return f"the median {row['fact']} is {inside:.4g} in {label!r} and {elsewhere:.4g} elsewhere"


def _summary(dataset: Dataset, probed: Mapping[Kind, ProbeResult], folds: str) -> str:
    parts = [
        f"{kind} {probed[kind].estimate} (chance {probed[kind].chance:.3f})"
        if kind in probed
        else f"{kind} is the same for all"
        for kind in _KINDS
    ]
    return (
        f"Predicted the class of {len(dataset)} clips from facts other than the sound, by random "
        f"forests on {folds}; balanced accuracy: {', '.join(parts)}."
    )
