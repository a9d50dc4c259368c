"""Which of several classifiers is better, as far as the clips can tell.

All pipelines met the same clips and folds, so they are compared in pairs: each difference is taken
on the same resamples of the test clips. One test decides: the paired bootstrap over units,
corrected for what other training clips would have changed (`paired_tests.bootstrap_spread`), with
its p adjusted by Holm's method. Two questions are two families of tests: whether a pipeline beats
the baseline, and which of the others is better. The interval of a difference and the smallest
difference that would show come from the same spread. Simulations in the tests of this package show
why: with classifiers that learn, a bootstrap without that correction takes chance for a difference
about twice as often as the 5 % that it promises. McNemar's test and the corrected resampled t-test
stand beside it for readers who expect them; they decide nothing.

Two classifiers are equivalent where the 90 % interval lies within a margin that the user has named:
two one-sided tests at 5 % (Schuirmann 1987, *Journal of Pharmacokinetics and Biopharmaceutics* 15,
657-680), for each pair by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from audioclf.components.metrics import Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.comparison.measures import Field, Measured, field_of, measure
from audioclf.evaluation.comparison.result import (
    ALPHA,
    Comparison,
    Pair,
    baseline_sentence,
    verdict_sentence,
)
from audioclf.evaluation.comparison.sentences import Verdict, pair_sentence, sample_words
from audioclf.evaluation.comparison.significance import holm
from audioclf.evaluation.results import Predicted

__all__ = [
    "ALPHA",
    "Comparison",
    "Pair",
    "Verdict",
    "baseline_sentence",
    "compare",
    "verdict_sentence",
]


def compare(
    results: Mapping[str, Predicted],
    metric: Metric,
    targets: Targets,
    *,
    seed: int,
    equivalence_margin: float | None = None,
    baseline: str | None = None,
) -> Comparison:
    """Compare all pipelines with each other by one metric.

    Parameters
    ----------
    results : mapping of str to Predicted
        By the names of the pipelines; all have the same folds.
    metric : Metric
    targets : Targets
    seed : int
        Seed of the resampling.
    equivalence_margin : float, optional
        The largest difference that does not matter, above 0.
    baseline : str, optional
        Name of the baseline among the results.

    Raises
    ------
    ValueError
        If the pipelines were not evaluated on the same folds.
    """
    field = field_of(results, metric, targets, seed)
    measured = [
        measure(field, first, second, independent=targets.unit == "clip")
        for first, second in combinations(range(len(field.names)), 2)
    ]
    sample = sample_words(field.n_units, targets.unit, field.n_clips)
    return Comparison(
        metric=metric,
        unit_name=targets.unit,
        n_units=field.n_units,
        n_clips=field.n_clips,
        pipelines=field.names,
        pairs=tuple(_judged(measured, sample, equivalence_margin, baseline)),
        baseline=baseline if baseline in field.names else None,
        equivalence_margin=equivalence_margin,
        notes=tuple(_notes(results, field, measured, metric)),
    )


def _judged(
    measured: Sequence[Measured], sample: str, margin: float | None, baseline: str | None
) -> Iterator[Pair]:
    """Judge the pairs with the baseline as one family of tests, and all others as another."""
    families = [baseline in (each.better, each.worse) for each in measured]
    adjusted = {family: _adjusted(measured, families, family) for family in set(families)}
    for each, family in zip(measured, families, strict=True):
        p_values, level = adjusted[family]
        yield _pair(each, next(p_values), each.half_width(level), sample, margin)


def _adjusted(
    measured: Sequence[Measured], families: Sequence[bool], wanted: bool
) -> tuple[Iterator[float], float]:
    """Return the adjusted p of each pair of a family, and the level at which Holm's method stopped.

    Each pair that is left undecided has a p above that level, before the adjustment.
    """
    family = [each for each, its in zip(measured, families, strict=True) if its == wanted]
    adjusted = holm([1.0 if each.p is None else each.p for each in family])
    return iter(adjusted), ALPHA / max(1, sum(p >= ALPHA for p in adjusted))


def _pair(
    each: Measured, p_holm: float, detectable: float, sample: str, margin: float | None
) -> Pair:
    half = each.half_width(ALPHA)
    low, high = each.difference - half, each.difference + half
    verdict = _verdict(each, p_holm, margin)
    interval = (each.difference, low, high)
    return Pair(
        better=each.better,
        worse=each.worse,
        difference=each.difference,
        low=low,
        high=high,
        p_bootstrap=each.p,
        p_mcnemar=each.p_mcnemar,
        p_corrected_t=each.p_corrected_t,
        p_holm=p_holm,
        verdict=verdict,
        sentence=pair_sentence(
            verdict, each.better, each.worse, interval, detectable, sample, margin
        ),
        detectable=detectable,
    )


def _verdict(each: Measured, p_holm: float, margin: float | None) -> Verdict:
    """Judge one pair; a difference that is surely below the margin does not matter."""
    if margin is not None and each.difference + each.half_width(2 * ALPHA) < margin:
        return "equivalent"
    return "better" if p_holm < ALPHA else "undecided"


def _notes(
    results: Mapping[str, Predicted], field: Field, measured: Sequence[Measured], metric: Metric
) -> Iterator[str]:
    left_out = [name for name in results if name not in field.names]
    if left_out:
        yield f"not compared, since they have no {metric}: {', '.join(left_out)}"
    if not measured:
        return
    if any(each.p_mcnemar is None for each in measured):
        yield "no McNemar test: it takes clips to be independent, which those of one group are not"
    elif len(field.resampled) > 1:
        yield "McNemar's test counts each clip once, with its predictions in the first repeat"
