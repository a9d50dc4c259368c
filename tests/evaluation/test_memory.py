from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import EXIT_ENVIRONMENT, MemoryShortError
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.sgd import Sgd
from audioclf.components import batches as batches_module
from audioclf.components.batches import Batches
from audioclf.components.classifier import Classifier
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.memory import FitPlan, plan_fits
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from tests.targets import targets_of

ROWS, COLUMNS = 400, 20_000
MATRICES = {"mel": np.broadcast_to(np.float32(0), (ROWS, COLUMNS))}
FOLDS = Splits((Fold(0, "0", np.arange(200), np.arange(200, 400)),), "")
ROWS_BYTES = 4 * 200 * COLUMNS


def pipeline(classifier: Classifier) -> Pipeline:
    return Pipeline("mine", "mel", "mine", classifier, "mine, audioclf 1.0")


def test_what_fits_is_fitted_with_all_rows() -> None:
    plan = plan_fits([pipeline(Knn())], MATRICES, 2, FOLDS, free=10 * ROWS_BYTES)
    assert plan.batched == frozenset()
    assert plan.notes == ()


def test_no_more_fits_at_once_than_memory_holds() -> None:
    need = ROWS_BYTES + Knn().fit_memory(200, COLUMNS, 2)
    assert plan_fits([pipeline(Knn())], MATRICES, 2, FOLDS, free=3 * need).at_once == 3


def test_what_does_not_fit_learns_in_batches_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "BLOCK_BYTES", 1 << 20)
    monkeypatch.setattr("audioclf.evaluation.memory.BLOCK_BYTES", 1 << 20)
    plan = plan_fits([pipeline(Sgd())], MATRICES, 2, FOLDS, free=ROWS_BYTES)
    assert plan.batched == {"mine"}
    (note,) = plan.notes
    assert note == (
        "mine learned in batches: a fit of all 200 rows needs about 0.052 GB of memory, and "
        "0.016 GB was free; its results may differ from those of such a fit"
    )


def test_what_can_do_neither_is_refused_before_it_begins() -> None:
    with pytest.raises(MemoryShortError) as caught:
        plan_fits([pipeline(Knn())], MATRICES, 2, FOLDS, free=ROWS_BYTES)
    assert caught.value.message == (
        "classifier 'mine' (mine, audioclf 1.0) needs about 0.052 GB of memory for a fit of "
        "200 clips in 20000 columns, and 0.016 GB is free"
    )
    assert caught.value.hint is not None
    assert "`sgd`" in caught.value.hint
    assert caught.value.exit_code == EXIT_ENVIRONMENT


def test_batches_are_refused_too_where_they_take_too_much() -> None:
    class Hungry(Sgd):
        def batch_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
            return 1 << 40

    with pytest.raises(MemoryShortError, match="needs about"):
        plan_fits([pipeline(Hungry())], MATRICES, 2, FOLDS, free=ROWS_BYTES)


@pytest.mark.slow
def test_a_pipeline_that_learns_in_batches_is_evaluated_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches_module, "BLOCK_BYTES", 4 * 8 * 40)
    rng = np.random.default_rng(0)
    y = (np.arange(240) % 3).astype(np.intp)
    X = rng.normal(size=(240, 8)).astype(np.float32)
    X[:, 0] += 5 * y
    parts = np.array_split(rng.permutation(240), 3)
    folds = tuple(
        Fold(0, str(i), np.setdiff1d(np.arange(240), part), np.sort(part))
        for i, part in enumerate(parts)
    )
    asked: list[int] = []
    fit_batches = Sgd.fit_batches

    def spy(self: Sgd, batches: Batches, *, random_state: int) -> Any:
        asked.append(batches.n_rows)
        return fit_batches(self, batches, random_state=random_state)

    monkeypatch.setattr(Sgd, "fit_batches", spy)
    (result,) = evaluate(
        [Pipeline("sgd", "mel", "sgd", Sgd(max_iter=30), "sgd")],
        {"mel": X},
        targets_of(y),
        Splits(folds, ""),
        seed=0,
        fits=FitPlan(frozenset({"sgd"})),
    )
    right = [np.mean(fold.y_pred == y[fold.fold.test]) for fold in result.folds]
    assert asked == [160, 160, 160]
    assert np.mean(right) > 0.85
    assert all(fold.scores is not None for fold in result.folds)
