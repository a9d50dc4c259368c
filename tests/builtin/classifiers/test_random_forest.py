from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from audioclf.builtin.classifiers.forests import RandomForest


def test_the_forest_does_not_choose_how_parallel_a_run_is() -> None:
    model: Any = RandomForest().build(random_state=0)
    assert model.n_jobs == 1


def test_max_samples_without_bootstrap_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_samples needs bootstrap: true"):
        RandomForest(max_samples=0.5, bootstrap=False)
