from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from audioclf.builtin.classifiers.logistic_regression import LogisticRegression, Solver


def rows() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


def test_columns_in_any_unit_give_the_same_predictions() -> None:
    X, y = rows()
    scaled = X * np.float32(1000)
    component = LogisticRegression()
    first, second = (component.build(random_state=0).fit(x, y).predict(x) for x in (X, scaled))
    np.testing.assert_array_equal(first, second)


def test_more_l1_drops_more_columns() -> None:
    X, y = rows()
    models: list[Any] = [
        LogisticRegression(C=0.1, l1_ratio=ratio, solver="saga").build(random_state=0)
        for ratio in (0.0, 0.5, 1.0)
    ]
    dropped = [np.sum(model.fit(X, y)[-1].coef_ == 0) for model in models]
    assert dropped[0] < dropped[1] < dropped[2]


@pytest.mark.parametrize(
    ("l1_ratio", "solver"), [(0.5, "lbfgs"), (1.0, "newton-cg"), (0.5, "liblinear")]
)
def test_a_penalty_that_the_solver_does_not_know_is_refused(
    l1_ratio: float, solver: Solver
) -> None:
    with pytest.raises(ValidationError, match=f"needs solver: saga, not {solver}"):
        LogisticRegression(l1_ratio=l1_ratio, solver=solver)
