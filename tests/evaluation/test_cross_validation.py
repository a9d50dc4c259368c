"""Fitting and predicting: aligned by class, the same for any number of jobs, guarded."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from audioclf.base.errors import ClassifierError
from audioclf.builtin.classifiers.sgd import Sgd
from audioclf.builtin.classifiers.svm import Svm
from audioclf.components.metrics import Metric
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.metrics.estimate import metric_value
from audioclf.evaluation.predictions import predicted
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.plugin import Classifier
from tests.evaluation.toy_classifiers import LogReg, Margin
from tests.targets import targets_of


class _Broken(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, deed: str = "") -> None:
        self.deed = deed

    def fit(self, X: Any, y: Any) -> _Broken:
        if self.deed == "fit raises":
            raise RuntimeError("no\nluck")
        if self.deed == "warns":
            warnings.warn("did not converge", stacklevel=1)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        if self.deed == "short":
            return np.zeros(1, dtype=int)
        if self.deed == "foreign":
            return np.full(len(X), 7)
        return np.zeros(len(X), dtype=int)

    def predict_proba(self, X: Any) -> Any:
        proba = np.full((len(X), len(self.classes_)), 1 / len(self.classes_))
        if self.deed == "columns":
            return proba[:, :1]
        if self.deed == "nan":
            proba[0, 0] = np.nan
        if self.deed == "sum":
            proba *= 2
        return proba


class Broken(Classifier):
    """Breaks one promise."""

    type: Literal["broken"] = "broken"
    deed: str = ""

    def build(self, *, random_state: int) -> Any:
        if self.deed == "build raises":
            raise ValueError("cannot")
        return _Broken(self.deed)


def toy(k: int = 3, n: int = 36) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % k
    return (np.eye(k)[y] * 3 + rng.normal(0, 0.5, (n, k))).astype(np.float32), y


def halves(n: int) -> Splits:
    first, second = np.arange(n // 2), np.arange(n // 2, n)
    return Splits((Fold(0, "0", first, second), Fold(0, "1", second, first)), "halves")


def go(classifier: Classifier, X: np.ndarray, y: np.ndarray, splits: Splits, jobs: int = 1) -> Any:
    pipeline = Pipeline("cell", "f", "c", classifier, f"{classifier.type_name()}, tests 1.0")
    return evaluate([pipeline], {"f": X}, targets_of(y), splits, seed=0, jobs=jobs)[0]


def test_predictions_and_scores_are_those_of_the_estimator() -> None:
    X, y = toy()
    splits = halves(len(y))
    for result in go(LogReg(), X, y, splits).folds:
        fold = result.fold
        oracle = LogisticRegression(random_state=0).fit(X[fold.train], y[fold.train])
        np.testing.assert_array_equal(result.y_pred, oracle.predict(X[fold.test]))
        np.testing.assert_array_equal(result.scores, oracle.predict_proba(X[fold.test]))
        assert result.score_kind == "probability"


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_class_that_the_training_side_lacks_gets_score_0_in_its_column(missing: int) -> None:
    X, y = toy()
    train = np.flatnonzero(y != missing)
    splits = Splits((Fold(0, "0", train, np.arange(len(y))),), "d")
    (result,) = go(LogReg(), X, y, splits).folds
    assert (result.scores[:, missing] == 0).all()
    assert set(result.y_pred) == {0, 1, 2} - {missing}
    np.testing.assert_array_equal(result.scores.argmax(axis=1), result.y_pred)


@pytest.mark.parametrize("k", [2, 3])
def test_decision_values_become_scores_that_keep_their_order(k: int) -> None:
    X, y = toy(k)
    for result in go(Margin(), X, y, halves(len(y))).folds:
        assert result.score_kind == "decision"
        np.testing.assert_allclose(result.scores.sum(axis=1), 1)
        np.testing.assert_array_equal(result.scores.argmax(axis=1), result.y_pred)


def test_warnings_are_counted_and_kept_off_the_screen() -> None:
    X, y = toy()
    assert go(Broken(deed="warns"), X, y, halves(len(y))).warnings == {"did not converge": 2}


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("build raises", "raised ValueError: cannot"),
        ("fit raises", "raised RuntimeError: no luck"),
        ("short", "predict returned shape (1,) for 18 rows"),
        ("foreign", "predict returned labels that it was not fitted on"),
        ("columns", "predict_proba returned shape (18, 1), expected (18, 3)"),
        ("nan", "predict_proba returned negative, NaN or infinite values"),
        ("sum", "predict_proba returned rows that do not sum to 1"),
    ],
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_classifier_that_breaks_its_contract_is_named(deed: str, words: str, jobs: int) -> None:
    X, y = toy()
    with pytest.raises(ClassifierError) as caught:
        go(Broken(deed=deed), X, y, halves(len(y)), jobs)
    assert words in caught.value.message
    assert caught.value.message.startswith("classifier 'cell' (broken, tests 1.0), fold '0'")


class _Takes(_Broken):
    def fit(self, X: Any, y: Any, **passed: Any) -> _Takes:
        super().fit(X, y)
        self.best_params_ = {name: tuple(value) for name, value in passed.items()}
        return self


class TakesGroups(Classifier):
    """Tells which groups it was given."""

    type: Literal["takes_groups"] = "takes_groups"
    uses_groups: ClassVar[bool] = True

    def build(self, *, random_state: int) -> Any:
        return _Takes()


class TakesShape(Classifier):
    """Tells which shape it was given."""

    type: Literal["takes_shape"] = "takes_shape"
    uses_shape: ClassVar[bool] = True

    def build(self, *, random_state: int) -> Any:
        return _Takes()


def given(classifier: Classifier, groups: Any = None, shape: Any = None, jobs: int = 1) -> Any:
    """Return what the estimator of each fold was given beside rows and labels."""
    X, y = toy()
    targets, pipeline = (
        targets_of(y, groups=groups),
        Pipeline("c", "f", "c", classifier, "t", shape),
    )
    (result,) = evaluate([pipeline], {"f": X}, targets, halves(len(y)), seed=0, jobs=jobs)
    return [fold.chosen for fold in result.folds]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_classifier_gets_the_groups_or_the_shape_that_it_uses(jobs: int) -> None:
    codes = np.arange(36) // 4
    assert given(TakesGroups(), codes, (1, 3), jobs) == [
        {"groups": codes[:18].tolist()},
        {"groups": codes[18:].tolist()},
    ]
    assert given(TakesShape(), codes, (1, 3), jobs) == [{"shape": [1, 3]}] * 2
    assert given(Broken(), codes, (1, 3), jobs) == [None, None]


def test_a_classifier_without_the_shape_that_it_uses_is_not_fitted() -> None:
    with pytest.raises(ClassifierError, match="takes_shape needs rows that keep the frames"):
        given(TakesShape())


def test_a_dummy_knows_only_how_frequent_the_classes_are() -> None:
    class Prior(Classifier):
        """The prior."""

        type: Literal["prior"] = "prior"

        def build(self, *, random_state: int) -> Any:
            return DummyClassifier()

    X, y = toy(2, 30)
    y = (np.arange(30) % 3 == 0).astype(int)
    for result in go(Prior(), X, y, halves(30)).folds:
        assert set(result.y_pred) == {0}


@pytest.mark.parametrize("k", [2, 3])
def test_rank_metrics_order_clips_by_decision_values_where_scores_saturate(k: int) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60 * k) % k
    X = (rng.normal(size=(len(y), 80)) + 0.4 * np.eye(k, 80)[y]).astype(np.float32)
    values = np.zeros((len(y), k))
    splits = halves(len(y))
    losses: tuple[Any, ...] = ("hinge", "log_loss")
    for loss in losses:
        result = go(Sgd(loss=loss), X, y, splits)
        for fold in splits.folds:
            model = Sgd(loss=loss).build(random_state=0)
            model.fit(X[fold.train], y[fold.train])
            decision = model.decision_function(X[fold.test])
            values[fold.test] = decision if k > 2 else np.column_stack([-decision, decision])
        columns = [1] if k == 2 else range(k)
        oracles: dict[Metric, Any] = {
            "roc_auc": roc_auc_score,
            "average_precision": average_precision_score,
        }
        for metric, oracle in oracles.items():
            expected = np.mean([oracle(y == column, values[:, column]) for column in columns])
            assert metric_value(result, metric, targets_of(y)) == pytest.approx(expected), loss


class Reordered(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Its columns are in the order of `classes_`, which are text and not sorted by number."""

    def __init__(self, score: str, n_classes: int) -> None:
        self.score = score
        self.n_classes = n_classes

    def fit(self, X: Any, y: Any) -> Reordered:
        order = np.roll(np.arange(self.n_classes), 1)
        self.classes_ = np.array([str(code) for code in order], dtype=object)
        return self

    def predict(self, X: Any) -> Any:
        return np.array([str(code) for code in X[:, 0].astype(int)], dtype=object)

    def __getattr__(self, name: str) -> Any:
        if name == self.__dict__.get("score"):
            return self._columns
        raise AttributeError(name)

    def _columns(self, X: Any) -> Any:
        order = self.classes_.astype(int)
        proba = np.full((len(X), len(order)), 0.1 / (len(order) - 1))
        proba[X[:, :1].astype(int) == order] = 0.9
        one_column = self.score == "decision_function" and len(order) == 2
        return proba[:, 1] - proba[:, 0] if one_column else proba


