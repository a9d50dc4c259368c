"""The last fit, on all clips, and what a bundle says of how it came about."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.errors import AudioclfError, ClassifierError
from audioclf.evaluation import Cell
from audioclf.evaluation.metrics import CONFIDENCE_LEVEL
from audioclf.evaluation.views import fit_batches, fit_rows
from audioclf.inference.bundle_manifest import Evaluated, Training
from audioclf.inference.manifest_scores import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.evaluation import Estimate
    from audioclf.features import Extraction
    from audioclf.results import RunResult


@dataclass(frozen=True)
class FinalFit:
    """An estimator that was fitted on all clips.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Takes single views, where there are several.
    seconds : float
        Wall-clock time of the fit.
    warnings : tuple of str
        What the classifier warned of, once each.
    """

    estimator: Any
    seconds: float
    warnings: tuple[str, ...] = ()


def fit_final(
    cell: Cell,
    matrix: NDArray[np.float32],
    y: NDArray[np.intp],
    *,
    seed: int,
    groups: NDArray[np.intp] | None = None,
    in_batches: bool = False,
) -> FinalFit:
    """Fit a cell's classifier on all clips, as each fold fits it on its training side.

    Parameters
    ----------
    cell : Cell
    matrix : np.ndarray [shape=(n_clips, n_views * n_features)], float32
    y : np.ndarray [shape=(n_clips,)], int
        Codes of the classes, `0..k-1`, each at least once.
    seed : int
        `random_state` of the classifier.
    groups : np.ndarray [shape=(n_clips,)], int, optional
        Code of each clip's group, for classifiers that use them.
    in_batches : bool
        Whether the folds were fitted by `fit_batches`, for want of memory.

    Raises
    ------
    ClassifierError
        If the classifier raises; names it and its origin.
    """
    where = f"classifier {cell.name!r} ({cell.described}), on all clips"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            started = time.perf_counter()
            classifier, views = cell.classifier, cell.views
            if in_batches:
                clips = np.arange(len(y))
                estimator = fit_batches(classifier, views, matrix, clips, y, seed=seed)
            else:
                built = classifier.build(random_state=seed)
                estimator = fit_rows(cell, built, matrix, y, groups)
            seconds = time.perf_counter() - started
        except AudioclfError as exc:
            raise type(exc)(f"{where}: {exc.message}", hint=exc.hint) from exc
        except Exception as exc:
            text = " ".join(str(exc).split())
            raise ClassifierError(f"{where} raised {type(exc).__name__}: {text}") from exc
    said = {" ".join(str(warning.message).split()) for warning in caught}
    return FinalFit(estimator, seconds, tuple(sorted(said)))


def training_of(extraction: Extraction) -> Training:
    """Return what a bundle says of the clips that it was trained on."""
    dataset = extraction.dataset
    return Training(
        dataset=_last_part(dataset.name),
        fingerprint=extraction.fingerprint,
        clips=dataset.class_counts,
        groups=len({clip.group for clip in dataset if clip.group is not None}),
    )


def _last_part(name: str) -> str:
    """Return the last part of a path or URL: where it lay is nobody's business."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] or "dataset"


def evaluated_of(result: RunResult, cell: str) -> Evaluated:
    """Return what a bundle says of the metrics that a cell earned in a run."""
    return Evaluated(
        split=result.splits,
        unit=result.unit,
        n_units=result.n_units,
        confidence_level=CONFIDENCE_LEVEL,
        metrics={name: _interval(found) for name, found in result[cell].metrics.items()},
    )


def _interval(found: Estimate | None) -> Interval | None:
    if found is None or not all(map(math.isfinite, (found.value, found.low, found.high))):
        return None
    return Interval(value=found.value, low=found.low, high=found.high)
