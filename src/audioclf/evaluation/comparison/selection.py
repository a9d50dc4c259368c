"""Value of the best pipeline, corrected for its selection on the same clips.

The best of several pipelines owes part of its value to the clips on which it was chosen. The
bootstrap bias-corrected estimate repeats the choice: on each resample of the units the pipeline
with the best value is chosen, and evaluated on the units that the resample lacks (Tsamardinos,
Greasidou & Borboudakis 2018, "Bootstrapping the out-of-sample predictions for efficient and
accurate cross-validation", *Machine Learning* 107, 1895-1922).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import on_resamples
from audioclf.evaluation.metrics.draws import Draws
from audioclf.evaluation.metrics.estimate import averaged, is_available, scorers_of
from audioclf.evaluation.metrics.repeats import Floats, repeats_of
from audioclf.evaluation.results import Predicted


def corrected_best(
    results: Sequence[Predicted], metric: Metric, targets: Targets, *, seed: int
) -> float:
    """Return the value of the best pipeline after correction for its selection.

    NaN for a single pipeline or a single unit, or where the metric is not defined.
    """
    pipelines = [repeats_of(r, targets) for r in results if is_available(r, metric)]
    if len(pipelines) < 2:
        return float("nan")
    metrics, n_classes = [[metric] for _ in pipelines], targets.n_classes
    scorers, n_units, width = scorers_of(pipelines, metrics, targets.unit_codes, n_classes)
    sign = -1.0 if METRICS[metric].lower_is_better else 1.0

    def values(counts: Floats) -> Floats:
        draws = Draws(counts)
        return np.hstack([averaged(own, draws) for own in scorers])

    def chosen(counts: Floats) -> Floats:
        inside = np.nan_to_num(sign * values(counts), nan=-np.inf)
        outside: Floats = values((counts == 0).astype(np.float64))
        best: Floats = outside[np.arange(len(counts)), inside.argmax(axis=1)]
        return best

    resampled = on_resamples(chosen, n_units, seed=seed, width=width)
    finite = resampled[np.isfinite(resampled)]
    return float(finite.mean()) if len(finite) else float("nan")
