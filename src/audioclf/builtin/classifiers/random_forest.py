"""Random forest: scikit-learn's `RandomForestClassifier`.

L. Breiman, "Random forests", Machine Learning 45(1), 5-32, 2001.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.builtin.classifiers.tree_options import Forest

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


class RandomForest(Forest):
    """Deep trees, each fitted to a random draw of clips and columns.

    Names and defaults are those of `sklearn.ensemble.RandomForestClassifier`.
    """

    type: Literal["random_forest"] = "random_forest"

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(**self.parameters(random_state))
