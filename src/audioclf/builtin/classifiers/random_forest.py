"""A random forest: scikit-learn's `RandomForestClassifier`.

L. Breiman, "Random forests", Machine Learning 45(1), 5-32, 2001.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import model_validator
from typing_extensions import override

from audioclf.builtin.classifiers.forest_options import Forest, check_max_samples

if TYPE_CHECKING:
    from typing import Self

    from sklearn.base import ClassifierMixin


class RandomForest(Forest):
    """Many deep trees, each on its own random draw of clips and columns.

    Names and defaults are those of `sklearn.ensemble.RandomForestClassifier`.
    """

    type: Literal["random_forest"] = "random_forest"

    bootstrap: bool = True
    """Whether each tree draws its clips with replacement; false gives every tree all clips."""

    @model_validator(mode="after")
    def _drawn_clips(self) -> Self:
        check_max_samples(self.max_samples, self.bootstrap)
        return self

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(**self.parameters(random_state))
