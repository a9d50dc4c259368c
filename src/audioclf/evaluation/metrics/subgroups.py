"""A metric on the clips of each group, site or published fold alone.

The interval is over the clips of the subgroup: it does not apply to other groups. With `units` it
is over the resampling units of the run, if the subgroup has two or more. The harmonic mean over the
subgroups is the score of DCASE task 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import interval, wilson_interval
from audioclf.evaluation.metrics.estimate import is_available, resampled_values, values_of
from audioclf.evaluation.metrics.repeats import Codes, Floats, Repeat, effective_count, repeats_of
from audioclf.evaluation.results import Predicted


@dataclass(frozen=True, slots=True)
class SubgroupScore:
    """A metric on the clips of a subgroup, with its 95 % interval; NaN for none."""

    name: str
    n_clips: int
    value: float
    low: float
    high: float


def by_subgroup(
    result: Predicted,
    metric: Metric,
    targets: Targets,
    codes: Codes,
    names: Sequence[str],
    *,
    units: bool = False,
) -> list[SubgroupScore]:
    """Return a metric on the test clips of each subgroup, in the order of the names.

    `codes` [shape=(n_clips,)] are positions in `names`, -1 for a clip of none. A metric is NaN if
    the subgroup has no clip of a class that it needs. `units` says whether intervals are over the
    resampling units.
    """
    parts = _parts(repeats_of(result, targets), codes, len(names))
    available = is_available(result, metric)
    return [
        _score(name, part, metric if available else None, targets, units=units)
        for name, part in zip(names, parts, strict=True)
    ]


def _parts(repeats: Sequence[Repeat], codes: Codes, n_subgroups: int) -> list[list[Repeat]]:
    """Return the predictions of each subgroup, by repeat."""
    parts: list[list[Repeat]] = [[] for _ in range(n_subgroups)]
    for repeat in repeats:
        of_clip = codes[repeat.test]
        order = np.argsort(of_clip, kind="stable")
        present, starts = np.unique(of_clip[order], return_index=True)
        for code, rows in zip(present, np.split(order, starts[1:]), strict=True):
            if code >= 0:
                parts[code].append(repeat.at(rows))
    return parts


def _score(
    name: str, repeats: list[Repeat], metric: Metric | None, targets: Targets, *, units: bool
) -> SubgroupScore:
    n_clips = len({clip for repeat in repeats for clip in repeat.test.tolist()})
    if metric is None or not repeats:
        return SubgroupScore(name, n_clips, *[float("nan")] * 3)
    value = float(values_of(repeats, [metric], targets.n_classes)[0])
    drawn = _drawn(repeats, targets, units=units)
    return SubgroupScore(name, n_clips, value, *_interval(repeats, metric, value, targets, drawn))


def _drawn(repeats: list[Repeat], targets: Targets, *, units: bool) -> Codes:
    """Return what resamples draw, for each clip: its unit, or itself."""
    of_clips = targets.unit_codes if units else np.zeros(len(targets), dtype=np.intp)
    is_one = len({*of_clips[_tested(repeats)].tolist()}) == 1
    return np.arange(len(targets)) if is_one else of_clips


def _tested(repeats: list[Repeat]) -> Codes:
    return np.concatenate([repeat.test for repeat in repeats])


def _interval(
    repeats: list[Repeat], metric: Metric, value: float, targets: Targets, drawn: Codes
) -> tuple[float, float]:
    if METRICS[metric].needs == "probabilities" or not np.isfinite(value):
        return float("nan"), float("nan")
    tested = _tested(repeats)
    n_drawn = effective_count(drawn[tested], targets.weights_of(tested))
    of_clips = len({*drawn[tested].tolist()}) == len({*tested.tolist()})
    if metric == "accuracy" and n_drawn and of_clips:
        return wilson_interval(value, n_drawn)
    values, info = _resampled(repeats, metric, targets, drawn), METRICS[metric]
    return interval(value, values, n_drawn, low=info.low, high=info.high)


def _resampled(
    repeats: list[Repeat], metric: Metric, targets: Targets, drawn: Codes, seed: int = 0
) -> Floats:
    return resampled_values([repeats], [[metric]], drawn, targets.n_classes, seed=seed)[0][:, 0]


def harmonic_mean(
    result: Predicted,
    metric: Metric,
    targets: Targets,
    codes: Codes,
    scores: Sequence[SubgroupScore],
) -> SubgroupScore | None:
    """Return the harmonic mean of a metric over subgroups; `scores` are those of `by_subgroup`.

    Its interval is over resampling units. Each subgroup is resampled by itself, but those of the
    same units together. None for fewer than two subgroups, for a metric that is a loss or can be
    below 0, or if it is 0 or not defined in one of them.
    """
    values = np.array([score.value for score in scores])
    info = METRICS[metric]
    has_mean = info.low >= 0 and info.high == 1 and not info.lower_is_better
    if len(values) < 2 or not has_mean or not np.all(values > 0):
        return None
    resampled, known = [], list[list[int]]()
    for part in _parts(repeats_of(result, targets), codes, len(scores)):
        drawn = _drawn(part, targets, units=True)
        known.append(np.unique(drawn[_tested(part)]).tolist())
        seed = known.index(known[-1])
        resampled.append(_resampled(part, metric, targets, drawn, seed))
    with np.errstate(divide="ignore"):
        means = 1 / np.mean(1 / np.array(resampled), axis=0)
    value, fewest = float(1 / np.mean(1 / values)), min(map(len, known))
    n_clips = sum(score.n_clips for score in scores)
    return SubgroupScore(
        "harmonic mean", n_clips, value, *interval(value, means, fewest, low=info.low)
    )
