"""The value of the best of several pipelines, corrected for its selection."""

import numpy as np
import pytest

from audioclf.evaluation.comparison.selection import corrected_best
from audioclf.evaluation.metrics.estimate import metric_value
from tests.evaluation.predictions import result_of
from tests.targets import targets_of


@pytest.mark.slow
def test_the_best_of_many_guessers_is_worth_a_guess() -> None:
    values, corrected = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = np.arange(60) % 2
        results = [result_of(y, rng.integers(0, 2, 60)) for _ in range(36)]
        values.append(max(metric_value(r, "accuracy", targets_of(y)) for r in results))
        corrected.append(corrected_best(results, "accuracy", targets_of(y), seed=seed))
    assert np.mean(values) > 0.6
    assert np.mean(corrected) == pytest.approx(0.5, abs=0.04)


def test_a_pipeline_that_is_clearly_best_keeps_its_value() -> None:
    y = np.arange(60) % 2
    wrong = np.where(np.arange(60) % 3, y, 1 - y)
    results = [result_of(y, np.where(np.arange(60) % 20, y, 1 - y)), result_of(y, wrong)]
    assert corrected_best(results, "accuracy", targets_of(y), seed=0) == pytest.approx(
        0.95, abs=0.01
    )


def test_a_single_pipeline_needs_no_correction() -> None:
    y = np.arange(10) % 2
    assert np.isnan(corrected_best([result_of(y, y)], "accuracy", targets_of(y), seed=0))
