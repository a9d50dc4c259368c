"""A trained model that takes sounds: files or arrays in, names of classes and scores out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import FeatureError, ModelError
from audioclf.components.featurizer import Featurizer
from audioclf.dataset.dataset import Clip
from audioclf.dataset.remote import is_url
from audioclf.dataset.sources import AudioSource, FileSource, RemoteSource
from audioclf.evaluation.predictions import checked_labels, scores_of_rows
from audioclf.evaluation.views import Views
from audioclf.features.worker import Plan, featurize, featurize_clip, featurize_windows
from audioclf.models.arrays import ArraySource
from audioclf.models.bundle.manifest import Manifest, ScoreKind
from audioclf.models.bundle.training_clips import TrainingClips
from audioclf.models.calibration.maps import calibrated, top_of
from audioclf.models.windows import model_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

Item = "str | Path | AudioSource | NDArray[Any]"
"""A path, a URL, or a waveform [shape=(n_samples,) or (n_channels, n_samples)]."""


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted pipeline with the featurizer and the audio config that it was trained with.

    Parameters
    ----------
    manifest : Manifest
        What the bundle says of it.
    featurizer : Featurizer
    estimator : scikit-learn classifier
        As `Classifier.scorer` returned it. It takes single views; `scorer` takes rows, which hold
        all views that a prediction looks at.
    clips : TrainingClips, optional
        What is known of the clips that it was trained on.

    Examples
    --------
    >>> import audioclf
    >>> model = audioclf.load("model.audioclf")  # doctest: +SKIP
    >>> model.predict("unknown.wav")  # doctest: +SKIP
    'puppy'
    >>> model.predict_proba([y1, y2], sr=44100).round(2)  # doctest: +SKIP
    array([[0.07, 0.93],
           [0.81, 0.19]])
    """

    manifest: Manifest
    featurizer: Featurizer
    estimator: Any
    clips: TrainingClips | None = None

    @cached_property
    def views(self) -> Views:
        """The views of a clip, of which a prediction looks at the first or at all."""
        return Views.of(self.featurizer)

    @cached_property
    def scorer(self) -> Any:
        """What predicts from rows of features: the estimator, or its mean over several views."""
        return self.views.scorer(self.estimator)

    @property
    def row_width(self) -> int:
        """The number of columns of a row."""
        return self.views.predicted * self.manifest.features.width

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the scores' columns."""
        return self.manifest.classes

    @property
    def sr(self) -> int:
        """Sample rate in Hz to which everything is resampled."""
        return self.manifest.audio.sr

    @property
    def score_kind(self) -> ScoreKind:
        """What the classifier gives, before calibration; see `Manifest.scores`."""
        return self.manifest.scores

    @property
    def score_name(self) -> Literal["probability", "score"]:
        """What a score may be called; only a calibrated one is a probability."""
        return "score" if self.manifest.calibration is None else "probability"

    def __repr__(self) -> str:
        manifest = self.manifest
        return f"<Model {manifest.name}:{manifest.cell}, {len(self.classes)} classes>"

    @overload
    def predict(
        self, items: str | Path | AudioSource | NDArray[Any], *, sr: int | None = None
    ) -> str | None: ...

    @overload
    def predict(
        self, items: list[Any] | tuple[Any, ...], *, sr: int | None = None
    ) -> list[str | None]: ...

    def predict(self, items: Any, *, sr: int | None = None) -> str | list[str | None] | None:
        """Return the name of the class of one sound, or of each of several.

        Parameters
        ----------
        items : path, URL, array, or a list of these
            A waveform has shape (n_samples,) or (n_channels, n_samples), as librosa gives it:
            floats in [-1, 1], int16 or int32. Any sample rate and number of channels is brought
            to what the model was trained on; `audio.offset` and `audio.duration` apply.
        sr : int, optional
            Sample rate of arrays in Hz.

        Returns
        -------
        label : str or None, or a list of these
            None where the score of the class is below `manifest.abstain_below`.

        Raises
        ------
        DecodeError, FeatureError
            If a sound cannot be used; names it.
        """
        if not isinstance(items, list | tuple):
            return self.predict([items], sr=sr)[0]
        codes = self.decide(self._rows(items, sr)) if items else ()
        return [self.classes[code] if code >= 0 else None for code in codes]

    def predict_proba(self, items: Any, *, sr: int | None = None) -> NDArray[np.float64]:
        """Return the probabilities of one sound or of several.

        They are calibrated if the model is, and what the classifier calls so otherwise: the name
        is scikit-learn's, and `score_name` says what they may be called.

        Parameters
        ----------
        items, sr
            As for `predict`.

        Returns
        -------
        proba : np.ndarray [shape=(n_classes,) or (n_items, n_classes)], float64
            In the order of `classes`; each row sums to 1.

        Raises
        ------
        ModelError
            If the classifier gives none, and the model is not calibrated.
        """
        if self.score_kind != "probability" and self.score_name != "probability":
            raise ModelError(
                f"the classifier of {self.manifest.cell!r} gives no probabilities",
                hint="Use `scores`, or `predict`.",
            )
        return self.scores(items, sr=sr)

    def scores(self, items: Any, *, sr: int | None = None) -> NDArray[np.float64]:
        """Return the scores of one sound or of several, calibrated if the model is.

        Parameters
        ----------
        items, sr
            As for `predict`.

        Returns
        -------
        scores : np.ndarray [shape=(n_classes,) or (n_items, n_classes)], float64

        Raises
        ------
        ModelError
            If the classifier gives none.
        """
        if isinstance(items, list | tuple):
            empty = np.empty((0, len(self.classes)))
            return self.scores_of(self._rows(items, sr)) if items else empty
        one: NDArray[np.float64] = self.scores_of(self._rows([items], sr))[0]
        return one

    def features_of(self, y: NDArray[Any], sr: int) -> NDArray[np.float32]:
        """Return the features of one waveform, all of it.

        Parameters
        ----------
        y : np.ndarray [shape=(n_samples,) or (n_channels, n_samples)]
        sr : int
            Its sample rate in Hz.

        Returns
        -------
        row : np.ndarray [shape=(n_features,)], float32
        """
        return self._row(ArraySource.of(y, sr), AudioConfig(sr=self.sr))

    def rows_of(
        self, ys: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32] | FeatureError]:
        """Return the features of several waveforms at the model's rate, extracted together.

        Parameters
        ----------
        ys : sequence of np.ndarray [shape=(n_samples,)], float32
            Mono, at the rate `sr`, finite.

        Returns
        -------
        rows : list of np.ndarray [shape=(n_features,)] or FeatureError
            A waveform that the featurizer refuses has the error in its place.
        """
        return self._joined(featurize(plan, ys, self.sr) for plan in self._plans())

    def rows_of_windows(
        self, y: NDArray[np.float32], starts: Sequence[int], n_samples: int
    ) -> list[NDArray[np.float32] | FeatureError]:
        """Return the features of windows of one recording, to the last bit those of `rows_of`.

        Windows that overlap share work where the featurizer can do so; see `shared_step`.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)], float32
            Mono, at the rate `sr`, finite.
        starts : sequence of int
            First sample of each window.
        n_samples : int
            Length of each.

        Returns
        -------
        rows : list of np.ndarray [shape=(n_features,)] or FeatureError
        """
        return self._joined(
            featurize_windows(plan, y, self.sr, starts, n_samples) for plan in self._plans()
        )

    @property
    def shared_step(self) -> int | None:
        """Samples by a multiple of which windows must lie apart to share work; None if never."""
        with suppress(Exception):  # a plugin's: that it fails is told where it extracts
            step = self.featurizer.shared_step(self.sr)
            return step if isinstance(step, int) and step > 0 else None
        return None

    def windows(
        self,
        path: str | Path | AudioSource,
        *,
        window: float,
        hop: float | None = None,
        partial: Literal["keep", "drop"] = "keep",
    ) -> Iterator[tuple[float, float, NDArray[np.float64]]]:
        """Yield the scores of window after window of a recording of any length.

        The recording is read in blocks, so memory does not grow with its length. `audio.offset`
        and `audio.duration` do not apply: each window is a clip of its own.

        Parameters
        ----------
        path : path or URL
        window, hop : float
            Length of a window, and from the start of one to the start of the next, in s. Without
            `hop` windows meet.
        partial : {"keep", "drop"}
            Whether a last, shorter window is used if it has at least half of a window.

        Yields
        ------
        start, end : float
            Times in the file in s, half-open.
        scores : np.ndarray [shape=(n_classes,)], float64

        Raises
        ------
        ConfigError
            If window or hop are less than a sample.
        DecodeError, FeatureError, ModelError
            As `scores`.
        """
        return model_windows(self, path, window=window, hop=hop, partial=partial)

    def trained_on(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return for each row of features whether a clip of the training had the same.

        That holds for copies that are decoded to the same samples, in whatever file; on another
        kind of processor features may differ in their last bits, and none is found.

        Parameters
        ----------
        rows : np.ndarray [shape=(n_rows, row_width)], float32
        """
        if self.clips is None:
            return np.zeros(len(rows), dtype=bool)
        return self.clips.among(rows[:, : self.manifest.features.width])

    def scores_of(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the scores of rows of features, calibrated if the model is.

        Parameters
        ----------
        rows : np.ndarray [shape=(n_rows, n_features)], float32

        Returns
        -------
        scores : np.ndarray [shape=(n_rows, n_classes)], float64

        Raises
        ------
        ModelError
            If the classifier gives none.
        """
        scores = raw_scores(self.scorer, rows, len(self.classes))[0]
        if scores is None:
            what = f"the classifier of {self.manifest.cell!r} gives no scores"
            raise ModelError(what, hint="Use `predict`.")
        calibration = self.manifest.calibration
        return scores if calibration is None else calibrated(calibration.mapping, scores)

    def codes_of(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the position in `classes` of the class of each row, however low its score is.

        That is what the classifier predicts; of a calibrated model, the most probable class.

        Parameters
        ----------
        rows : np.ndarray [shape=(n_rows, n_features)], float32

        Returns
        -------
        codes : np.ndarray [shape=(n_rows,)], int
        """
        calibration = self.manifest.calibration
        if calibration is None:
            return raw_codes(self.scorer, rows, len(self.classes))
        scores = raw_scores(self.scorer, rows, len(self.classes))[0]
        assert scores is not None
        return top_of(calibrated(calibration.mapping, scores), scores)

    def decide(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the position in `classes` of the class of each row, -1 where the model abstains.

        Parameters
        ----------
        rows : np.ndarray [shape=(n_rows, n_features)], float32

        Returns
        -------
        codes : np.ndarray [shape=(n_rows,)], int
        """
        codes, below = self.codes_of(rows), self.manifest.abstain_below
        if below is None:
            return codes
        scores = self.scores_of(rows)[np.arange(len(codes)), codes]
        return np.where(scores >= below, codes, -1)

    def _rows(self, items: Sequence[Any], sr: int | None) -> NDArray[np.float32]:
        rows = np.empty((len(items), self.row_width), dtype=np.float32)
        for row, item in zip(rows, items, strict=True):
            row[:] = self._row(_source(item, sr), self.manifest.audio)
        return rows

    def _row(self, source: AudioSource, audio: AudioConfig) -> NDArray[np.float32]:
        found = featurize_clip(Clip("", "", source), audio, self._plans())
        return self._pooled(list(found.values()))

    def _joined(
        self, views: Iterable[Sequence[NDArray[np.float32] | FeatureError]]
    ) -> list[NDArray[np.float32] | FeatureError]:
        """Return a row for each clip, of what each view gives; or what the first to fail says."""
        rows: list[NDArray[np.float32] | FeatureError] = []
        for found in zip(*views, strict=True):
            good = [each for each in found if not isinstance(each, FeatureError)]
            failed = [each for each in found if isinstance(each, FeatureError)]
            rows.append(failed[0] if failed else self._pooled(good))
        return rows

    def _pooled(self, views: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        pool, longest = self.featurizer.pooling.pool, self.manifest.features.max_frames
        rows = [pool(features, longest) for features in views]
        return rows[0] if len(rows) == 1 else np.concatenate(rows)

    def _plans(self) -> tuple[Plan, ...]:
        """Return how each view is extracted that a prediction looks at."""
        shape = self.manifest.features
        label = f"featurizer {self.featurizer.type_name()!r}"
        views = self.featurizer.views()[: self.views.predicted]
        return tuple(
            Plan(str(number), view, label, shape.n_bins, shape.max_frames, shape.width)
            for number, view in enumerate(views)
        )


def raw_scores(
    estimator: Any, rows: NDArray[np.float32], n_classes: int
) -> tuple[NDArray[np.float64] | None, ScoreKind]:
    """Return scores and what they are, as in the cross-validation that measured the classifier."""
    return scores_of_rows(estimator, rows, n_classes)


def raw_codes(estimator: Any, rows: NDArray[np.float32], n_classes: int) -> NDArray[np.intp]:
    """Return predicted codes, as in the cross-validation that measured the classifier."""
    return checked_labels(estimator.predict(rows), len(rows), n_classes)


def _source(item: Any, sr: int | None) -> AudioSource:
    if isinstance(item, AudioSource):
        return item
    if isinstance(item, str) and is_url(item):
        return RemoteSource(item)
    if isinstance(item, str | Path):
        return FileSource(Path(item))
    if sr is None:
        raise TypeError("a waveform needs its sample rate: pass sr=..., in Hz")
    return ArraySource.of(item, sr)
