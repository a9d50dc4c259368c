"""Mixup of rows for classifiers that take weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, FiniteFloat, field_validator
from typing_extensions import override

from audioclf.plugin import AnyClassifier, Classifier, ClassifierError

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

    from audioclf.dataset.targets import Codes
    from audioclf.dsp.short_time import Matrix


class Mixup(Classifier):
    """Another classifier, fitted on the training rows and on mixtures of two of them (mixup).

    A mixture is the weighted mean of the features of two rows. It is in the training data with both
    labels: as two equal rows whose weights are the shares of the two. So it suits classifiers whose
    `fit` takes weights. The model file holds the other classifier.

    H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018.
    """

    type: Literal["mixup"] = "mixup"

    classifier: AnyClassifier
    """Classifier to fit, which takes weights and holds out no rows: not `tuned`, which can itself
    tune a `mixup`."""

    alpha: FiniteFloat = Field(default=0.4, gt=0, le=10)
    """Concentration of the Beta distribution of the shares, above 0; smaller values are nearer to
    one of the two rows."""

    copies: int = Field(default=1, ge=1, le=20)
    """Mixtures for each row, at least 1; a fit has 1 + 2 * `copies` times the rows."""

    @field_validator("classifier", mode="after")
    @classmethod
    def _can_be_mixed(cls, classifier: Classifier) -> Classifier:
        name = classifier.type_name()
        if classifier.learns() == "number":
            raise ValueError(f"mixup is for classes, and {name} learns numbers")
        if (reason := classifier.refuses_mixtures()) is not None:
            raise ValueError(f"{name} {reason}")
        return classifier

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        estimator: Any = self.classifier.build(random_state=random_state)
        estimator.seed_of_mixup = random_state
        return estimator

    @override
    def check_fit(self, n_clips: int, n_classes: int) -> None:
        import numpy as np

        self.classifier.check_fit(n_clips, n_classes)
        try:
            self.classifier.weight_keywords(self.classifier.build(random_state=0), np.ones(1))
        except ClassifierError as exc:
            raise ClassifierError(
                f"mixup needs a classifier that takes weights, and {self.classifier.type_name()} "
                "takes none"
            ) from exc

    @override
    def holds_out_rows(self) -> bool:
        return True

    @override
    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        import numpy as np

        names = self.weight_keywords(estimator, np.ones(len(y)))
        weights = next(passed.get(name, ones) for name, ones in names.items())
        used = weights > 0  # others are part of no mixture
        X, y, weights = X[used], y[used], weights[used]
        rng = np.random.default_rng(estimator.seed_of_mixup)
        del estimator.seed_of_mixup
        first = np.tile(np.arange(len(y)), self.copies)
        second = rng.integers(len(y), size=len(first))
        shares = rng.beta(self.alpha, self.alpha, size=len(first))
        column = shares.astype(np.float32)[:, None]
        mixed = column * X[first] + (1 - column) * X[second]
        sources = np.concatenate([np.arange(len(y)), first, second])
        factors = np.concatenate([np.ones(len(y)), shares, 1 - shares])
        kept = factors > 0
        rows = np.concatenate([X, mixed, mixed])[kept]
        weights = (factors * weights[sources])[kept]
        sources = sources[kept]
        passed |= dict.fromkeys(names, weights)
        clips = np.zeros(len(rows), dtype=np.intp)  # mixtures join all, so none can be held out
        return self.classifier.fit_views(estimator, rows, y[sources], clips, **passed)

    @override
    def fit_keywords(
        self, *, groups: Codes | None, shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        return self.classifier.fit_keywords(groups=groups, shape=shape)

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        n_mixed = (1 + 2 * self.copies) * n_rows
        mixed = self.classifier.fit_memory(n_mixed, n_columns, n_classes)
        return mixed + 8 * n_mixed * n_columns

    @override
    def scorer(self, estimator: Any) -> Any:
        return self.classifier.scorer(estimator)

    @override
    def unwrapped(self, estimator: Any) -> tuple[Classifier, Any]:
        return self.classifier.unwrapped(estimator)
