"""Differences of two independent results."""

import numpy as np
import pytest

from audioclf.evaluation.comparison.independent import independent_difference
from audioclf.evaluation.metrics.bootstrap import wilson_interval
from audioclf.evaluation.metrics.estimate import Estimate


@pytest.mark.parametrize(("here", "before"), [(0.7, 0.85), (0.6, 0.98), (0.9, 0.9)])
def test_the_interval_covers_the_true_difference_as_often_as_it_says(
    here: float, before: float
) -> None:
    """Of 40 clips here and 100 in cross-validation, each with the interval of its share."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        found = [rng.binomial(n, share) / n for n, share in ((40, here), (100, before))]
        parts = [Estimate(s, *wilson_interval(s, n)) for s, n in zip(found, (40, 100), strict=True)]
        change = independent_difference(*parts)
        covered += change.low <= here - before <= change.high
    assert 930 <= covered <= 985
