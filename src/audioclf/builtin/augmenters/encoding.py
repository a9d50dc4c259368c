"""Encoding and decoding of a waveform in memory, by libsndfile."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.dsp.changes import fitted
from audioclf.plugin import EnvironmentMissingError, resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

Format = Literal["mp3", "opus", "vorbis"]

_WRITTEN: dict[Format, dict[str, str]] = {
    "mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "vorbis": {"format": "OGG", "subtype": "VORBIS"},
}
_RATES: dict[Format, tuple[int, ...]] = {
    "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
    "vorbis": (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}
_MP3_DELAY = 1105
"""Samples that a decoder adds at the start of an MP3 without a header that gives their number."""


def encoded(y: Waveform, sr: int, kind: Format, kbps: float) -> Waveform:
    """Return a clip after encoding at the nearest possible bit rate, and decoding.

    Encoders know [-1, 1] only, so a louder clip is made quieter before and louder afterwards.
    """
    import soundfile

    rate = min((r for r in _RATES[kind] if r >= sr), default=_RATES[kind][-1])
    peak = max(1.0, float(np.abs(y).max(initial=0.0)) / 0.99)
    sound = resample(y / np.float32(peak), sr, rate)
    file = io.BytesIO()
    try:
        soundfile.write(file, sound, rate, **_WRITTEN[kind], **_options(kind, rate, kbps))
        file.seek(0)
        result = soundfile.read(file, dtype="float32")[0]
    except (soundfile.LibsndfileError, TypeError, ValueError) as exc:
        raise EnvironmentMissingError(
            f"this build of libsndfile ({soundfile.__libsndfile_version__}) cannot encode "
            f"{kind}: {exc}",
            hint=f"Leave {kind} out of `formats`.",
        ) from exc
    if kind == "mp3" and len(result) > len(sound):
        result = result[_MP3_DELAY:]
    return fitted(resample(fitted(result, len(sound)), rate, sr), len(y)) * np.float32(peak)


def _options(kind: Format, rate: int, kbps: float) -> dict[str, Any]:
    """Return the compression level, in [0, 1), by which libsndfile chooses the bit rate."""
    if kind == "mp3":
        low, high = (32, 320) if rate >= 32_000 else (8, 160 if rate >= 16_000 else 64)
    else:
        low, high = (6, 256)
    level = float(np.clip((high - kbps) / (high - low), 0.0, 0.99))
    options: dict[str, Any] = {"compression_level": level}
    return {**options, "bitrate_mode": "CONSTANT"} if kind == "mp3" else options
