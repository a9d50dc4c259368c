"""Extremely randomized trees: scikit-learn's `ExtraTreesClassifier`.

P. Geurts, D. Ernst, L. Wehenkel, "Extremely randomized trees", Machine Learning 63(1), 3-42, 2006.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.builtin.classifiers.tree_options import Forest

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


class ExtraTrees(Forest):
    """Deep trees with random thresholds; often as accurate as a random forest, and faster.

    Names and defaults are those of `sklearn.ensemble.ExtraTreesClassifier`.
    """

    type: Literal["extra_trees"] = "extra_trees"

    bootstrap: bool = False
    """Whether each tree draws its clips with replacement; false gives all clips to every tree."""

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(**self.parameters(random_state))
