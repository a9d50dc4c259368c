"""Noise at a given signal-to-noise ratio: recordings, or white, pink and brown noise."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import field_validator
from typing_extensions import override

from audioclf.builtin.augmenters.ranges import Range, drawn
from audioclf.plugin import (
    AudioSource,
    Augmenter,
    ConfigError,
    FileSource,
    InputPath,
    decode,
    inspect,
    is_audio,
    list_files,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

_SHORT = 10.0
"""Seconds up to which a recording is kept in memory."""
_LEAST = 0.1
"""Seconds that are decoded at least; a file may have a lower sample rate than the clip."""
_ATTEMPTS = 8


class Recordings(Augmenter):
    """Base of augmenters that use recordings in a folder."""

    @cached_property
    def _recordings(self) -> tuple[AudioSource, ...]:
        path: Path | str | None = getattr(self, "path", None)
        if path is None:
            return ()
        path = Path(path)
        if path.is_file() and is_audio(path.name):
            return (FileSource(path),)
        entries = sorted(list_files(path).entries, key=lambda entry: entry[0])
        sounds = tuple(source for name, source in entries if is_audio(name))
        if not sounds:
            raise ConfigError(f"{path}: no audio files to mix into clips")
        return sounds

    @field_validator("path", check_fields=False)
    @classmethod
    def _is_local(cls, path: Path | str | None) -> Path | None:
        if isinstance(path, str):
            raise ValueError("expected a folder, a zip archive or an audio file, not a URL")
        return path

    @override
    def sounds(self) -> Sequence[AudioSource]:
        return self._recordings


class Background(Recordings):
    """Recordings of noise in the background, at random signal-to-noise ratios.

    File and part are random; a recording that is shorter than the clip is repeated. A run refuses
    recordings that are clips of its dataset as well. A silent clip stays silent.
    """

    type: Literal["background"] = "background"

    path: InputPath
    """A folder or zip archive of recordings, or one audio file; relative to the config."""

    snr: Range = (0.0, 20.0)
    """Range of the ratio of the mean power of the clip to that of the noise, in dB."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        import numpy as np

        from audioclf.dsp.changes import mixed

        snr = drawn(rng, self.snr)
        for _ in range(_ATTEMPTS):
            source = self._recordings[int(rng.integers(len(self._recordings)))]
            noise = _part(source, len(y), sr, rng)
            if np.any(noise):
                return mixed(y, noise, snr)
        return y


class Noise(Augmenter):
    """White, pink or brown noise in the background, at random signal-to-noise ratios."""

    type: Literal["noise"] = "noise"

    color: Literal["white", "pink", "brown"] = "white"
    """Power by frequency: equal, falling by 3 dB, or by 6 dB per octave above 20 Hz."""

    snr: Range = (0.0, 20.0)
    """Range of the ratio of the mean power of the clip to that of the noise, in dB."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        from audioclf.dsp.changes import colored_noise, mixed

        snr = drawn(rng, self.snr)
        return mixed(y, colored_noise(len(y), sr, self.color, rng), snr)


def _part(source: AudioSource, n_samples: int, sr: int, rng: np.random.Generator) -> Waveform:
    """Return a random part of a recording, which is repeated if it is shorter."""
    import numpy as np

    seconds = _seconds(source, source.stamp())
    needed = n_samples / sr
    if seconds <= max(_SHORT, needed):
        noise = whole(source, sr, source.stamp())
        return np.resize(np.roll(noise, -int(rng.integers(len(noise)))), n_samples)
    offset = float(rng.uniform(0.0, seconds - needed))
    noise = decode(source, sr=sr, offset=offset, duration=max(needed, _LEAST))
    return np.resize(noise, n_samples)


@lru_cache(maxsize=1024)
def _seconds(source: AudioSource, stamp: object) -> float:
    return inspect(source).seconds


@lru_cache(maxsize=32)
def whole(source: AudioSource, sr: int, stamp: object) -> Waveform:
    """Return a whole recording; `stamp` is that of the source, so that a changed file is read."""
    return decode(source, sr=sr)
