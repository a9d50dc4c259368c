"""The result of a paired comparison, in numbers and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from audioclf.components.metrics import Metric

Verdict = Literal["better", "equivalent", "undecided"]

FEW = 6
"""Number of test units below which hardly any difference can be shown."""

MAX_NAMED = 3
"""Largest number of pipelines that a sentence names; it counts the rest."""

ALPHA = 0.05
"""Chance that is accepted of calling any pipeline better by mistake, for each family of pairs."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Difference between two pipelines, with its verdict.

    - `better`, `worse`: by their values of the metric; this is not the verdict.
    - `difference`: at least 0; where lower is better, how much lower; NaN ends have no interval.
    - `p_mcnemar`: of correct predictions in the first repeat; None where clips have groups.
    - `p_corrected_t`: None for a single fold, or where the metric is not defined on a fold.
    - `p_holm`: decides: the greater of `p_bootstrap` and `p_permutation`, adjusted for many pairs.
    - `detectable`: half the length of the interval at Holm's level for undecided pairs, or NaN.
    - `p_permutation`: joins for few units, where a pipeline would otherwise beat the baseline.
    """

    better: str
    worse: str
    difference: float
    low: float
    high: float
    p_bootstrap: float | None
    p_mcnemar: float | None
    p_corrected_t: float | None
    p_holm: float
    verdict: Verdict
    sentence: str
    detectable: float
    p_permutation: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is no verdict."""
        return self.verdict == "undecided"


