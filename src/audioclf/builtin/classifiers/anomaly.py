"""Detectors of anomalies, which learn from the clips of the normal class alone."""

from __future__ import annotations

import io
import json
import zipfile
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat, PrivateAttr
from typing_extensions import override

from audioclf.plugin import Classifier, ClassifierError

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

    from audioclf.dataset.targets import Codes
    from audioclf.dsp.short_time import Matrix


class Detector(Classifier):
    """Base of the detectors: a sound is an anomaly if it is stranger than normal clips are.

    The training side is divided into 5 inner folds, which keep groups together, and a detector is
    fitted without each of them. The p-value is the share of normal clips that are at least as
    strange as the sound, each for the detector that was fitted without it (Vovk 2015, *Annals of
    Mathematics and Artificial Intelligence* 74, 9-28). The score of an anomaly is
    above 0.5 if the p-value is at most `lost`; then the p-value is `2 * lost * (1 - score)`.
    """

    model_format: ClassVar[str] = "normal-rows"

    most_folds: ClassVar[int] = 5
    """Inner folds, each of which has a detector; fewer if there are fewer groups."""

    most_rows: ClassVar[int] = 1_000_000
    """Normal rows up to which it is fitted, and fitted again when a model is loaded."""

    normal: str = "normal"
    """Name of the normal class; the dataset has one other class, which is not learned from."""

    lost: float = Field(default=0.05, gt=0, le=0.5)
    """Share of normal clips that may be called anomalies, above 0."""

    _normal_code: int = PrivateAttr(default=0)

    @override
    def for_classes(self, classes: Sequence[str]) -> Classifier:
        if self.normal not in classes or len(classes) != 2:
            names = ", ".join(map(repr, classes))
            raise ClassifierError(
                f"{self.type_name()} needs the normal class {self.normal!r} and one other, and the "
                f"classes are {names}",
                hint="Set `normal` to the name of the normal class, and give all others one label.",
            )
        return self._with_code(list(classes).index(self.normal))

    @override
    def only_class(self) -> str:
        return self.normal

    def _with_code(self, normal_code: int) -> Detector:
        changed = self.model_copy()
        changed._normal_code = normal_code  # noqa: SLF001  of its own class
        return changed

    @abstractmethod
    def detector(self, n_rows: int, random_state: int) -> Any:
        """Return an unfitted detector of scikit-learn with `fit` and `score_samples`."""

    @property
    def normal_code(self) -> int:
        """Code of the normal class."""
        return self._normal_code

    @override
    def fit_keywords(
        self, *, groups: Codes | None, shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        return {} if groups is None else {"groups": groups}

    @override
    def holds_out_rows(self) -> bool:
        return True

    @override
    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        return estimator.fit(X, y, clips=clips, **passed)

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from audioclf.builtin.classifiers.anomaly_fit import AnomalyClassifier

        return AnomalyClassifier(self, random_state=random_state)

    @override
    def dump(self, estimator: Any) -> dict[str, bytes]:
        import numpy as np

        arrays = io.BytesIO()
        np.savez(arrays, rows=estimator.rows_, folds=estimator.fold_of_, counts=estimator.counts_)
        settings = {"normal_code": self._normal_code, "random_state": estimator.random_state}
        return {"rows.npz": arrays.getvalue(), "settings.json": json.dumps(settings).encode()}

    @override
    def restore(self, files: Mapping[str, bytes]) -> ClassifierMixin:
        """Fit the detectors again on the normal rows, which runs nothing of the files."""
        import numpy as np

        settings = json.loads(files["settings.json"])
        with zipfile.ZipFile(io.BytesIO(files["rows.npz"])) as archive:
            if sum(item.file_size for item in archive.infolist()) > len(files["rows.npz"]):
                raise ValueError("the normal rows are compressed once more")
        with np.load(io.BytesIO(files["rows.npz"]), allow_pickle=False) as arrays:
            rows, folds, counts = (arrays[name] for name in ("rows", "folds", "counts"))
        if rows.ndim != 2 or rows.dtype != np.float32 or not np.isfinite(rows).all():
            raise ValueError("the normal rows are no table of finite numbers")
        if len(rows) > self.most_rows:
            raise ValueError(f"there are {len(rows):,} normal rows, more than {self.most_rows:,}")
        fits = folds.dtype == np.int8 and counts.dtype == np.bool_
        if not fits or not folds.shape == counts.shape == rows.shape[:1] or (folds < 0).any():
            raise ValueError("the folds of the normal rows make no sense")
        sizes = np.bincount(folds, weights=counts)
        if not 2 <= len(sizes) <= self.most_folds or not sizes.all():
            raise ValueError("the folds of the normal rows make no sense")
        code, seed = settings["normal_code"], settings["random_state"]
        if code not in (0, 1) or not isinstance(seed, int):
            raise ValueError("the settings make no sense")
        restored: Any = self._with_code(code).build(random_state=seed)
        fitted: ClassifierMixin = restored.fit_normal(rows, folds, counts)
        return fitted


class NearestNormal(Detector):
    """Distance to the nearest normal clips, on standardized columns: the simplest detector."""

    type: Literal["nearest_normal"] = "nearest_normal"

    n_neighbors: int = Field(default=1, ge=1)
    """Number of normal clips whose mean distance counts."""

    @override
    def detector(self, n_rows: int, random_state: int) -> Any:
        from audioclf.builtin.classifiers.anomaly_fit import MeanDistance

        return MeanDistance(min(self.n_neighbors, n_rows))


class IsolationForest(Detector):
    """Isolation forest: strange clips are separated from the others by few random splits.

    Names and defaults are those of `sklearn.ensemble.IsolationForest`.
    """

    type: Literal["isolation_forest"] = "isolation_forest"

    n_estimators: int = Field(default=100, ge=1, le=10_000)
    """Number of trees."""

    max_samples: int = Field(default=256, ge=1)
    """Normal clips that each tree sees; all if there are fewer."""

    @override
    def detector(self, n_rows: int, random_state: int) -> Any:
        from sklearn import ensemble

        return ensemble.IsolationForest(
            n_estimators=self.n_estimators,
            max_samples=min(self.max_samples, n_rows),
            random_state=random_state,
        )


class LocalOutlierFactor(Detector):
    """Local outlier factor: how much sparser the surroundings of a clip are than its neighbors'.

    Names and defaults are those of `sklearn.neighbors.LocalOutlierFactor`.
    """

    type: Literal["local_outlier_factor"] = "local_outlier_factor"

    most_rows: ClassVar[int] = 20_000

    n_neighbors: int = Field(default=20, ge=1)
    """Number of neighbors; all other clips if there are fewer."""

    @override
    def detector(self, n_rows: int, random_state: int) -> Any:
        from sklearn import neighbors

        return neighbors.LocalOutlierFactor(
            n_neighbors=max(1, min(self.n_neighbors, n_rows - 1)), algorithm="brute", novelty=True
        )


class OneClassSvm(Detector):
    """Support vector machine that surrounds the normal clips.

    Names and defaults are those of `sklearn.svm.OneClassSVM`.
    """

    type: Literal["one_class_svm"] = "one_class_svm"

    most_rows: ClassVar[int] = 20_000

    nu: FiniteFloat = Field(default=0.5, gt=0, le=1)
    """Upper bound of the share of training clips that are outside, and lower bound of that of
    support vectors, in (0, 1]."""

    @override
    def detector(self, n_rows: int, random_state: int) -> Any:
        from sklearn import svm

        detector = svm.OneClassSVM(nu=self.nu, gamma="scale")
        detector.random_state = random_state  # else it draws from NumPy's global generator
        return detector
