"""Choices for a first config, each with its reason as a comment."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from audioclf.base.errors import PluginError
from audioclf.components.featurizer import Featurizer
from audioclf.components.guard import guard
from audioclf.components.registry import Registry
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.path_labels import fold_for_testing, shown
from audioclf.starters.first_config.results import Choice, Headers

MAX_LEFT_OUT_GROUPS = 12
"""Most groups that are left out in turn; more are divided into folds."""

MANY = 10_000
"""Number of clips at which a kernel SVM takes too long for a first run."""

_MIN_SHARE = 0.02
_COMMON_RATE = 22_050
_MAX_SECONDS = 30.0


def choose_audio(headers: Headers) -> Choice:
    """Choose sample rate and length."""
    sr, why_sr = _rate(headers)
    seconds, why_seconds = _seconds(headers)
    return Choice({"sr": sr, "duration": seconds}, (why_sr, why_seconds))


def _rate(headers: Headers) -> tuple[int, str]:
    n_readable = len(headers.seconds)
    usual = [sr for sr, n in headers.rates.items() if n >= _MIN_SHARE * n_readable]
    lowest = min(usual)
    listed = ", ".join(f"{sr} Hz ({n})" for sr, n in headers.rates.most_common(5))
    if len(headers.rates) == 1:
        rates = f"All clips have {lowest} Hz"
    else:
        rates = f"The files differ in rate: {listed}"
    if lowest > 96_000:
        return lowest, (
            f"{rates}, as for ultrasound, so it is kept. For sounds that people can hear, "
            f"{_COMMON_RATE} is enough and several times faster."
        )
    if lowest > _COMMON_RATE:
        return _COMMON_RATE, (
            f"{rates}. Up to 11 kHz is enough for speech and most animals, and twice as fast; "
            "raise sr if the classes differ at higher frequencies."
        )
    if len(headers.rates) == 1:
        return max(1000, lowest), f"{rates}: nothing is resampled."
    return max(1000, lowest), (
        f"{rates}. The lowest usual rate is used: at a higher one, files would differ by their "
        "recording and not only by their sound."
    )


def _seconds(headers: Headers) -> tuple[float, str]:
    low, high = headers.seconds[0], headers.seconds[-1]
    median, p95 = np.percentile(headers.seconds, [50, 95]).tolist()
    if high <= 10 and high <= 4 * p95:
        seconds = _up(high)
        alike = high - low < 0.02
        lengths = f"all are {high:.3g} s long" if alike else f"from {low:.3g} to {high:.3g} s"
        return seconds, f"Clips: {lengths}. Nothing is cut."
    seconds = min(_MAX_SECONDS, _up(p95))
    cut = sum(length > seconds for length in headers.seconds)
    return seconds, (
        f"Clips: from {low:.3g} to {high:.3g} s, half of them at most {median:.3g} s. Of {cut} of "
        f"{len(headers.seconds)} only the first {seconds:g} s are read; raise duration if later "
        "sound matters."
    )


def _up(seconds: float) -> float:
    """Return a length rounded up to the next half second, or tenth below one."""
    step = 0.5 if seconds > 1 else 0.1
    return round(max(step, math.ceil(round(seconds / step, 6)) * step), 1)


def choose_featurizer(sr: int) -> Choice:
    """Choose MFCC statistics, with frames that suit the rate."""
    n_fft = 2 ** max(6, round(math.log2(0.064 * sr)))
    fields: dict[str, Any] = {"type": "mfcc", "n_mfcc": 40}
    statistics = (
        "Statistics of MFCCs, of the whole clip and of three parts of it: small, fast, and hard to "
        "beat with some hundred clips. Try `mel` for sounds without a voice."
    )
    reasons = [statistics]
    if sr < _COMMON_RATE:
        bands = 64 if n_fft >= 512 else 40 if n_fft >= 256 else 20
        fields = {
            "type": "mfcc",
            "n_fft": n_fft,
            "hop_length": n_fft // 4,
            "n_mels": bands,
            "n_mfcc": min(40, bands // 2 if bands < 64 else 40),
        }
        ms = 1000 * n_fft / sr
        reasons.append(
            f"Frames of {n_fft} samples are {ms:.0f} ms at {sr} Hz; fewer bands fit in it."
        )
    fields["pooling"] = {
        "type": "stats",
        "statistics": ["mean", "std"],
        "percentiles": [0, 10, 25, 50, 75, 90, 100],
        "segments": 3,
        "segment_statistics": ["mean"],
    }
    return Choice({"mfcc": fields}, tuple(reasons))


def propose_featurizers(headers: Headers, registry: Registry) -> dict[str, str]:
    """Return the types that say that they suit recordings of this length and rate, and why."""
    seconds = float(np.percentile(headers.seconds, 95))
    sr, _ = _rate(headers)
    proposed = {}
    for provider in registry.providers("featurizer"):
        cls = provider.cls
        assert issubclass(cls, Featurizer)
        with guard(f"{cls.type_name()}.suits ({provider.origin})", PluginError):
            reason = cls.suits(seconds, sr)
        if reason:
            proposed[cls.type_name()] = reason
    return proposed


def only_trained(dataset: Dataset) -> str | None:
    """Return the one class on the training side of a published split, as for detectors, or None."""
    test = fold_for_testing({clip.fold for clip in dataset if clip.fold is not None})
    trained = {clip.label for clip in dataset if clip.fold not in (test, None)}
    if test is None or dataset.is_several or len(dataset.classes) != 2 or len(trained) != 1:
        return None
    return trained.pop()


def choose_classifiers(dataset: Dataset) -> Choice:
    """Choose a linear model and one that is not, or two detectors; the run adds a baseline."""
    if dataset.normal is not None:
        normal = {} if dataset.normal == "normal" else {"normal": dataset.normal}
        reason = f"Detectors of anomalies: the training side has clips of {dataset.normal!r} only."
        detectors = {"nearest": "nearest_normal", "forest": "isolation_forest"}
        data = {name: {"type": kind, **normal} for name, kind in detectors.items()}
        return Choice(data, (reason,))
    if dataset.is_numbers:
        reason = "A linear and a nonlinear regressor. A run adds a baseline, the mean number."
        kinds = {"ridge": "ridge", "forest": "random_forest_regressor"}
        return Choice({name: {"type": kind} for name, kind in kinds.items()}, (reason,))
    n_clips = len(dataset)
    reason = "A linear and a nonlinear model. A run adds a baseline that ignores the sound."
    linear = {"type": "logistic_regression"}
    if n_clips > MANY:
        more = f" Not `svm`, whose time grows with the square of {n_clips:,} clips."
        forest = {"type": "hist_gradient_boosting"}
        return Choice(
            {"logistic_regression": linear, "hist_gradient_boosting": forest}, (reason + more,)
        )
    return Choice({"logistic_regression": linear, "svm": {"type": "svm"}}, (reason,))


def choose_metrics(dataset: Dataset) -> Choice:
    """Choose the metrics; the main one is balanced accuracy if the classes differ in size."""
    if dataset.is_several:
        reason = "Several labels per clip: ranking without a threshold, labels with one, and both."
        return Choice(["average_precision_macro", "f1_macro", "lwlrap"], (reason,))
    if dataset.is_numbers:
        reason = "Numbers: agreement, mean error in their unit, and correlation of the ranks."
        return Choice(["ccc", "mae", "spearman"], (reason,))
    if dataset.is_ordered:
        reason = "Ordered classes: a distant class is a larger error than the next one."
        return Choice(["quadratic_kappa", "mae", "balanced_accuracy"], (reason,))
    if dataset.normal is not None:
        reason = "The area under the ROC curve, and its part at up to 10 % of false alarms."
        return Choice(["roc_auc", "partial_auc", "balanced_accuracy"], (reason,))
    counts = dataset.class_counts.values()
    if max(counts) > 1.5 * min(counts):
        reason = (
            f"Classes have from {min(counts):,} to {max(counts):,} clips: balanced accuracy gives "
            "each class the same weight."
        )
        return Choice(["balanced_accuracy", "accuracy", "f1_macro"], (reason,))
    return Choice(
        ["accuracy", "balanced_accuracy", "f1_macro"], ("Classes are about equal in size.",)
    )


def choose_splits(dataset: Dataset, *, guessed: bool) -> list[Choice]:
    """Return splits with their reasons, the best first; the last one can always be made."""
    if dataset.is_numbers:
        dataset = dataset.in_ranges()
    choices = []
    folds = {clip.fold for clip in dataset if clip.fold is not None}
    if len(folds) > 1:
        choices.append(_published(sorted(folds)))
    groups = {clip.group for clip in dataset}
    if None not in groups and len(groups) > 1:
        choices.append(_by_groups(dataset, len(groups), guessed))
    return [*choices, _stratified(dataset)]


def _published(folds: Sequence[str]) -> Choice:
    test = fold_for_testing(folds)
    if test is None:
        reason = (
            f"The published folds ({shown(folds, most=10)}), each tested once: only on these are "
            "results comparable with published ones."
        )
        return Choice({"type": "predefined"}, (reason,))
    train = shown([fold for fold in folds if fold != test], most=10)
    reason = (
        f"The published split: tests on {test!r}, trains on {train}. With one split the confidence "
        "interval is wide if the test side is small."
    )
    return Choice({"type": "predefined", "test_folds": [test]}, (reason,))


def _by_groups(dataset: Dataset, n_groups: int, guessed: bool) -> Choice:
    classes_of, groups_of = defaultdict(set), defaultdict(set)
    for clip in dataset:
        for label in dataset.labels_of(clip):
            classes_of[clip.group].add(label)
            groups_of[label].add(clip.group)
    smallest = min(groups_of, key=lambda label: len(groups_of[label]))
    fewest = len(groups_of[smallest])
    guess = " (a guess, see above)" if guessed else ""
    purpose = f"the result holds for new groups{guess}"
    crossed = all(len(classes) > 1 for classes in classes_of.values())
    if crossed and n_groups <= MAX_LEFT_OUT_GROUPS:
        few = " Two groups are few: their results may differ widely." if n_groups == 2 else ""
        reason = f"Each of {n_groups} groups is tested once, trained on the others: {purpose}.{few}"
        return Choice({"type": "leave_one_group_out"}, (reason,))
    if fewest < 2:
        alone = sorted(name for name, groups in groups_of.items() if len(groups) < 2)
        reason = (
            f"NOT by groups, although there are {n_groups}: {shown(alone)} come from one group "
            "only, which cannot be on both sides. The results will be too good: the model may "
            "recognize the group and not the class. Record such classes in more groups."
        )
        return Choice(_stratified(dataset).data, (reason,), reason)
    n_splits, repeats = min(5, fewest), _repeats(dataset)
    reason = f"{n_groups} groups are divided into {n_splits} folds, each kept whole: {purpose}."
    split = {"type": "stratified_group_kfold", "n_splits": n_splits, "repeats": repeats}
    return Choice(split, (reason,), _few_folds(n_splits, smallest, f"{fewest} groups"))


def _stratified(dataset: Dataset) -> Choice:
    smallest, fewest = min(dataset.class_counts.items(), key=lambda item: item[1])
    n_splits, repeats = max(2, min(5, fewest)), _repeats(dataset)
    times = f"{repeats} times {n_splits}" if repeats > 1 else f"{n_splits}"
    few = f" Not 5, since a class has only {fewest} clips." if n_splits < 5 else ""
    if dataset.has_groups:
        groups = "Groups are on both sides: for new groups the results are too good."
    else:
        groups = (
            "No speakers, sites or days are named here: if there are any, the same one is on both "
            "sides, and the results are too good. Name them, with a (?P<group>...) in a "
            "label_pattern or a column of a manifest, and choose stratified_group_kfold."
        )
    shares = f"{times} folds that keep the share of each class; every clip is tested."
    reason = f"{shares}{few} {groups}"
    data = {"type": "stratified_kfold", "n_splits": n_splits, "repeats": repeats}
    return Choice(data, (reason,), _few_folds(n_splits, smallest, f"{fewest} clips"))


def _few_folds(n_splits: int, label: str, has: str) -> str:
    """Return a warning on fewer than 5 folds, which are due to one class."""
    if n_splits >= 5:
        return ""
    return (
        f"Only {n_splits} folds instead of 5, since the class {label!r} has {has}: each model "
        f"learns from {100 * (n_splits - 1) // n_splits} % of the clips. Add clips to it, or "
        "take it out, and call init again."
    )


def _repeats(dataset: Dataset) -> int:
    return 10 if len(dataset) < 200 else 4 if len(dataset) < 1000 else 1
