"""Paired comparison of all pipelines of a run by one metric.

All pipelines have the same clips and folds, so each difference is taken on the same resamples of
the test clips. One test decides: the paired bootstrap over resampling units, corrected for the
variation of training clips (`significance.bootstrap_spread`), with its p adjusted by Holm's method.
Pairs with the baseline are one family of tests, all other pairs another. The interval of a
difference and the smallest detectable difference come from the same spread. Simulations in the
tests of this package show the need: for classifiers that are refitted, a bootstrap without that
correction has about twice the error rate of 5 % that it states. McNemar's test and the corrected
resampled t-test are reported too, but decide nothing.

Two pipelines are equivalent if the 90 % interval is within a margin that the user sets: two
one-sided tests at 5 % (Schuirmann 1987, *Journal of Pharmacokinetics and Biopharmaceutics* 15,
657-680), for each pair by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from audioclf.components.metrics import Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.comparison.guesses import FEW_UNITS, permutation_p
from audioclf.evaluation.comparison.measures import (
    PairedMeasures,
    PairMeasure,
    measure,
    measure_all,
)
from audioclf.evaluation.comparison.result import (
    ALPHA,
    Comparison,
    Pair,
    Verdict,
    pair_sentence,
    sample_words,
)
from audioclf.evaluation.comparison.significance import holm
from audioclf.evaluation.metrics.repeats import repeats_of
from audioclf.evaluation.results import Predicted


def compare(
    results: Mapping[str, Predicted],
    metric: Metric,
    targets: Targets,
    *,
    seed: int,
    equivalence_margin: float | None = None,
    baseline: str | None = None,
    unit_word: str = "",
) -> Comparison:
    """Compare all pipelines, which have the same folds, with each other by one metric.

    Sentences call the resampling unit by the `unit_word`, such as "site".
    """
    measures = measure_all(results, metric, targets, seed, baseline)
    of_classes = not targets.is_numbers
    independent = targets.unit == "clip" and targets.weights is None and of_classes
    pairs = [
        measure(measures, first, second, independent=independent)
        for first, second in combinations(range(len(measures.names)), 2)
    ]
    if measures.n_units_per_repeat < FEW_UNITS:
        better = {
            pair.better: results[pair.better]
            for pair in pairs
            if pair.worse == baseline and pair.p is not None and pair.p < ALPHA
        }
        p_values = _permutation_p(better, metric, targets, seed)
        pairs = [
            replace(pair, p_permutation=p_values.get(pair.better))
            if pair.worse == baseline
            else pair
            for pair in pairs
        ]
    sample = sample_words(measures.n_units, unit_word or targets.unit, measures.n_clips)
    return Comparison(
        metric=metric,
        unit_name=targets.unit,
        n_units=measures.n_units,
        n_clips=measures.n_clips,
        pipelines=measures.names,
        pairs=tuple(_with_verdicts(pairs, sample, equivalence_margin, baseline)),
        baseline=baseline if baseline in measures.names else None,
        equivalence_margin=equivalence_margin,
        notes=tuple(_notes(results, measures, pairs, metric, targets, baseline)),
        unit_word=unit_word,
    )


def _permutation_p(
    results: Mapping[str, Predicted], metric: Metric, targets: Targets, seed: int
) -> dict[str, float]:
    if not results:
        return {}
    pipelines = [repeats_of(result, targets) for result in results.values()]
    units, n_classes = targets.unit_codes, targets.n_classes
    return dict(
        zip(results, permutation_p(pipelines, metric, units, n_classes, seed=seed), strict=True)
    )


def _with_verdicts(
    pairs: Sequence[PairMeasure], sample: str, margin: float | None, baseline: str | None
) -> Iterator[Pair]:
    """Adjust the pairs with the baseline as one family of tests, and all others as another."""
    with_baseline = [baseline in (pair.better, pair.worse) for pair in pairs]
    families = {
        which: _adjusted([p for p, has in zip(pairs, with_baseline, strict=True) if has == which])
        for which in set(with_baseline)
    }
    for pair, which in zip(pairs, with_baseline, strict=True):
        p_values, level = families[which]
        yield _pair(pair, next(p_values), pair.half_width(level), sample, margin)


def _adjusted(family: Sequence[PairMeasure]) -> tuple[Iterator[float], float]:
    """Return the adjusted p of each pair of a family, and the level at which Holm's method stopped.

    Each pair that is left undecided has a p above that level, before the adjustment.
    """
    adjusted = holm([1.0 if pair.p is None else pair.p for pair in family])
    return iter(adjusted), ALPHA / max(1, sum(p >= ALPHA for p in adjusted))


def _pair(
    pair: PairMeasure, p_holm: float, detectable: float, sample: str, margin: float | None
) -> Pair:
    half = pair.half_width(ALPHA)
    low, high = pair.difference - half, pair.difference + half
    verdict = _verdict(pair, p_holm, margin)
    interval = (pair.difference, low, high)
    if verdict == "undecided" and detectable < pair.difference:
        detectable = float("nan")  # the permutation test decided
    return Pair(
        better=pair.better,
        worse=pair.worse,
        difference=pair.difference,
        low=low,
        high=high,
        p_bootstrap=pair.spread.p(pair.difference) if pair.spread else None,
        p_mcnemar=pair.p_mcnemar,
        p_corrected_t=pair.p_corrected_t,
        p_holm=p_holm,
        verdict=verdict,
        sentence=pair_sentence(
            verdict, pair.better, pair.worse, interval, detectable, sample, margin
        ),
        detectable=detectable,
        p_permutation=pair.p_permutation,
    )


def _verdict(pair: PairMeasure, p_holm: float, margin: float | None) -> Verdict:
    """Return the verdict on one pair; "equivalent" comes before "better"."""
    if margin is not None and pair.difference + pair.half_width(2 * ALPHA) < margin:
        return "equivalent"
    return "better" if p_holm < ALPHA else "undecided"


def _notes(
    results: Mapping[str, Predicted],
    measures: PairedMeasures,
    pairs: Sequence[PairMeasure],
    metric: Metric,
    targets: Targets,
    baseline: str | None,
) -> Iterator[str]:
    if targets.weights is not None:
        yield "clips are weighted in all values and tests"
    if measures.not_compared:
        yield measures.not_compared
    if measures.baseline is not None:
        name, value = measures.names[measures.baseline], measures.values[measures.baseline]
        yield (
            f"{name} is compared as the best guess from the "
            f"{'numbers' if targets.is_numbers else 'class frequencies'} on test: "
            f"{measures.guess}, {metric} {abs(value):.3f}"
        )
    left_out = [name for name in results if name not in measures.names and name != baseline]
    if left_out:
        yield f"not compared, since they have no {metric}: {', '.join(left_out)}"
    if not pairs or targets.is_numbers:
        return
    others = [pair for pair in pairs if baseline not in (pair.better, pair.worse)]
    if any(pair.p_mcnemar is None for pair in others):
        reason = f"independent clips, and clips of one {targets.unit} are not"
        if targets.unit == "clip":
            reason = "clips that count the same, and these have weights"
        yield f"no McNemar test: it requires {reason}"
    elif others and len(measures.resampled) > 1:
        yield "McNemar's test counts each clip once, with its predictions in the first repeat"
