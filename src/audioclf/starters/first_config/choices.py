"""From what was seen to a recipe: each choice with its reason, in words for a comment."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audioclf.dataset.dataset import Dataset
from audioclf.dataset.path_labels import SPLIT_NAMES, shown
from audioclf.starters.first_config.headers import Headers

MAX_LEFT_OUT_GROUPS = 12
"""Groups up to which each is left out in turn; more are dealt into folds."""

MANY = 10_000
"""Clips from which on a kernel SVM takes too long for a first look."""

_MIN_SHARE = 0.02
_HEARD = 22_050
_MAX_SECONDS = 30.0
_TEST_NAMES = ("test", "testing", "eval", "validation", "valid", "val", "dev")


@dataclass(frozen=True)
class Choice:
    """Plain data for one key of a config, and why."""

    data: dict[str, Any]
    why: tuple[str, ...]


def choose_audio(headers: Headers) -> Choice:
    """Choose sample rate and length."""
    sr, why_sr = _rate(headers)
    seconds, why_seconds = _seconds(headers)
    return Choice({"sr": sr, "duration": seconds}, (why_sr, why_seconds))


def _rate(headers: Headers) -> tuple[int, str]:
    usual = [sr for sr, n in headers.rates.items() if n >= _MIN_SHARE * headers.n_readable]
    lowest = min(usual)
    listed = ", ".join(f"{sr} Hz ({n})" for sr, n in headers.rates.most_common(5))
    if len(headers.rates) == 1:
        seen = f"All clips have {lowest} Hz"
    else:
        seen = f"The files differ in rate: {listed}"
    if lowest > 96_000:
        return lowest, (
            f"{seen}, which is ultrasound as a rule, so nothing is cut off. If the sounds can be "
            f"heard by people, {_HEARD} is enough and several times faster."
        )
    if lowest > _HEARD:
        return _HEARD, (
            f"{seen}. Up to 11 kHz is enough for speech and most animals, and twice as fast; raise "
            "sr if what tells the classes apart lies higher."
        )
    if len(headers.rates) == 1:
        return max(1000, lowest), f"{seen}: nothing is resampled."
    return max(1000, lowest), (
        f"{seen}. The lowest usual one is taken: above half of it the other files hold sound and "
        "these hold none, and that would tell them apart."
    )


def _seconds(headers: Headers) -> tuple[float, str]:
    low, high = headers.seconds[0], headers.seconds[-1]
    p95 = headers.percentile(95)
    if high <= 10 and high <= 4 * p95:
        seconds = _up(high)
        alike = high - low < 0.02
        lengths = f"all are {high:.3g} s long" if alike else f"from {low:.3g} to {high:.3g} s"
        return seconds, f"Clips: {lengths}. Nothing is cut."
    seconds = min(_MAX_SECONDS, _up(p95))
    cut = sum(each > seconds for each in headers.seconds)
    return seconds, (
        f"Clips: from {low:.3g} to {high:.3g} s, half of them at most "
        f"{headers.percentile(50):.3g} s. Of {cut} of {headers.n_readable} only the first "
        f"{seconds:g} s are read; raise duration if what matters comes later."
    )


def _up(seconds: float) -> float:
    """Return a length rounded up to the next half second, or tenth below one."""
    step = 0.5 if seconds > 1 else 0.1
    return round(max(step, math.ceil(round(seconds / step, 6)) * step), 1)


def choose_featurizer(sr: int) -> Choice:
    """Choose MFCC statistics, with frames that suit the rate."""
    n_fft = 2 ** max(6, round(math.log2(0.064 * sr)))
    fields: dict[str, Any] = {"type": "mfcc", "n_mfcc": 40}
    first = (
        "Statistics of MFCCs, of the whole clip and of three parts of it: small, quick, and hard "
        "to beat on some hundred clips. Try `mel` for sounds without a voice."
    )
    why = [first]
    if sr < _HEARD:
        bands = 64 if n_fft >= 512 else 40 if n_fft >= 256 else 20
        fields = {
            "type": "mfcc",
            "n_fft": n_fft,
            "hop_length": n_fft // 4,
            "n_mels": bands,
            "n_mfcc": min(40, bands // 2 if bands < 64 else 40),
        }
        ms = 1000 * n_fft / sr
        why.append(f"Frames of {n_fft} samples are {ms:.0f} ms at {sr} Hz; fewer bands fit in it.")
    fields["pooling"] = {
        "type": "stats",
        "statistics": ["mean", "std"],
        "percentiles": [0, 10, 25, 50, 75, 90, 100],
        "segments": 3,
        "segment_statistics": ["mean"],
    }
    return Choice({"mfcc": fields}, tuple(why))


def choose_classifiers(n_clips: int) -> Choice:
    """Choose a linear model and one that is not; the run adds a baseline."""
    why = "A linear model, and one that bends. A run adds a baseline that never listens."
    linear = {"type": "logistic_regression"}
    if n_clips > MANY:
        more = f" Not `svm`, whose time grows with the square of {n_clips:,} clips."
        forest = {"type": "hist_gradient_boosting"}
        return Choice(
            {"logistic_regression": linear, "hist_gradient_boosting": forest}, (why + more,)
        )
    return Choice({"logistic_regression": linear, "svm": {"type": "svm"}}, (why,))


def choose_metrics(dataset: Dataset) -> tuple[list[str], str]:
    """Choose the main metric by whether the classes are about equal in size."""
    counts = dataset.class_counts.values()
    if max(counts) > 1.5 * min(counts):
        return ["balanced_accuracy", "accuracy", "f1_macro"], (
            f"Classes have from {min(counts):,} to {max(counts):,} clips: balanced accuracy counts "
            "each class alike."
        )
    return ["accuracy", "balanced_accuracy", "f1_macro"], "Classes are about equal in size."


def choose_splits(dataset: Dataset, *, guessed: bool) -> list[tuple[dict[str, Any], str]]:
    """Return splits with their reasons, the best first; a later one is for where it cannot be made.

    Parameters
    ----------
    dataset : Dataset
        The clips that can be read.
    guessed : bool
        Whether its groups are a guess.
    """
    found = []
    folds = {clip.fold for clip in dataset if clip.fold is not None}
    if len(folds) > 1:
        found.append(_published(sorted(folds)))
    groups = {clip.group for clip in dataset}
    if dataset.has_groups and len(groups) > 1:
        found += _by_groups(dataset, len(groups), guessed)
    return [*found, _stratified(dataset)]


def _published(folds: Sequence[str]) -> tuple[dict[str, Any], str]:
    names = {fold.lower(): fold for fold in folds}
    if not set(names) <= SPLIT_NAMES:
        return {"type": "predefined"}, (
            f"The published folds ({shown(folds, most=10)}), each tested once: figures compare "
            "with published ones, and only on these."
        )
    test = next(names[name] for name in _TEST_NAMES if name in names)
    train = shown([fold for fold in folds if fold != test], most=10)
    return {"type": "predefined", "test_folds": [test]}, (
        f"The published split: tests on {test!r}, learns from {train}. One split is one answer: "
        "its interval is wide where the test side is small."
    )


def _by_groups(dataset: Dataset, n_groups: int, guessed: bool) -> list[tuple[dict[str, Any], str]]:
    classes_of, groups_of = defaultdict(set), defaultdict(set)
    for clip in dataset:
        classes_of[clip.group].add(clip.label)
        groups_of[clip.label].add(clip.group)
    fewest = min(len(found) for found in groups_of.values())
    guess = " (a guess, see above)" if guessed else ""
    asks = f"the question is how good on a group never heard{guess}"
    crossed = all(len(found) > 1 for found in classes_of.values())
    if crossed and n_groups <= MAX_LEFT_OUT_GROUPS:
        few = " Two groups are few: the two answers may differ much." if n_groups == 2 else ""
        why = f"Each of {n_groups} groups is tested once by a model that never met it: {asks}.{few}"
        return [({"type": "leave_one_group_out"}, why)]
    if fewest < 2:
        alone = sorted(name for name, found in groups_of.items() if len(found) < 2)
        why = (
            f"NOT by groups, although there are {n_groups}: {shown(alone)} come from one group "
            "alone, which cannot both teach and test. The figures will be too good: the model "
            "may know the group and not the class. Record such classes in more groups."
        )
        return [(_stratified(dataset)[0], why)]
    n_splits, repeats = min(5, fewest), _repeats(dataset)
    why = f"{n_groups} groups are dealt into {n_splits} folds and never divided: {asks}."
    split = {"type": "stratified_group_kfold", "n_splits": n_splits, "repeats": repeats}
    return [(split, why)]


def _stratified(dataset: Dataset) -> tuple[dict[str, Any], str]:
    fewest = min(dataset.class_counts.values())
    n_splits, repeats = max(2, min(5, fewest)), _repeats(dataset)
    times = f"{repeats} times {n_splits}" if repeats > 1 else f"{n_splits}"
    few = f" Not 5, since a class has only {fewest} clips." if n_splits < 5 else ""
    return {"type": "stratified_kfold", "n_splits": n_splits, "repeats": repeats}, (
        f"{times} folds that keep the share of each class, so that every clip is tested.{few} "
        "Nothing names speakers, sites or days here: if there are any, a clip of each is on both "
        "sides, and the figures are too good. Name them, with a (?P<group>...) in a label_pattern "
        "or a column of a manifest, and choose stratified_group_kfold."
    )


def _repeats(dataset: Dataset) -> int:
    return 10 if len(dataset) < 200 else 4 if len(dataset) < 1000 else 1