@dataclass(frozen=True)
class Comparison:
    """All pairs of the pipelines of a run that have the metric, the best pipeline first."""

    metric: Metric
    unit_name: str
    n_units: int
    n_clips: int
    pipelines: tuple[str, ...]
    pairs: tuple[Pair, ...]
    baseline: str | None = None
    equivalence_margin: float | None = None
    notes: tuple[str, ...] = ()
    unit_word: str = ""

    def equals_of_best(self) -> tuple[str, ...]:
        """Return the learned pipelines that the best one does not beat."""
        best = self.pipelines[0]
        rivals = [pair for pair in self.pairs if best in (pair.better, pair.worse)]
        names = [
            pair.worse if pair.better == best else pair.better
            for pair in rivals
            if pair.verdict != "better"
        ]
        return tuple(name for name in names if name != self.baseline)

    @property
    def sample(self) -> str:
        """The test sample in words."""
        return sample_words(self.n_units, self.unit_word or self.unit_name, self.n_clips)

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON; undefined values are None."""
        return {
            "metric": self.metric,
            "unit": {"name": self.unit_name, "count": self.n_units},
            "n_clips": self.n_clips,
            "alpha": ALPHA,
            "equivalence_margin": self.equivalence_margin,
            "baseline": self.baseline,
            "cells": list(self.pipelines),
            "verdict": verdict_sentence(self),
            "notes": list(self.notes),
            "pairs": [_without_nan(asdict(pair)) for pair in self.pairs],
        }


def _without_nan(data: dict[str, Any]) -> dict[str, Any]:
    return {key: None if value != value else value for key, value in data.items()}


def verdict_sentence(comparison: Comparison) -> str:
    """Return the verdict on a whole run as one sentence without a full stop."""
    if len(comparison.pipelines) < 2:
        return f"there are no two pipelines with {comparison.metric} to compare"
    best = comparison.pipelines[0]
    if best == comparison.baseline:
        return (
            f"no pipeline has a better {comparison.metric} than {best}, which ignores the features"
        )
    clauses = list(_clauses(comparison, best))
    text = f"{best} has the best {comparison.metric}"
    text += f": it {' and '.join(clauses)}" if clauses else ""
    open_ = {p.worse: p.difference for p in comparison.pairs if p.better == best and p.is_open}
    if not open_:
        return text
    few = f"; {too_few(comparison.sample)}" if are_few(comparison.sample) else ""
    return f"{text}{few}; {_differences(open_)}"


def _differences(by_name: Mapping[str, float]) -> str:
    values = {name: f"{value:.{_decimals(value)}f}" for name, value in by_name.items()}
    if len(values) > 1:
        sizes = [f"{value} to {name}" for name, value in values.items()]
        return f"the differences are {listed(sizes)}"
    (name,) = values
    return f"the difference to {name} is {values[name]}"


def _clauses(comparison: Comparison, best: str) -> Iterator[str]:
    mine = [pair for pair in comparison.pairs if pair.better == best]
    beaten = _worse(mine, "better")
    if len(beaten) == len(mine) > 1:
        yield "beats both others" if len(mine) == 2 else f"beats all {len(mine)} others"
    elif beaten:
        yield f"beats {listed(beaten)}"
    if equal := _worse(mine, "equivalent"):
        yield f"is equivalent to {listed(equal)} within {comparison.equivalence_margin:g}"
    if (open_ := _worse(mine, "undecided")) and not are_few(comparison.sample):
        yield f"cannot be told apart from {listed(open_)} on {comparison.sample}"


def _worse(pairs: Sequence[Pair], verdict: Verdict) -> list[str]:
    return [pair.worse for pair in pairs if pair.verdict == verdict]


def baseline_sentence(comparison: Comparison) -> str:
    """Return which pipelines beat the baseline, as one sentence; empty if the verdict says it."""
    baseline = comparison.baseline
    if baseline is None:
        return ""
    beating = {p.better for p in comparison.pairs if p.worse == baseline and p.verdict == "better"}
    others = [name for name in comparison.pipelines if name != baseline]
    failing = [name for name in others if name not in beating]
    if not failing:
        return f"every other pipeline beats {baseline}"
    if not beating:
        return ""
    verb = "beats" if len(beating) == 1 else "beat"
    return f"{len(beating)} of {len(others)} pipelines {verb} {baseline}; not {listed(failing)}"


def sample_words(n_units: int, unit_name: str, n_clips: int) -> str:
    """Return the test sample in words, as in messages and tables.

    >>> sample_words(98, "clip", 98), sample_words(6, "group", 240)
    ('98 clips', '6 groups (240 clips)')
    """
    units = _counted(n_units, unit_name)
    return units if unit_name == "clip" else f"{units} ({_counted(n_clips, 'clip')})"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("s" if count != 1 else "")


def pair_sentence(
    verdict: Verdict,
    better: str,
    worse: str,
    interval: tuple[float, float, float],
    detectable: float,
    sample: str,
    margin: float | None,
) -> str:
    """Return the verdict on two pipelines as one sentence without a full stop.

    `interval` is the difference with its ends; `detectable` NaN if no difference is; `sample`
    begins with the number of units.

    >>> pair_sentence("better", "svm", "knn", (0.11, 0.04, 0.18), 0.08, "98 clips", None)
    'svm beats knn by 0.11 (0.04 to 0.18)'
    """
    if verdict == "equivalent":
        return f"{better} and {worse} are equivalent within {margin:g}"
    if verdict == "better":
        difference, low, high = (f"{value:.{_decimals(interval[1])}f}" for value in interval)
        return f"{better} beats {worse} by {difference} ({low} to {high})"
    difference = f"the difference is {interval[0]:.{_decimals(interval[0])}f}"
    if are_few(sample):
        return f"{too_few(sample)} on {better} and {worse}; {difference}"
    undecided = f"{better} and {worse} cannot be told apart on {sample}; {difference}"
    if not detectable > 0:
        return undecided
    threshold = f"{detectable:.{_decimals(detectable)}f}"
    return f"{undecided}, and one below about {threshold} would not show"


def are_few(sample: str) -> bool:
    """Whether a sample has so few units that hardly any difference can be shown."""
    return int(sample.split()[0]) < FEW


def too_few(sample: str) -> str:
    """Return that a sample is too small.

    >>> too_few("3 sites (120 clips)")
    '3 sites (120 clips) are too few for a verdict'
    """
    return f"{sample} {'is' if sample.startswith('1 ') else 'are'} too few for a verdict"


def _decimals(value: float) -> int:
    """Return the decimals for a positive number: two, or as many as show one digit that is not 0.

    >>> _decimals(0.18), _decimals(0.004), _decimals(3.0)
    (2, 3, 2)
    """
    return 2 if value >= 0.01 or not value > 0 else min(9, -math.floor(math.log10(value)))


def listed(names: Sequence[str]) -> str:
    """Join names; of many, only the first few are named.

    >>> listed(["svm"]), listed(["svm", "knn"]), listed(list("abcdef"))
    ('svm', 'svm and knn', 'a, b, c and 3 others')
    """
    if len(names) == 1:
        return names[0]
    if len(names) <= MAX_NAMED + 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:MAX_NAMED])} and {len(names) - MAX_NAMED} others"
