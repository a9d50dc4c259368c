"""Trained models: sounds in (files, URLs or arrays), class names and scores out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from audioclf.audio.settings import AudioConfig
from audioclf.audio.stream import open_stream
from audioclf.base.errors import FeatureError, ModelError
from audioclf.components.featurizer import Featurizer
from audioclf.dataset.dataset import Clip
from audioclf.dataset.sources import AudioSource
from audioclf.evaluation.class_fits import OneFitPerClass
from audioclf.evaluation.predictions import numbers_of_rows, predicted, scores_of_rows
from audioclf.evaluation.views import Views
from audioclf.features.worker import Plan, featurize, featurize_clip, featurize_windows
from audioclf.models.arrays import ArraySource
from audioclf.models.bundle.manifest import Manifest, ScoreKind
from audioclf.models.bundle.training_clips import TrainingClips
from audioclf.models.calibration.maps import calibrated, calibrated_states, top_of
from audioclf.models.class_distance import ClassDistance
from audioclf.models.decisions import decided, name_of
from audioclf.models.windows import (
    BATCH,
    Cutting,
    Label,
    Piece,
    ScoredWindow,
    joined,
    pieces,
    rows_of_runs,
    shared_step,
    source_from,
    source_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.models.windows import Sound, Sounds


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted pipeline with the featurizer and the audio config that it was trained with.

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
    """As `Classifier.scorer` returned it, for single views; `scorer` takes rows of all views."""
    clips: TrainingClips | None = None
    distance: ClassDistance | None = None
    """Distance to the classes, if `manifest.unknown` asks for it."""

    @cached_property
    def views(self) -> Views:
        """The views of a clip; predictions use the first, or all of them."""
        return Views.of(self.featurizer)

    @cached_property
    def scorer(self) -> Any:
        """The estimator, or its mean over several views, for rows of features."""
        if isinstance(self.estimator, OneFitPerClass):
            return self.estimator.mapped(self.views.scorer)
        return self.views.scorer(self.estimator)

    @property
    def is_several(self) -> bool:
        """Whether a sound can have several labels, or none."""
        return self.manifest.several is not None

    @property
    def is_number(self) -> bool:
        """Whether it predicts a number instead of a class."""
        return self.manifest.number is not None

    @property
    def row_width(self) -> int:
        """Number of columns of a row of features."""
        return self.views.predicted * self.manifest.features.width

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of the scores; none for numbers."""
        return self.manifest.classes

    @property
    def sr(self) -> int:
        """Sample rate in Hz; all sounds are resampled to it."""
        return self.manifest.audio.sr

    @property
    def score_kind(self) -> ScoreKind:
        """Kind of the scores before calibration; see `Manifest.scores`."""
        return self.manifest.scores

    @property
    def score_name(self) -> Literal["probability", "score"]:
        """Name of a score: `probability` if the model is calibrated."""
        return "score" if self.manifest.calibration is None else "probability"

    def __repr__(self) -> str:
        manifest = self.manifest
        kind = "numbers" if self.is_number else f"{len(self.classes)} classes"
        return f"<Model {manifest.name}:{manifest.cell}, {kind}>"

    @overload
    def predict(self, items: Sound, *, sr: int | None = None) -> Label: ...

    @overload
    def predict(self, items: Sounds, *, sr: int | None = None) -> list[Label]: ...

    def predict(self, items: Sound | Sounds, *, sr: int | None = None) -> Label | list[Label]:
        """Return the class or number of one sound, or of each of several.

        Parameters
        ----------
        items : path, URL, array, or a list of these
            A waveform has shape (n_samples,) or (n_channels, n_samples), as in librosa: floats
            in [-1, 1], int16 or int32. It is mixed to mono and resampled; `audio.offset` and
            `audio.duration` apply.
        sr : int, optional
            Sample rate of arrays in Hz.

        Returns
        -------
        label : str, float or None, or a list of these
            `unknown` for a sound of no known class, if the model has a rule for it; None if the
            score of the class is below `manifest.abstain_below`. A model of several labels returns
            a list of the classes whose scores reach their thresholds, a model of numbers a float.

        Raises
        ------
        DecodeError, FeatureError
            If a sound cannot be used; the message names it.
        """
        if not isinstance(items, list | tuple):
            return self.predict([items], sr=sr)[0]
        if self.is_number:
            return list[Label](self.numbers_of(self._rows(items, sr)).tolist() if items else ())
        if self.is_several:
            states = self.states_of(self._rows(items, sr)) if items else ()
            several = [[self.classes[code] for code in np.flatnonzero(row)] for row in states]
            return list[Label](several)
        # Scores take as long as classes, and most models need none for a decision.
        decide = (lambda rows: self.decide(rows)[0]) if self.manifest.withholds else self.codes_of
        codes = decide(self._rows(items, sr)) if items else ()
        return list[Label]([name_of(int(code), self.classes) or None for code in codes])

    def predict_proba(self, items: Sound | Sounds, *, sr: int | None = None) -> NDArray[np.float64]:
        """Return the probabilities of one sound or of several, as in scikit-learn.

        They are calibrated if the model is; otherwise they are the classifier's own.

        Parameters
        ----------
        items, sr
            As for `predict`.

        Returns
        -------
        proba : np.ndarray [shape=(n_classes,) or (n_items, n_classes)], float64
            In the order of `classes`; each row sums to 1, except for a model of several labels.

        Raises
        ------
        ModelError
            If the classifier gives no probabilities, and the model is not calibrated.
        """
        if self.score_kind != "probability" and self.score_name != "probability":
            raise ModelError(
                f"the classifier of {self.manifest.cell!r} gives no probabilities",
                hint="Use `scores`, or `predict`.",
            )
        return self.scores(items, sr=sr)

    def scores(self, items: Sound | Sounds, *, sr: int | None = None) -> NDArray[np.float64]:
        """Return the scores of one sound or of several, calibrated if the model is.

        As `predict_proba`, for a classifier that gives scores of any kind; else a `ModelError`.
        """
        if isinstance(items, list | tuple):
            empty = np.empty((0, len(self.classes)))
            return self.scores_of(self._rows(items, sr)) if items else empty
        one: NDArray[np.float64] = self.scores_of(self._rows([items], sr))[0]
        return one

    def features_of(self, y: NDArray[Any], sr: int) -> NDArray[np.float32]:
        """Return the features of one whole waveform, row [shape=(n_features,)], float32.

        `y` has shape (n_samples,) or (n_channels, n_samples) and the sample rate `sr` in Hz.
        """
        return self._row(ArraySource.of(y, sr), AudioConfig(sr=self.sr))

    def rows_of(
        self, ys: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32] | FeatureError]:
        """Return the features of several waveforms, or the error where one is refused.

        They are mono, at the rate `sr`, finite and float32. The features are extracted together.
        """
        return joined((featurize(plan, ys, self.sr) for plan in self._plans()), self._pooled)

    def rows_of_windows(
        self, y: NDArray[np.float32], starts: Sequence[int], n_samples: int
    ) -> list[NDArray[np.float32] | FeatureError]:
        """Return the features of windows of one recording, equal to the last bit to `rows_of`.

        `starts` are the first samples of windows of `n_samples`. Overlapping windows share work
        if the featurizer supports it; see `shared_step`.
        """
        args = (y, self.sr, starts, n_samples)
        return joined((featurize_windows(p, *args) for p in self._plans()), self._pooled)

    @property
    def shared_step(self) -> int | None:
        """Windows share work if a multiple of this many samples apart; None if never."""
        return shared_step(self.featurizer, self.sr)

    def windows(
        self,
        path: str | Path | AudioSource,
        *,
        window: float,
        hop: float | None = None,
        partial: Literal["keep", "drop"] = "keep",
    ) -> Iterator[tuple[float, float, NDArray[np.float64]]]:
        """Yield the scores of each window of a recording of any length.

        The recording is read in blocks, so memory does not grow with its length. Each window is a
        clip of its own: `audio.offset` and `audio.duration` do not apply.

        Parameters
        ----------
        path : path or URL
        window, hop : float
            Length of a window, and distance between the starts of two windows, in s. By default
            `hop` is the length.
        partial : {"keep", "drop"}
            Whether a shorter last window is used if it has at least half the length.

        Yields
        ------
        start, end : float
            Times in the file in s; `end` is exclusive.
        scores : np.ndarray [shape=(n_classes,)], float64

        Raises
        ------
        ConfigError
            If `window` or `hop` is less than a sample.
        DecodeError, FeatureError, ModelError
            As `scores`.
        """
        cutting = Cutting.of(window, hop, self.sr, partial)
        return self._scored_windows(source_of(path), cutting)

    def _scored_windows(self, source: AudioSource, cutting: Cutting) -> Iterator[ScoredWindow]:
        with open_stream(source, self.sr, channel=self.manifest.audio.channel) as stream:
            windows = pieces(stream.blocks, cutting)
            while batch := list(islice(windows, BATCH)):
                rows = []
                for piece, row in zip(batch, self.rows_of_pieces(batch, cutting), strict=True):
                    if isinstance(row, FeatureError):
                        where = f"{source.name}, from {piece.start / self.sr:g} s on"
                        raise FeatureError(f"{where}: {row.message}", hint=row.hint) from row
                    rows.append(row)
                for piece, scores in zip(batch, self.scores_of(np.stack(rows)), strict=True):
                    start, end = (stream.offset + at / self.sr for at in piece[:2])
                    yield ScoredWindow(start, end, scores)

    def rows_of_pieces(
        self, batch: Sequence[Piece], cutting: Cutting | None
    ) -> list[NDArray[np.float32] | FeatureError]:
        """Return the features of windows; overlapping neighbors are extracted together.

        The batch holds windows of one or more recordings, one recording after the other, in order
        of time. Without a cutting, each piece is a whole recording.
        """
        if cutting is None:
            return self.rows_of([piece.y for piece in batch])
        step, alone, together = self.shared_step, self.rows_of, self.rows_of_windows
        return rows_of_runs(batch, cutting, step, alone, together)

    def trained_on(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return for each row of features whether a training clip had the same features.

        Copies that decode to the same samples are found in any file format. On another kind of
        processor the last bits of features may differ, and copies are missed.
        """
        if self.clips is None:
            return np.zeros(len(rows), dtype=bool)
        return self.clips.contains(rows[:, : self.manifest.features.width])

    def scores_of(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the scores [shape=(n_rows, n_classes)] of rows [shape=(n_rows, n_features)].

        They are calibrated if the model is; `ModelError` if the classifier gives none.
        """
        if (scores := self._uncalibrated(rows)) is None:
            gives = "numbers, and no scores" if self.is_number else "no scores"
            message = f"the classifier of {self.manifest.cell!r} gives {gives}"
            raise ModelError(message, hint="Use `predict`.")
        how = self.manifest.calibration
        if how is None:
            return scores
        return (calibrated_states if self.is_several else calibrated)(how.mapping, scores)

    def numbers_of(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the predicted numbers [shape=(n_rows,)] of a model of numbers."""
        return numbers_of_rows(self.scorer, rows)

    def states_of(self, rows: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return 1 for classes whose score reaches the threshold, else 0 [(n_rows, n_classes)]."""
        if self.manifest.calibration is None:
            return np.asarray(self.scorer.outputs(rows).states)
        return np.asarray(self.scores_of(rows) >= self.scorer.thresholds, dtype=np.int8)

    def codes_of(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the code of the most probable class of each row, without abstaining.

        Without calibration it is the prediction of the classifier, which has the highest score.
        """
        return self.outputs_of(rows)[0]

    def outputs_of(
        self, rows: NDArray[np.float32]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
        """Return what `codes_of` and `scores_of` do, computed once; None where there are none."""
        self._check_one_label()
        if (calibration := self.manifest.calibration) is None:
            outputs = predicted(self.scorer, rows, len(self.classes))
            return outputs.codes, outputs.scores
        raw = self._uncalibrated(rows)
        assert raw is not None
        scores = calibrated(calibration.mapping, raw)
        return top_of(scores, raw), scores

    def decide(
        self, rows: NDArray[np.float32]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
        """Return `outputs_of` with -1 where the model abstains, -2 for unknown sounds."""
        codes, scores = self.outputs_of(rows)
        return decided(codes, scores, rows, self.manifest, self.distance), scores

    def _check_one_label(self) -> None:
        if self.is_several or self.is_number:
            gives = "a number" if self.is_number else "several labels"
            raise ModelError(f"the model gives {gives} per sound, not one class")

    def _uncalibrated(self, rows: NDArray[np.float32]) -> NDArray[np.float64] | None:
        if self.is_several:
            scores: NDArray[np.float64] | None = self.scorer.outputs(rows).scores
            return scores
        if self.score_kind == "decision":
            return predicted(self.scorer, rows, len(self.classes)).scores
        return scores_of_rows(self.scorer, rows, len(self.classes))[0]

    def _rows(self, items: Sequence[Any], sr: int | None) -> NDArray[np.float32]:
        rows = np.empty((len(items), self.row_width), dtype=np.float32)
        for row, item in zip(rows, items, strict=True):
            row[:] = self._row(source_from(item, sr), self.manifest.audio)
        return rows

    def _row(self, source: AudioSource, audio: AudioConfig) -> NDArray[np.float32]:
        views = featurize_clip(Clip("", "", source), audio, self._plans())
        return self._pooled(list(views.values()))

    def _pooled(self, views: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        pool, longest = self.featurizer.pooling.pool, self.manifest.features.max_frames
        rows = [pool(features, longest) for features in views]
        return rows[0] if len(rows) == 1 else np.concatenate(rows)

    def _plans(self) -> tuple[Plan, ...]:
        """Return the plan of each view that a prediction uses."""
        shape = self.manifest.features
        label = f"featurizer {self.featurizer.type_name()!r}"
        views = self.featurizer.views()[: self.views.predicted]
        return tuple(
            Plan(str(number), view, label, shape.n_bins, shape.max_frames, shape.width)
            for number, view in enumerate(views)
        )