@pytest.mark.parametrize("score", ["predict_proba", "decision_function"])
@pytest.mark.parametrize("n_classes", [2, 12])
def test_columns_are_put_into_the_order_of_the_codes(score: str, n_classes: int) -> None:
    X = np.arange(n_classes, dtype=np.float32)[:, None]
    model = Reordered(score, n_classes).fit(X, None)
    result = predicted(model, X, n_classes)
    assert result.codes.tolist() == list(range(n_classes))
    assert result.scores is not None
    assert result.scores.argmax(axis=1).tolist() == list(range(n_classes))
    if score == "decision_function":
        assert result.decision_values is not None
        assert result.decision_values.argmax(axis=1).tolist() == list(range(n_classes))


def test_the_label_is_the_class_with_the_highest_score() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 8
    X = (rng.normal(size=(400, 30)) + np.eye(8, 30)[y]).astype(np.float32)
    model = Svm().build(random_state=0).fit(X[::2], y[::2])
    raw = model.decision_function(X[1::2])
    assert (raw.argmax(axis=1) != model.predict(X[1::2])).any()
    for fold in go(Svm(), X, y, halves(len(y))).folds:
        np.testing.assert_array_equal(fold.scores.argmax(axis=1), fold.y_pred)
        np.testing.assert_allclose(fold.scores.sum(axis=1), 1)
