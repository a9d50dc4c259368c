"""Source of the sound of a page: the clips of a run, by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from audioclf.base.errors import DatasetError, DecodeError
from audioclf.base.limits import DEFAULT_LIMITS, Limits, use_limits
from audioclf.features.waveform import Decoder, decoded
from audioclf.runs.folder import CONFIG

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.audio.settings import AudioConfig
    from audioclf.components.registry import Registry
    from audioclf.dataset.dataset import Clip
    from audioclf.runs.reading import SavedRun

MAX_SECONDS = 10.0
"""Seconds of a clip in a page at most."""


class ClipSource(Protocol):
    """Source of waveforms by clip."""

    def waveform(self, clip_id: str) -> tuple[NDArray[np.float32], int]:
        """Return the waveform `y` [shape=(n_samples,)] and its sample rate in Hz."""


class DatasetClips:
    """The clips of a dataset, decoded as the run decoded them, `MAX_SECONDS` at most.

    `digests` are SHA-256 of the files that the run read, by clip id; a file with another is
    refused.
    """

    def __init__(
        self,
        dataset: Iterable[Clip],
        audio: AudioConfig,
        digests: Mapping[str, str] | None = None,
        decoder: Decoder = decoded,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        shortest = min(audio.duration or MAX_SECONDS, MAX_SECONDS)
        self._audio = audio.model_copy(update={"duration": shortest})
        self._clips = {clip.id: clip for clip in dataset}
        self._digests = digests or {}
        self._decoder = decoder
        self._limits = limits

    def waveform(self, clip_id: str) -> tuple[NDArray[np.float32], int]:
        """Decode a clip."""
        if clip_id not in self._clips:
            raise DecodeError(f"{clip_id}: no longer in the dataset")
        clip = self._clips[clip_id]
        expected = self._digests.get(clip_id)
        if expected and clip.source.digest() != expected:
            raise DecodeError(f"{clip.source.name}: the file has changed since the run")
        with use_limits(self._limits):
            return self._decoder(clip, self._audio), self._audio.sr


def clips_of(run: SavedRun, registry: Registry | None = None) -> DatasetClips:
    """Load the dataset of a run, as its `config.yaml` names it."""
    from audioclf.components.discovery import discover
    from audioclf.config.dataset import dataset_of
    from audioclf.config.loading import load_config

    registry = discover() if registry is None else registry
    config = load_config(run.path / CONFIG, registry=registry)
    dataset = dataset_of(config, registry)
    if not {clip.id for clip in run.clips} & {clip.id for clip in dataset}:
        raise DatasetError(f"{dataset.name}: contains none of the clips of this run")
    digests = {clip.id: clip.facts.get("sha256", "") for clip in run.clips}
    return DatasetClips(dataset, config.audio, digests, limits=config.limits)
