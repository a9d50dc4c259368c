"""Headers of many clips, read here or in worker processes, and the channels that they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from audioclf.audio.decode import inspect
from audioclf.audio.reader import AudioInfo
from audioclf.base.errors import DecodeError
from audioclf.base.machine import available_cores
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import AudioSource, ChannelSource
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


def channels_of(
    sources: Sequence[AudioSource], *, isolate: bool = False
) -> list[tuple[ChannelSource, ...]]:
    """Return the channels of each source; none where it is mono, a channel, or cannot be read."""
    infos = inspect_all(sources, isolate=isolate)
    return [
        ()
        if isinstance(info, DecodeError) or info.channels == 1 or source.channel
        else tuple(ChannelSource(source, number) for number in range(1, info.channels + 1))
        for source, info in zip(sources, infos, strict=True)
    ]


def with_channels(dataset: Dataset, *, isolate: bool = False) -> Dataset:
    """Return the dataset with a clip for each channel of a file; mono files stay as they are.

    If no clip has a group, each recording becomes one.
    """
    channels = channels_of([clip.source for clip in dataset], isolate=isolate)
    if not any(channels):
        return dataset
    clips: list[Clip] = []
    for clip, sources in zip(dataset, channels, strict=True):
        group = clip.group if dataset.has_groups else clip.recording
        clips += [
            replace(clip, id=f"{clip.id}{source.suffix}", source=source, group=group)
            for source in sources
        ] or [replace(clip, group=group)]
    return dataset.with_clips(clips)
