"""Waveform of a clip as a featurizer, so that the feature cache can hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audioclf._version import __version__
from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Origin, Origins
from audioclf.dataset.dataset import Clip
from audioclf.dataset.sources import FileSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.features.worker import Plan

    Matrix = NDArray[np.float32]

Decoder = Callable[[Clip, AudioConfig], "Matrix"]
"""From a clip to its waveform [shape=(n_samples,)], decoded or out of the cache."""


class Waveform(Featurizer):
    """The samples of a clip as a matrix with one row."""

    type: Literal["waveform"] = "waveform"

    def extract(self, y: Matrix, sr: int) -> Matrix:
        """Return the samples [shape=(1, n_samples)]."""
        return y[None, :].copy()


def decoded(clip: Clip, audio: AudioConfig) -> Matrix:
    """Decode a clip."""
    return decode(clip.source, audio).y


@contextmanager
def cached_in(folder: Path | None) -> Iterator[Decoder]:
    """Give a function that decodes a clip no more than once, if there is a cache.

    WAV files on disk are read again: that takes no longer than the digest that finds an entry.
    """
    from audioclf.features.cache import opened_cache
    from audioclf.features.worker import featurize_clip

    with opened_cache(folder) as cache:

        def decoder(clip: Clip, audio: AudioConfig) -> Matrix:
            file = clip.source.file
            if isinstance(file, FileSource) and file.path.suffix.lower() == ".wav":
                return decoded(clip, audio)
            y: Matrix = featurize_clip(clip, audio, (waveform_plan(audio),), cache)[""][0]
            return y

        yield decoded if cache is None else decoder


@lru_cache(maxsize=8)
def waveform_plan(audio: AudioConfig) -> Plan:
    """Return how the waveform is extracted and cached, under the name ""."""
    from audioclf.features.extraction import make_plans

    (plan,) = make_plans(audio, {"": Waveform()}, {"": own_origin()})
    return plan


def own_origin() -> Origins:
    """Return the origin of components of audioclf itself that belong to no plugin."""
    return (Origin("audioclf", __version__, ""),)
