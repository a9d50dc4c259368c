"""The headers of many clips: read here, or in worker processes that may crash."""

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
    """Read the header of each clip, as `inspect` does.

    Parameters
    ----------
    sources : sequence of AudioSource
    isolate : bool
        Read in worker processes, so that a header that crashes a library costs one clip.

    Returns
    -------
    found : list of AudioInfo or DecodeError
        In the order of the sources; an error says why its clip is refused.
    """
    found: dict[int, AudioInfo | DecodeError] = {}
    engine = ProcessEngine(available_cores()) if isolate else SerialEngine()
    with engine:
        for index, outcome in engine.map(inspect, sources):
            if isinstance(outcome, WorkerDiedError):
                crashed = f"{sources[index].name}: reading its header ended the worker process"
                found[index] = DecodeError(crashed)
            elif isinstance(outcome, AudioInfo | DecodeError):
                found[index] = outcome
            else:
                raise outcome
    return [found[index] for index in range(len(sources))]
