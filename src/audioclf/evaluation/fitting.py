"""Fit of one estimator on rows, in batches, or on all clips; its size and chosen parameters."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audioclf.base.errors import ClassifierError
from audioclf.components.batches import Batches
from audioclf.components.guard import guard, recorded
from audioclf.dataset.targets import Targets, Weights
from audioclf.evaluation.predictions import protected
from audioclf.evaluation.results import Pipeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components.classifier import Classifier
    from audioclf.evaluation.views import Codes, Matrix, Views


class Fitting(Protocol):
    """The part of a pipeline that a fit uses."""

    @property
    def classifier(self) -> Classifier:
        """Component that built the estimator."""

    @property
    def shape(self) -> tuple[int, int] | None:
        """Shape (n_bins, n_frames) of a view."""

    @property
    def views(self) -> Views:
        """Views in a row."""


def fit_rows(
    pipeline: Fitting,
    estimator: Any,
    X: Matrix,
    y: Codes,
    groups: Codes | None = None,
    weights: Weights | None = None,
) -> Any:
    """Fit an estimator on the rows [shape=(n_clips, n_views * n_features)] of some clips.

    `y` are codes `0..k-1` or numbers, `groups` the code of each clip's group, for classifiers that
    use them; with several views and no groups, each clip is a group. `weights` of the clips are
    passed as `sample_weight`. The result takes single views.
    """
    classifier, views, clips = pipeline.classifier, pipeline.views, np.arange(len(X))
    if groups is None and views.count > 1:
        groups = clips
    units = None if groups is None else views.repeated(groups)
    passed = classifier.fit_keywords(groups=units, shape=pipeline.shape)
    if weights is not None:
        passed |= classifier.weight_keywords(estimator, views.repeated(weights))
    if views.count == 1 and not classifier.holds_out_rows():
        estimator.fit(X, y, **passed)
        return estimator
    return classifier.fit_views(
        estimator, views.stacked(X), views.repeated(y), views.repeated(clips), **passed
    )


def fit_clips(
    pipeline: Fitting,
    estimator: Any,
    matrix: Matrix,
    targets: Targets,
    clips: Codes,
    y: NDArray[Any],
    *,
    seed: int,
    in_batches: bool,
) -> Any:
    """Fit an estimator, or in batches a new one, on some clips, whose codes or numbers are `y`."""
    if in_batches:
        check_unweighted(targets)
        return fit_batches(pipeline.classifier, pipeline.views, matrix, clips, y, seed=seed)
    groups = None if targets.groups is None else targets.groups[clips]
    weights = targets.weights_of(clips)
    return fit_rows(pipeline, estimator, protected(matrix[clips]), protected(y), groups, weights)


def fit_batches(
    classifier: Classifier, views: Views, matrix: Matrix, clips: Codes, y: Codes, *, seed: int
) -> Any:
    """Fit in batches on some rows of a matrix, without a copy; `y` are the codes of these clips."""
    rows = Batches(
        views.stacked(matrix), views.positions(clips), views.repeated(y), int(y.max()) + 1
    )
    return classifier.fit_batches(rows, random_state=seed)


def check_unweighted(targets: Targets) -> None:
    """Refuse weights of clips, which fits in batches do not take."""
    if targets.weights is not None:
        raise ClassifierError(
            "the rows exceed the memory, and fits in batches do not take weights of clips",
            hint="Use fewer or shorter clips, or set `columns: {weight: null}`.",
        )


def chosen_by(estimator: Any) -> dict[str, Any] | None:
    """Return `best_params_` of a search, or of the last step, as plain values; None without it."""
    steps = getattr(estimator, "steps", None)
    search = steps[-1][1] if steps else estimator
    chosen = getattr(search, "best_params_", None)
    if not isinstance(chosen, Mapping):
        return None
    return {str(name): _plain(value) for name, value in chosen.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def pickled_size(estimator: Any) -> int | None:
    """Return the number of bytes of the pickled estimator; None if it cannot be pickled."""
    count = _Count()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pickle.Pickler(count, protocol=5).dump(estimator)
        except Exception:  # noqa: BLE001  whatever a foreign class raises: its size is unknown
            return None
    return count.n_bytes


class _Count:
    """A file that only counts the bytes written to it."""

    def __init__(self) -> None:
        self.n_bytes = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.n_bytes += size
        return size


@dataclass(frozen=True)
class FinalFit:
    """An estimator for single views that was fitted on all clips, with each warning once."""

    estimator: Any
    seconds: float
    warnings: tuple[str, ...] = ()


def fit_final(
    pipeline: Pipeline,
    matrix: NDArray[np.float32],
    targets: Targets,
    *,
    seed: int,
    in_batches: bool = False,
) -> FinalFit:
    """Fit the classifier of a pipeline on all clips, as on the training side of a fold."""
    where = f"classifier {pipeline.name!r} ({pipeline.described}), on all clips"
    y = targets.truth.copy()  # a classifier may write into it
    started = time.perf_counter()
    with guard(where, ClassifierError), recorded() as remarks:
        classifier, views = pipeline.classifier, pipeline.views
        if in_batches:
            check_unweighted(targets)
            clips = np.arange(len(y))
            estimator = fit_batches(classifier, views, matrix, clips, y, seed=seed)
        else:
            built = classifier.build(random_state=seed)
            estimator = fit_rows(pipeline, built, matrix, y, targets.groups, targets.weights)
    return FinalFit(estimator, time.perf_counter() - started, tuple(remarks))
