"""Worker processes that predict one sound at a time, so that a crash costs one request."""

from __future__ import annotations

import asyncio
import io
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from typing_extensions import override

from audioclf.audio.live import ENCODINGS
from audioclf.audio.pcm import PcmLayout, read_pcm
from audioclf.base.errors import DecodeError
from audioclf.dataset.label_sets import split_labels
from audioclf.dataset.sources import AudioSource, FileSource, content_digest
from audioclf.engines.base import Job
from audioclf.engines.process import Worker, WorkerGoneError
from audioclf.engines.sharing import packed
from audioclf.models.arrays import ArraySource
from audioclf.predict.formats import Line
from audioclf.predict.inputs import Recording
from audioclf.predict.lines import lines_of
from audioclf.predict.scoring import Shared, score_recordings
from audioclf.predict.settings import Settings

if TYPE_CHECKING:
    from audioclf.models.model import Model


@dataclass(frozen=True)
class RawSamples:
    """What raw samples are: a kind of `audio.live.ENCODINGS`, the rate in Hz, the channels."""

    encoding: str
    sr: int
    channels: int


@dataclass(frozen=True)
class Request:
    """A sound file or raw samples, in memory or on disk, and how they are predicted."""

    content: bytes | Path
    settings: Settings
    raw: RawSamples | None = None


@dataclass(frozen=True)
class _Upload(AudioSource):
    """A file that a client has sent."""

    content: bytes | Path

    @property
    @override
    def name(self) -> str:
        return "the sound"

    @override
    def open(self) -> BinaryIO:
        if isinstance(self.content, Path):
            return FileSource(self.content).open()
        return io.BytesIO(self.content)

    @override
    def digest(self) -> str:
        return content_digest(self)


class NoWorkerError(Exception):
    """No process can be started in place of one that ended."""


class Workers:
    """Processes that hold a model; each works on one request at a time.

    A process that ends or takes longer than `seconds` for a request is replaced.
    """

    def __init__(self, model: Model, count: int, seconds: float) -> None:
        self.seconds = seconds
        self.busy = self.waiting = 0
        self._packed = packed(Job(_predict, Shared(model, compares=False)))
        self._job = self._packed.__enter__()
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="audioclf-serve")
        self._workers = [self._new() for _ in range(count)]
        self._free: asyncio.Queue[Worker] = asyncio.Queue()
        for worker in self._workers:
            self._free.put_nowait(worker)

    def _new(self) -> Worker:
        worker = Worker()
        worker.load(self._job)
        return worker

    async def _living(self, worker: Worker) -> Worker:
        """Return a worker, or a new one if it has ended; `NoWorkerError` if none can be started."""
        if worker.has_ended:
            try:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._threads, worker.kill)  # and its pipes are closed
                new = await loop.run_in_executor(self._threads, self._new)
            except (OSError, WorkerGoneError) as exc:
                raise NoWorkerError from exc
            self._workers[self._workers.index(worker)] = worker = new
        return worker

    async def predict(self, request: Request) -> bytes:
        """Return the answer to a request as JSON, once a worker is free.

        AudioclfError of the prediction; DecodeError for a sound that ends its worker;
        `NoWorkerError`.
        """
        self.waiting += 1
        try:
            worker = await self._free.get()
        finally:
            self.waiting -= 1
        self.busy += 1
        try:
            worker = await self._living(worker)
            answer = await self._answer(worker, pickle.dumps(request, 5))
        except WorkerGoneError as exc:
            late = f"took longer than {self.seconds:g} s"
            what = late if worker.is_late else f"ended the worker ({exc})"
            with suppress(NoWorkerError):  # the next request tries again
                worker = await self._living(worker)
            raise DecodeError(f"the sound {what}") from exc
        finally:
            self.busy -= 1
            self._free.put_nowait(worker)
        if isinstance(answer, Exception):
            raise answer
        result: bytes = answer
        return result

    async def _answer(self, worker: Worker, request: bytes) -> Any:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.seconds, worker.end_late)
        try:
            return await loop.run_in_executor(self._threads, worker.run, request)
        except asyncio.CancelledError:
            worker.end_late()  # it still works on an answer that no request waits for
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.kill()
        self._threads.shutdown()
        self._packed.__exit__(None, None, None)


def _predict(request: Request, shared: Shared) -> bytes:
    """Return the answer to a request as JSON; DecodeError if the sound cannot be used."""
    model, shared.cutting = shared.model, request.settings.cutting
    (outcome,) = score_recordings([Recording("the sound", _source(request))], shared)
    if outcome.error:
        raise DecodeError(outcome.error.removeprefix("the sound: "))
    info = outcome.info
    assert info is not None
    settings = Settings(thresholds=request.settings.thresholds)
    windows = [_window(line, model) for line in lines_of(outcome, model, settings)[1]]
    answer: dict[str, Any] = {
        "sample_rate": info.sr,
        "seconds": round(info.seconds, 6),
        "classes": list(model.classes),
        "windows": windows,
    }
    if request.settings.events is not None:
        answer["events"] = [_event(line) for line in lines_of(outcome, model, request.settings)[1]]
    notes = [outcome.warning] if outcome.warning else []
    if outcome.truncated:
        longest = model.manifest.audio.duration
        notes.append(f"the rest behind {longest:g} s was ignored; give a window to predict all")
    if outcome.trained_on:
        notes.append("the sound was in the training data of the model")
    text = json.dumps({**answer, "notes": notes}, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def _source(request: Request) -> AudioSource:
    if request.raw is None:
        return _Upload(request.content)
    raw, content = request.raw, _Upload(request.content).open().read()
    layout = PcmLayout(ENCODINGS[raw.encoding], raw.sr, raw.channels, 0, 0)
    if not content or len(content) % layout.frame_bytes:
        raise DecodeError(
            f"{len(content)} bytes are no whole number of frames of {layout.frame_bytes} bytes"
        )
    count = len(content) // layout.frame_bytes
    return ArraySource.of(read_pcm(io.BytesIO(content), layout, 0, count).T, raw.sr)


def _window(line: Line, model: Model) -> dict[str, Any]:
    scores = dict(zip(model.classes, (round(score, 6) for score in line.more), strict=False))
    if model.is_several:
        return {**_span(line), "labels": list(split_labels(line.label)[0]), "scores": scores}
    return {**_times(line), "scores": scores}


def _event(line: Line) -> dict[str, Any]:
    mean, n_windows = line.more
    return {**_times(line), "mean_score": round(mean, 6), "n_windows": n_windows}


def _times(line: Line) -> dict[str, Any]:
    score = None if line.score is None else round(line.score, 6)
    p_value = {} if line.p_value is None else {"p_value": round(line.p_value, 6)}
    return {**_span(line), "label": line.label or None, "score": score, **p_value}


def _span(line: Line) -> dict[str, Any]:
    return {"start": round(line.start, 6), "end": round(line.end, 6)}
