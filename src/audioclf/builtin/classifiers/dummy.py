"""A classifier that never looks at the audio: scikit-learn's `DummyClassifier`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from audioclf.plugin import Classifier

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


class Dummy(Classifier):
    """Guesses from the class counts alone: the score that any other classifier must beat.

    Names and defaults are those of `sklearn.dummy.DummyClassifier`.
    """

    type: Literal["dummy"] = "dummy"

    expected_failed_checks: ClassVar[dict[str, str]] = {
        "learns_a_separable_toy": "it guesses on purpose"
    }

    strategy: Literal["prior", "most_frequent", "stratified", "uniform"] = "prior"
    """`prior` and `most_frequent` always name the largest class, the former with the classes'
    shares as probabilities; `stratified` draws by these shares, `uniform` all classes alike."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 64 * n_rows

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy=self.strategy, random_state=random_state)
