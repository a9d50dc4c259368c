"""Result of a stress test: the metric after each change, and its paired difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import ResultError
from audioclf.components.metrics import METRICS, Metric
from audioclf.evaluation.comparison.measures import measure, measure_all
from audioclf.evaluation.comparison.result import ALPHA, sample_words
from audioclf.evaluation.metrics.estimate import Estimate, estimate
from audioclf.evaluation.results import Predicted
from audioclf.experiment.stress.conditions import CLEAN, Condition
from audioclf.runs.units import unit_word

if TYPE_CHECKING:
    from audioclf.config.run_config import RunConfig
    from audioclf.dataset.targets import Targets


@dataclass(frozen=True)
class StressRow:
    """The metric after a change, and its difference from that of the sound as it is.

    `low` and `high` are the ends of the 95 % interval of the difference, NaN where there is none.
    """

    name: str
    group: str
    estimate: Estimate
    difference: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference does not contain 0."""
        return self.low > 0 or self.high < 0

    @property
    def interval(self) -> str:
        """The difference with its interval, such as `-0.120 [-0.180, -0.060]`."""
        if not np.isfinite([self.low, self.high]).all():
            return f"{self.difference:+.3f}"
        return f"{self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@dataclass(frozen=True)
class Stress:
    """The result of a stress test; `subject` is the name of the pipeline."""

    subject: str
    metric: Metric
    clean: Estimate
    rows: tuple[StressRow, ...]
    sample: str
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The change that costs most, in one sentence without a full stop."""
        sign = -1 if METRICS[self.metric].lower_is_better else 1
        worst = min(self.rows, key=lambda row: sign * row.difference)
        if sign * worst.difference >= 0:
            return f"no change costs {self.subject} any {self.metric}"
        cost = f"{self.metric} {worst.estimate.value:.3f} instead of {self.clean.value:.3f}"
        most = "costs most" if worst.is_clear else "costs most, but may cost nothing"
        return f"{worst.name} {most}: {cost}, difference {worst.interval}"

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON; undefined numbers are None."""
        return {
            "subject": self.subject,
            "metric": self.metric,
            "sample": self.sample,
            "sentence": self.sentence,
            "clean": self.clean.defined(),
            "changes": [
                {
                    "name": row.name,
                    "group": row.group,
                    **row.estimate.defined(),
                    "difference": Estimate(row.difference, row.low, row.high).defined(),
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }


def summarised(
    subject: str,
    results: Mapping[str, Predicted],
    changes: Sequence[Condition],
    config: RunConfig,
    targets: Targets,
    notes: Sequence[str],
) -> Stress:
    """Return the main metric in each condition, compared on the same resamples of the clips."""
    metric, seed = config.metrics[0], config.seed
    clean = estimate(results[CLEAN], metric, targets, seed=seed)
    if clean is None:
        raise ResultError(f"{subject} gives no scores, which the metric {metric} needs")
    measures = measure_all(results, metric, targets, seed)
    sign = -1.0 if METRICS[metric].lower_is_better else 1.0
    rows = []
    for item in changes:
        own = estimate(results[item.name], metric, targets, seed=seed)
        if own is None or not {item.name, CLEAN} <= set(measures.names):
            raise ResultError(f"{metric} is not defined on these clips")
        first, second = (measures.names.index(name) for name in (item.name, CLEAN))
        pair = measure(measures, first, second, independent=False)
        difference, half = sign * pair.difference, pair.half_width(ALPHA)
        ends = (difference - half, difference + half)
        rows.append(StressRow(item.name, item.group, own, difference, *ends))
    unit = unit_word(config.model_dump()["dataset"], targets.unit)
    sample = sample_words(measures.n_units, unit, measures.n_clips)
    return Stress(subject, metric, clean, tuple(rows), sample, tuple(notes))
