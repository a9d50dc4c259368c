"""Extremely randomized trees: scikit-learn's `ExtraTreesClassifier`.

P. Geurts, D. Ernst, L. Wehenkel, "Extremely randomized trees", Machine Learning 63(1), 3-42, 2006.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import model_validator
from typing_extensions import override

from audioclf.builtin.classifiers.forest_options import Forest, check_max_samples

if TYPE_CHECKING:
    from typing import Self

    from sklearn.base import ClassifierMixin


class ExtraTrees(Forest):
    """Many deep trees that split at random thresholds; often as good as a forest, and faster.

    Names and defaults are those of `sklearn.ensemble.ExtraTreesClassifier`.
    """

    type: Literal["extra_trees"] = "extra_trees"

    bootstrap: bool = False
    """Whether each tree draws its clips with replacement; false gives every tree all clips."""

    @model_validator(mode="after")
    def _drawn_clips(self) -> Self:
        check_max_samples(self.max_samples, self.bootstrap)
        return self

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(**self.parameters(random_state))
