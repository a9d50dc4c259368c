"""Baseline without features: scikit-learn's `DummyClassifier`."""

from __future__ import annotations

from typing import ClassVar, Literal

from typing_extensions import override

from audioclf.builtin.classifiers.from_sklearn import FromSklearn


class Dummy(FromSklearn):
    """Baseline that uses the class counts alone; every other classifier has to beat it.

    Names and defaults are those of `sklearn.dummy.DummyClassifier`.
    """

    estimator: ClassVar[str] = "sklearn.dummy.DummyClassifier"

    type: Literal["dummy"] = "dummy"

    expected_failed_checks: ClassVar[dict[str, str]] = {
        "learns_a_separable_toy": "it guesses on purpose"
    }

    strategy: Literal["prior", "most_frequent", "stratified", "uniform"] = "prior"
    """`prior` and `most_frequent` predict the largest class, `prior` with the shares of the classes
    as probabilities; `stratified` draws classes by their shares, `uniform` uniformly."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 64 * n_rows
