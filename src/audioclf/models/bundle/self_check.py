"""Self check of a model: stored rows must give their stored scores, a stored signal its features.

It finds changes that digests cannot find: a library that computes other numbers than the one used
for training, or a featurizer that has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.evaluation.predictions import checked_labels, scores_of_rows
from audioclf.models.arrays import checked_array, to_npy
from audioclf.models.bundle.manifest import Manifest
from audioclf.models.model import Model
from audioclf.models.refusal import RefusedError, refusing

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_ROWS = 8
SCORE_TOLERANCE = 1e-6
"""Largest difference of a score: other processors add up in another order."""
FEATURE_TOLERANCE = 1e-3
"""Largest difference of a feature, as a share of the largest value of its row."""

_FOLDER = "check/"
_PROBE_SECONDS = 1.0
_HINT = "Install the versions that `audioclf model show` lists, or train again."


@dataclass(frozen=True)
class SelfCheck:
    """Stored rows with their predictions, and the features of the probe signal.

    Rows are float32 [shape=(n_rows, n_features)], `codes` [shape=(n_rows,)] classes, or
    [shape=(n_rows, n_classes)] 1 and 0 with several labels, `scores` float64
    [shape=(n_rows, n_classes)], or None if the classifier gives none; predicted numbers are
    `scores` [shape=(n_rows, 1)], with codes 0. `probe` are the features of
    `probe_signal`.
    """

    rows: NDArray[np.float32]
    codes: NDArray[np.int64]
    scores: NDArray[np.float64] | None
    probe: NDArray[np.float32]

    @classmethod
    def of(cls, model: Model, matrix: NDArray[np.float32]) -> SelfCheck:
        """Return the predictions of a model for a few evenly spread rows of those it predicts."""
        n_rows = min(N_ROWS, len(matrix))
        picked = matrix[np.linspace(0, len(matrix) - 1, n_rows).astype(int)]
        rows = np.ascontiguousarray(picked)
        codes, scores = _predicted(model, rows)
        return cls(rows, codes, scores, _probe_features(model))

    def to_files(self) -> dict[str, bytes]:
        """Return it as members of a bundle."""
        arrays: dict[str, NDArray[Any]] = {}
        arrays |= {"rows": self.rows, "codes": self.codes, "probe": self.probe}
        if self.scores is not None:
            arrays["scores"] = self.scores
        return {f"{_FOLDER}{name}.npy": to_npy(array) for name, array in arrays.items()}

    @classmethod
    def from_files(
        cls, files: Mapping[str, bytes], manifest: Manifest, n_views: int = 1
    ) -> SelfCheck:
        """Read it from a bundle whose rows hold `n_views` views of a clip.

        `RefusedError` if an array is missing, or not of the shape and type of the manifest.
        """
        width, n_classes = n_views * manifest.features.width, len(manifest.classes)
        rows = _array(files, "rows", np.float32, (None, width))
        shape = (len(rows), n_classes)
        has_scores = manifest.scores != "none" or manifest.number is not None
        if manifest.number is not None:
            shape = (len(rows), 1)
        return cls(
            rows,
            _array(files, "codes", np.int64, shape if manifest.several else shape[:1]),
            _array(files, "scores", np.float64, shape) if has_scores else None,
            _array(files, "probe", np.float32, (width,)),
        )

    def check(self, model: Model, *, tolerance: float = SCORE_TOLERANCE) -> None:
        """Compare scores, or codes where there are none; `RefusedError` beyond the tolerance.

        A row whose stored scores are all equal is compared by its code: earlier versions gave equal
        scores far from all classes.
        """
        with refusing("score", "the estimator fails on its stored rows"):
            codes, scores = _predicted(model, self.rows)
        if self.scores is None or scores is None:
            if not np.array_equal(codes, self.codes):
                raise RefusedError("score", _differs("predictions"), hint=_HINT)
            return
        same = np.ptp(self.scores, axis=1) == 0
        if model.is_several or model.is_number:
            same[:] = False
        if model.is_number:
            tolerance *= max(1.0, float(np.abs(self.scores).max()))
        if same.any() and not np.array_equal(codes[same], self.codes[same]):
            raise RefusedError("score", _differs("predictions"), hint=_HINT)
        worst = float(np.abs(scores - self.scores)[~same].max(initial=0.0))
        if not worst <= tolerance:
            what = f"{_differs('scores')} by up to {worst:.2g}"
            raise RefusedError("score", what, hint=_HINT)

    def check_features(self, model: Model) -> None:
        """Compare the features of the probe; `RefusedError` beyond `FEATURE_TOLERANCE`."""
        with refusing("feature", "the featurizer fails on the stored signal"):
            row = _probe_features(model)
        scale = max(float(np.abs(self.probe).max()), 1e-6)
        worst = float(np.abs(row - self.probe).max()) / scale
        if not worst <= FEATURE_TOLERANCE:
            name = model.featurizer.type_name()
            what = f"features of {name} differ from those of the training by up to {worst:.2g}"
            raise RefusedError("feature", f"{what} of the largest", hint=_HINT)


def probe_signal(sr: int, duration: float | None) -> NDArray[np.float32]:
    """Return noise that never changes [shape=(n_samples,)], float32 in [-0.5, 0.5].

    It has 1 s at `sr` Hz, or the duration in s of the longest clip of the model if that is less.
    """
    n_samples = max(1, int(min(_PROBE_SECONDS, duration or _PROBE_SECONDS) * sr))
    noise = hashlib.shake_128(b"audioclf probe").digest(2 * n_samples)
    return (np.frombuffer(noise, "<i2") / 2.0**16).astype(np.float32)


def _probe_features(model: Model) -> NDArray[np.float32]:
    audio = model.manifest.audio
    return model.features_of(probe_signal(audio.sr, audio.duration), audio.sr)


def _predicted(
    model: Model, rows: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """Return codes and scores, computed in one thread for a fixed order of sums."""
    import threadpoolctl

    n_classes = len(model.classes)
    with threadpoolctl.threadpool_limits(1):
        if model.is_number:
            return np.zeros(len(rows), dtype=np.int64), model.numbers_of(rows)[:, None]
        if model.is_several:
            states, scores, kind, _ = model.scorer.outputs(rows)
            return states.astype(np.int64), scores
        scores, kind = scores_of_rows(model.scorer, rows, n_classes)
        codes = checked_labels(model.scorer.predict(rows), len(rows), n_classes)
    if kind != model.score_kind:
        what = f"its scores are of kind {kind!r} instead of {model.score_kind!r}"
        raise RefusedError("score", what)
    return codes.astype(np.int64), scores


def _differs(what: str) -> str:
    return f"the estimator's {what} of its stored rows differ from the stored ones"


def _array(
    files: Mapping[str, bytes], name: str, dtype: Any, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    member = f"{_FOLDER}{name}.npy"
    with refusing("score", f"{member!r} cannot be read"):
        if member not in files:
            raise ValueError("it is missing")
        array = checked_array(files[member], dtype, shape)
        if not array.size or not np.isfinite(array).all():
            raise ValueError(f"{array.dtype} of shape {array.shape} is not what it must be")
    return array
