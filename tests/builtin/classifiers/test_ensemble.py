"""`vote` and `stack`, compared with those of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.naive_bayes import GaussianNB

from audioclf.builtin.classifiers.ensemble import Stack, Vote
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.svm import Svm
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.builtin.classifiers.tuned_folds import inner_folds
from audioclf.models.bundle.reading import read_bundle
from audioclf.plugin import Classifier, ClassifierError
from tests.models.making import fitted, registry, written

MEMBERS: dict[str, Classifier] = {"knn": Knn(n_neighbors=3), "logistic": LogisticRegression()}


def rows(n_classes: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(n_classes)
    y = np.arange(60) % n_classes
    return (rng.normal(0, 1, (60, 5)) + y[:, np.newaxis]).astype(np.float32), y


def built(members: dict[str, Classifier]) -> list[tuple[str, Any]]:
    return [(name, member.build(random_state=0)) for name, member in members.items()]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_vote_is_that_of_scikit_learn(n_classes: int) -> None:
    X, y = rows(n_classes)
    ours: Any = Vote(classifiers=MEMBERS, weights={"knn": 3}).build(random_state=0)
    theirs = VotingClassifier(built(MEMBERS), voting="soft", weights=[3, 1]).fit(X, y)
    expected = theirs.predict_proba(X)
    np.testing.assert_allclose(ours.fit(X, y).predict_proba(X), expected, rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_stack_is_that_of_scikit_learn(n_classes: int) -> None:
    X, y = rows(n_classes)
    members = {**MEMBERS, "svm": Svm()}
    stack = Stack(classifiers=members, n_splits=3)
    ours: Any = stack.build(random_state=0)
    folds = inner_folds(y, None, 3, 0)
    final = stack.final.build(random_state=0)
    theirs = StackingClassifier(built(members), final, cv=folds).fit(X, y)
    np.testing.assert_allclose(
        ours.fit(X, y).predict_proba(X), theirs.predict_proba(X), atol=1e-4 * n_classes
    )


def test_the_scores_that_a_stack_learns_from_are_of_other_groups() -> None:
    """A neighbour of the same group tells the class; without groups the stack would trust it."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 5)
    y = groups % 2
    X = np.repeat(rng.normal(0, 1, (20, 4)), 5, axis=0) + rng.normal(0, 0.01, (100, 4))
    stack = Stack(classifiers={"knn": Knn(n_neighbors=1), "logistic": LogisticRegression()})
    trusting, careful = (
        np.abs(_weight_of_knn(stack.build(random_state=0).fit(X, y, groups=passed)))
        for passed in (None, groups)
    )
    assert trusting > 3 * careful


def _weight_of_knn(estimator: Any) -> float:
    return float(estimator.members_["final"][-1].coef_[0, 0])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_bundle_holds_the_members_and_what_a_search_inside_chose(
    n_classes: int, tmp_path: Path
) -> None:
    tuned = Tuned(classifier=Svm(), search={"C": [0.1, 1.0]}, n_splits=2)
    made = fitted(Stack(classifiers={"tuned": tuned, "knn": Knn()}, n_splits=2), n_classes)
    model = read_bundle(written(tmp_path / "m.audioclf", made), registry()).model
    np.testing.assert_array_equal(model.scores_of(made.X), made.estimator.predict_proba(made.X))
    assert model.manifest.classifier["classifiers"]["tuned"]["type"] == "svm"


def test_a_search_sets_the_fields_of_an_ensemble() -> None:
    X, y = rows(2)
    stack = Stack(classifiers=MEMBERS)
    tuned = Tuned(classifier=stack, search={"n_splits": [2, 3]}, n_splits=2)
    assert set(tuned.build(random_state=0).fit(X, y).best_params_) == {"n_splits"}


@pytest.mark.parametrize("make", [Vote, Stack])
def test_each_classifier_sees_its_columns_and_their_shape(make: Any) -> None:
    X, y = rows(3)
    members = {"framed": Framed(), "knn": Knn(n_neighbors=3)}
    ensemble = make(classifiers=members, features={"framed": "mel", "knn": "mfcc"})
    assert not ensemble.needs_shape()
    bound = ensemble.for_rows({"mfcc": (1, None), "mel": (4, (2, 2))})
    assert dict(bound.columns) == {"framed": (1, 5), "knn": (0, 1)}
    passed = bound.fit_keywords(groups=None, shape=None)
    fit = bound.build(random_state=0).fit(X, y, **passed)
    assert fit.members_["framed"].shape_ == (2, 2)
    alone = Knn(n_neighbors=3).build(random_state=0).fit(X[:, :1], y)
    np.testing.assert_array_equal(fit.members_["knn"].predict(X[:, :1]), alone.predict(X[:, :1]))
    assert fit.predict(X).shape == (60,)


class Framed(Classifier):
    """A classifier of matrices."""

    type: Literal["framed"] = "framed"
    uses_shape: ClassVar[bool] = True

    def build(self, *, random_state: int) -> Any:
        return FramedEstimator()


class FramedEstimator(GaussianNB):  # type: ignore[misc]
    """Keeps the shape that `fit` got."""

    def fit(self, X: Any, y: Any, *, shape: Any = None) -> FramedEstimator:
        self.shape_ = shape
        fit: FramedEstimator = super().fit(X, y)
        return fit


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Vote(classifiers={"knn": Knn()}), "at least two classifiers"),
        (lambda: Vote(classifiers=MEMBERS, weights={"svm": 1}), "`weights` names 'svm'"),
        (lambda: Vote(classifiers=MEMBERS, weights={"knn": 0}), "greater than 0"),
        (lambda: Stack(classifiers={**MEMBERS, "final": Knn()}), "the name 'final'"),
        (
            lambda: Vote(classifiers=MEMBERS, columns={"knn": (2, 2)}),
            "the second number is greater",
        ),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make()


def test_a_member_without_probabilities_is_named() -> None:
    X, y = rows(2)
    model: Any = Vote(classifiers={"svm": Svm(), "knn": Knn()}).build(random_state=0).fit(X, y)
    with pytest.raises(ClassifierError, match="'svm': it gives no probabilities"):
        model.predict(X)
