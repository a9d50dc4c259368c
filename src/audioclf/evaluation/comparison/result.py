"""The result of a paired comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from audioclf.components.metrics import Metric
from audioclf.evaluation.comparison.sentences import Verdict, listed, sample_words

ALPHA = 0.05
"""Chance that is accepted of calling any pipeline better by mistake, for each family of pairs."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Difference between two pipelines, with its verdict.

    - `better`, `worse`: names of the pipelines, by their values of the metric; this is not the
      verdict.
    - `difference`: at least 0, in the units of the metric; for a metric where lower is better, how
      much lower.
    - `low`, `high`: ends of the 95 % interval of the difference; NaN where there is none.
    - `p_bootstrap`: of the corrected paired bootstrap; None for a single unit.
    - `p_mcnemar`: of correct predictions in the first repeat, for any metric; None where clips have
      groups.
    - `p_corrected_t`: of the corrected resampled t-test; None for a single fold, or where the
      metric is not defined on one of the folds.
    - `p_holm`: the decisive p: the greater of `p_bootstrap` and `p_permutation`, adjusted for all
      pairs with the baseline, or for all others.
    - `detectable`: smallest detectable difference: half the length of the interval, at the level of
      Holm's method for the undecided pairs; NaN if none is detectable.
    - `p_permutation`: of the permutation test that joins the bootstrap for few units, where a
      pipeline would otherwise be better than the baseline.
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


@dataclass(frozen=True)
class Comparison:
    """All pairs of the pipelines of a run.

    - `pipelines`: best first; those without the metric are left out.
    - `pairs`: the best pipeline with each other one, then the second with each below it, and so on.
    """

    metric: Metric
    unit_name: str
    n_units: int
    n_clips: int
    pipelines: tuple[str, ...]
    pairs: tuple[Pair, ...]
    baseline: str | None = None
    equivalence_margin: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def sample(self) -> str:
        """The test sample in words."""
        return sample_words(self.n_units, self.unit_name, self.n_clips)

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
    clauses = " and ".join(_clauses(comparison, best))
    return f"{best} has the best {comparison.metric}: it {clauses}{_beside_baseline(comparison)}"


def _clauses(comparison: Comparison, best: str) -> Iterator[str]:
    mine = [pair for pair in comparison.pairs if pair.better == best]
    beaten = _worse(mine, "better")
    if len(beaten) == len(mine) > 1:
        yield f"beats all {len(mine)} others"
    elif beaten:
        yield f"beats {listed(beaten)}"
    if equal := _worse(mine, "equivalent"):
        yield f"is equivalent to {listed(equal)} within {comparison.equivalence_margin:g}"
    if open_ := _worse(mine, "undecided"):
        yield f"cannot be told apart from {listed(open_)} on {comparison.sample}"


def _worse(pairs: Sequence[Pair], verdict: Verdict) -> list[str]:
    return [pair.worse for pair in pairs if pair.verdict == verdict]


def _beside_baseline(comparison: Comparison) -> str:
    """Return a warning if no pipeline is better than the baseline."""
    pairs = [p for p in comparison.pairs if p.worse == comparison.baseline]
    if not pairs or any(pair.verdict == "better" for pair in pairs):
        return ""
    return f"; no pipeline is shown to beat {comparison.baseline}"


def baseline_sentence(comparison: Comparison) -> str:
    """Return which pipelines beat the baseline, as one sentence; empty where there is none."""
    baseline = comparison.baseline
    if baseline is None:
        return ""
    beating = {p.better for p in comparison.pairs if p.worse == baseline and p.verdict == "better"}
    others = [name for name in comparison.pipelines if name != baseline]
    failing = [name for name in others if name not in beating]
    if not failing:
        return f"every other pipeline beats {baseline}"
    if not beating:
        return f"no pipeline is shown to beat {baseline}"
    return f"{len(beating)} of {len(others)} pipelines beat {baseline}; not {listed(failing)}"
