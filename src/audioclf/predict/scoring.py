"""Scoring of a few recordings in one thread: decode, cut, featurize, classify.

The windows of several recordings share a batch, for the featurizer and for the classifier. Which
ones do depends on the list of recordings alone, so no result depends on the number of threads.
The classifier of a plugin is called by one thread at a time, since it may not be safe in several.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audio.decode import decode, inspect
from audioclf.audio.reader import AudioInfo
from audioclf.audio.stream import open_stream
from audioclf.base.errors import DecodeError, FeatureError
from audioclf.base.progress import Progress
from audioclf.evaluation.class_fits import OneFitPerClass
from audioclf.evaluation.predictions import ViewAverage
from audioclf.models.bundle.sound_range import FACTS, typical
from audioclf.models.windows import BATCH, Cutting, Piece, pieces
from audioclf.predict.inputs import Recording

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.models.model import Model

_MEASURED = 8
"""Windows of a recording from which on only those with a power of 2 as number are measured."""

_BATCH_SAMPLES = 1 << 21
"""Samples from which on a batch is full: 8 MiB of waveforms."""


@dataclass(eq=False)
class Shared:
    """Objects that all threads use; they end early once `stop` is set.

    `cutting` is None where a recording is one clip, as it was in training; `sound` is None in
    another process. With `compares`, the sound is compared with the training clips: `outside`.
    """

    model: Model
    cutting: Cutting | None = None
    sound: SoundCounter | None = None
    compares: bool = True
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        safe = is_thread_safe(self.model.scorer)
        self.turn: AbstractContextManager[object] = nullcontext() if safe else threading.Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return Shared, (self.model, self.cutting, None, self.compares)


def is_thread_safe(scorer: Any) -> bool:
    """Return whether several threads may predict: scikit-learn does not change an estimator."""
    if isinstance(scorer, ViewAverage):
        return is_thread_safe(scorer.estimator)
    if isinstance(scorer, OneFitPerClass):
        return all(isinstance(e, float) or is_thread_safe(e) for e in scorer.estimators)
    if not hasattr(scorer, "get_params"):
        return False
    parts = (scorer, *scorer.get_params(deep=True).values())
    estimators = [part for part in parts if hasattr(part, "fit")]
    return all(type(estimator).__module__.startswith("sklearn.") for estimator in estimators)


class SoundCounter:
    """Reports the seconds of sound that all threads together have done.

    Until a header is read, the length of its file is estimated from its size in bytes.
    """

    def __init__(self, recordings: Sequence[Recording], progress: Progress) -> None:
        self._progress, self._lock = progress, threading.Lock()
        self._n_bytes = {id(recording): recording.n_bytes or 1 for recording in recordings}
        self._all_bytes = sum(self._n_bytes.values())
        self._at: dict[int, tuple[float, float]] = {}
        self._known_bytes = self._ended = 0
        self._done = self._seconds = 0.0
        progress("predict", 0, 1)

    def at(self, recording: Recording, done: float, seconds: float, *, ended: bool = False) -> None:
        """Note that `done` of the seconds of a recording are done, and report the sums."""
        key = id(recording)
        with self._lock:
            if key not in self._at:
                self._known_bytes += self._n_bytes[key]
            done_before, seconds_before = self._at.get(key, (0.0, 0.0))
            self._at[key] = done, seconds
            self._done += done - done_before
            self._seconds += seconds - seconds_before
            self._ended += ended
            total = round(self._seconds * self._all_bytes / self._known_bytes)
            count = len(self._n_bytes)
            recordings = f"{self._ended} of {count} recordings" if count > 1 else ""
            self._progress("predict", round(self._done), total, recordings)


@dataclass(eq=False)
class Outcome:
    """Predictions for one recording, or the reason why there are none.

    `error` and `warning` are empty if there are none; `info` is the header of the file or of the
    part, `file_seconds` the length of the whole file. With `truncated`, its end was ignored, since
    it is longer than `audio.duration`; with `trained_on`, it or a window that is not silence is a
    training clip of the model. `outside` says how its sound differs from that of the training
    clips. `times` [shape=(n_windows, 2)] are in s from the start of the file, `codes`
    [shape=(n_windows,)] those of `Model.decide`, `scores` [shape=(n_windows, n_classes)] None if it
    gives none. With `is_several`, a window has several labels or none: codes are then 0, and scores
    of a classifier that gives none are 1 or 0. Predicted numbers are `scores`
    [shape=(n_windows, 1)].
    """

    recording: Recording
    error: str = ""
    warning: str = ""
    info: AudioInfo | None = None
    file_seconds: float = 0.0
    truncated: bool = False
    trained_on: bool = False
    outside: tuple[str, ...] = ()
    times: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    codes: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    scores: NDArray[np.float64] | None = None
    is_several: bool = False

    def fail(self, error: str) -> None:
        """Drop the predictions so far and keep the reason."""
        self.error = " ".join(error.split())
        self.times, self.codes, self.scores = np.empty((0, 2)), np.empty(0, np.intp), None


def score_recordings(recordings: Sequence[Recording], shared: Shared) -> list[Outcome]:
    """Return the predictions for each recording; one that cannot be used has an error."""
    scorer = _Scorer(shared)
    for recording in recordings:
        scorer.add(recording)
    return [] if shared.stop.is_set() else scorer.finish()


class _Scorer:
    """Fills batches with the windows of one recording after the other."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.outcomes: list[_Unfinished] = []
        self.batch: list[tuple[_Unfinished, Piece]] = []
        self.samples = 0
        self.silence: dict[int, NDArray[np.float32] | FeatureError] = {}

    def add(self, recording: Recording) -> None:
        if self.shared.stop.is_set():
            return
        outcome = Outcome(recording, is_several=self.shared.model.is_several)
        unfinished = _Unfinished(outcome)
        self.outcomes.append(unfinished)
        try:
            for piece in self._pieces(unfinished.outcome):
                unfinished.cut += 1
                self._measure(unfinished, piece)
                self._put(unfinished, piece)
                if unfinished.outcome.error or self.shared.stop.is_set():
                    return
            if not unfinished.cut:
                unfinished.outcome.fail(self._too_short(unfinished.outcome))
        except DecodeError as exc:
            unfinished.outcome.fail(exc.message)

    def finish(self) -> list[Outcome]:
        self._flush()
        clips = self.shared.model.clips
        for unfinished in self.outcomes:
            if clips is not None and clips.sound is not None and unfinished.facts:
                facts = typical(unfinished.facts)
                unfinished.outcome.outside = tuple(clips.sound.outside(facts))
        return [unfinished.finished(self.shared.model.sr) for unfinished in self.outcomes]

    def _pieces(self, outcome: Outcome) -> Iterator[Piece]:
        cutting = self.shared.cutting
        if cutting is None:
            yield self._whole(outcome)
            return
        source, sr = outcome.recording.source, self.shared.model.sr
        channel = self.shared.model.manifest.audio.channel
        with open_stream(source, sr, channel=channel) as stream:
            self._note(outcome, stream.info, stream.offset)
            for piece in pieces(stream.blocks, cutting):
                yield piece
                if self.shared.sound is not None:
                    self.shared.sound.at(outcome.recording, piece.end / sr, stream.info.seconds)
            outcome.warning = "; ".join(stream.warnings)

    def _whole(self, outcome: Outcome) -> Piece:
        """Return the samples that training would have used."""
        audio, source = self.shared.model.manifest.audio, outcome.recording.source
        decoded = decode(source, audio)
        info = decoded.info
        first = 0 if source.span is None else round(source.span.start * info.sr)
        skipped = int(audio.offset * info.sr)
        self._note(outcome, info, (first + skipped) / info.sr)
        outcome.warning = "; ".join(info.warnings)
        if audio.duration is not None:
            outcome.truncated = info.frames - skipped > int(audio.duration * info.sr)
        return Piece(0, len(decoded.y), decoded.y)

    def _note(self, outcome: Outcome, info: AudioInfo, offset: float) -> None:
        source = outcome.recording.source
        outcome.info = info
        outcome.file_seconds = info.seconds if source.span is None else inspect(source.file).seconds
        self.outcomes[-1].offset = offset

    def _measure(self, unfinished: _Unfinished, piece: Piece) -> None:
        """Measure the facts of some windows, most of them early."""
        clips, n = self.shared.model.clips, unfinished.cut
        if clips is None or clips.sound is None or (n > _MEASURED and n & (n - 1)):
            return
        if self.shared.compares and len(piece.y):
            from audioclf.audit.shortcuts.facts import COLUMN, AuditFacts

            facts = AuditFacts().extract(piece.y, self.shared.model.sr)[:, 0]
            unfinished.facts.append(facts[[COLUMN[name] for name in FACTS]].astype(np.float64))

    def _too_short(self, outcome: Outcome) -> str:
        cutting, info = self.shared.cutting, outcome.info
        assert cutting is not None
        assert info is not None
        needed = "one window" if cutting.partial == "drop" else "half a window"
        seconds = cutting.size / self.shared.model.sr
        name = outcome.recording.source.name
        return f"{name}: lasts {info.seconds:.6g} s, less than {needed} of {seconds:g} s"

    def _put(self, unfinished: _Unfinished, piece: Piece) -> None:
        self.batch.append((unfinished, piece))
        self.samples += len(piece.y)
        if len(self.batch) >= BATCH or self.samples >= _BATCH_SAMPLES:
            self._flush()

    def _flush(self) -> None:
        batch, self.batch, self.samples = self.batch, [], 0
        model = self.shared.model
        results = model.rows_of_pieces([piece for _, piece in batch], self.shared.cutting)
        usable: list[tuple[_Unfinished, Piece]] = []
        rows = []
        for (unfinished, piece), row in zip(batch, results, strict=True):
            if isinstance(row, FeatureError):
                unfinished.refuse(piece, row, model.sr)
            else:
                usable.append((unfinished, piece))
                rows.append(row)
        if rows:
            self._classify(usable, np.stack(rows))

    def _classify(self, batch: list[tuple[_Unfinished, Piece]], rows: NDArray[np.float32]) -> None:
        model = self.shared.model
        for at in np.flatnonzero(model.trained_on(rows)):
            unfinished, piece = batch[at]
            known = unfinished.outcome.trained_on or not self._is_silence(piece.y, rows[at])
            unfinished.outcome.trained_on = known
        with self.shared.turn:
            codes, scores = outputs_of(model, rows)
        for index, (unfinished, piece) in enumerate(batch):
            unfinished.spans.extend((piece.start, piece.end))
            unfinished.codes.append(int(codes[index]))
            if scores is not None:
                unfinished.scores.frombytes(scores[index].tobytes())

    def _is_silence(self, y: NDArray[np.float32], row: NDArray[np.float32]) -> bool:
        """Return whether a sound is constant, or its features are those of silence as long.

        All silent clips have the same features, so these do not show that one was in training.
        """
        if np.ptp(y) == 0:
            return True
        if len(y) not in self.silence:
            (self.silence[len(y)],) = self.shared.model.rows_of([np.zeros_like(y)])
        silence = self.silence[len(y)]
        return not isinstance(silence, FeatureError) and np.array_equal(silence, row)


