"""Classifiers of scikit-learn for tests of fits: with probabilities, and without."""

from typing import Any, Literal

from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from audioclf.plugin import Classifier


class LogReg(Classifier):
    """Logistic regression."""

    type: Literal["logreg"] = "logreg"

    def build(self, *, random_state: int) -> Any:
        return LogisticRegression(random_state=random_state)


class Margin(Classifier):
    """A classifier without probabilities."""

    type: Literal["margin"] = "margin"

    def build(self, *, random_state: int) -> Any:
        return SVC(kernel="linear")
