"""Headers of many clips, read in this process or in worker processes."""

from __future__ import annotations

from collections.abc import Sequence

from audioclf.audio.decode import inspect
from audioclf.audio.reader import AudioInfo
from audioclf.base.errors import DecodeError
from audioclf.base.machine import available_cores
from audioclf.dataset.sources import AudioSource
from audioclf.engines.base import WorkerDiedError
from audioclf.engines.local import ProcessEngine, SerialEngine


def inspect_all(
    sources: Sequence[AudioSource], *, isolate: bool = False
) -> list[AudioInfo | DecodeError]:
    """Return the header of each clip, as `inspect` does, or the error that refuses the clip.

    If isolated, headers are read in worker processes, so that a crash of a library costs one clip.
    """
    infos: dict[int, AudioInfo | DecodeError] = {}
    engine = ProcessEngine(available_cores()) if isolate else SerialEngine()
    with engine:
        for index, outcome in engine.map(inspect, sources):
            if isinstance(outcome, WorkerDiedError):
                crashed = f"{sources[index].name}: reading its header ended the worker process"
                infos[index] = DecodeError(crashed)
            elif isinstance(outcome, AudioInfo | DecodeError):
                infos[index] = outcome
            else:
                raise outcome
    return [infos[index] for index in range(len(sources))]