def outputs_of(
    model: Model, rows: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
    """Return codes and scores of rows, as `Outcome` has them."""
    if model.is_number:
        return np.zeros(len(rows), dtype=np.intp), model.numbers_of(rows)[:, None]
    if not model.is_several:
        return model.decide(rows)
    none = model.score_kind == "none"
    scores = model.states_of(rows).astype(np.float64) if none else model.scores_of(rows)
    return np.zeros(len(rows), dtype=np.intp), scores


@dataclass(eq=False)
class _Unfinished:
    """An outcome whose windows are still added, in a few bytes each."""

    outcome: Outcome
    offset: float = 0.0
    cut: int = 0
    spans: array[int] = field(default_factory=lambda: array("q"))
    codes: array[int] = field(default_factory=lambda: array("q"))
    facts: list[NDArray[np.float64]] = field(default_factory=list)
    scores: array[float] = field(default_factory=lambda: array("d"))

    def refuse(self, piece: Piece, error: FeatureError, sr: int) -> None:
        """Fail the recording because of one window."""
        name = self.outcome.recording.source.name
        where = name if not piece.start else f"{name}, from {piece.start / sr:g} s on"
        if not self.outcome.error:
            self.outcome.fail(f"{where}: {error.message}")

    def finished(self, sr: int) -> Outcome:
        outcome = self.outcome
        if not outcome.error:
            spans = np.array(self.spans, dtype=np.int64).reshape(-1, 2)
            outcome.times = self.offset + spans / sr
            if outcome.info is not None:  # resampling may round the last sample up
                np.minimum(outcome.times, self.offset + outcome.info.seconds, out=outcome.times)
            outcome.codes = np.array(self.codes, dtype=np.intp)
            if self.scores:
                outcome.scores = np.array(self.scores).reshape(len(spans), -1)
        return outcome
