"""Decoding of one clip to its waveform: read, cut, mix down, resample.

The samples are those of `librosa.load(path, sr=sr, mono=True, offset=offset, duration=duration)`,
bit for bit; problems that librosa and libsndfile ignore are errors. A part of a recording begins
with frame `round(start * sr)` of the file and ends before `round(end * sr)`, so parts that meet in
time share no frame. Offset and duration count from its start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audio.reader import AudioInfo, open_reader
from audioclf.base.errors import DecodeError
from audioclf.base.limits import Limits, limits_in_force, raised_by
from audioclf.dsp.resampling import resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.audio.settings import AudioConfig
    from audioclf.dataset.sources import AudioSource, Span

_COUNTED = frozenset({"WAV", "RF64", "W64", "FLAC", "AIFF"})
"""Containers with an exact number of frames in their header."""
_UNKNOWN_FRAMES = 1 << 62
"""From here on, libsndfile's number of frames means that the header has none."""
CANCELLED = "channels are opposite and cancel each other when they are averaged"
"""Words of the warning about channels whose average loses their sound."""
_CANCELLED = 0.4
"""Share of the peak of one channel alone below which an average is cancelled."""
_AUDIBLE = 1e-3
"""Peak of the channels below which there is nothing to cancel."""
_SLACK = 1e-3
"""Seconds by which a part may end after its file, for times that were rounded to 1 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One clip: mono waveform `y` [shape=(n_samples,), float32], finite, not empty, at `sr` Hz."""

    y: NDArray[np.float32]
    sr: int
    info: AudioInfo

    @property
    def seconds(self) -> float:
        """Length of `y` in s."""
        return len(self.y) / self.sr


def inspect(source: AudioSource, limits: Limits | None = None) -> AudioInfo:
    """Return the info of a file's header, without decoding a sample.

    For a part of a file, `frames` are those of the part. A file that cannot be read, is no audio,
    is truncated or has an impossible header is a DecodeError, and so is a part outside the file.
    """
    with open_reader(source.file, limits or limits_in_force()) as reader:
        return locate_part(reader.info, source.span, source.name)[1]


def decode(source: AudioSource, audio: AudioConfig, limits: Limits | None = None) -> Decoded:
    """Decode one clip to mono at the config's sample rate.

    Only the frames that the config asks for are read and checked, after the header. DecodeError as
    in `inspect`, and if these frames are none, too many, truncated, not finite, or not normalised.
    The limits in force hold by default.
    """
    limits = limits or limits_in_force()
    with open_reader(source.file, limits) as reader:
        first, info = locate_part(reader.info, source.span, source.name)
        start, count = _window(info, audio, source.name, limits)
        frames = reader.read(first + start, count)
    info = checked_length(info, len(frames), count, source.name)
    mono = Mono(source.name, source.channel or audio.channel, limits)
    y = mono.of(frames)
    if warnings := mono.warnings():
        info = replace(info, warnings=(*info.warnings, *warnings))
    return Decoded(resample(y, info.sr, audio.sr), audio.sr, info)


def locate_part(info: AudioInfo, span: Span | None, name: str) -> tuple[int, AudioInfo]:
    """Return the first frame of a part, and the info with the part's number of frames.

    A part that lies outside the file, or is too short for one frame, is a DecodeError.
    """
    if span is None:
        return 0, info
    check_frames_known(info, name)
    end = info.seconds if span.end is None else span.end
    if span.start >= info.seconds or end > info.seconds + _SLACK:
        to = "" if span.end is None else f" to {span.end} s"
        raise DecodeError(
            f"{name}: the part from {span.start} s{to} lies outside the file, which ends at "
            f"{round(info.seconds, 6)} s",
            hint="Correct the times of this clip, or leave it out.",
        )
    first, stop = round(span.start * info.sr), min(round(end * info.sr), info.frames)
    if first >= stop:
        raise DecodeError(f"{name}: no audio samples in this part at {info.sr} Hz")
    return first, replace(info, frames=stop - first)


def check_frames_known(info: AudioInfo, name: str) -> None:
    """Refuse a file without samples, or whose header does not give their number (DecodeError)."""
    if info.frames <= 0:
        raise DecodeError(f"{name}: no audio samples")
    if info.frames >= _UNKNOWN_FRAMES:
        raise DecodeError(
            f"{name}: its {info.container} header lacks the number of samples",
            hint="Convert it again, to a file instead of a pipe.",
        )


def _window(info: AudioInfo, audio: AudioConfig, name: str, limits: Limits) -> tuple[int, int]:
    """Return the first frame and the number of frames, rounded as librosa rounds them."""
    check_frames_known(info, name)
    start = int(audio.offset * info.sr)
    if start >= info.frames:
        raise DecodeError(
            f"{name}: the offset of {audio.offset:g} s lies beyond the end ({info.seconds:g} s)",
            hint="Lower audio.offset, or leave this clip out.",
        )
    count = info.frames - start
    if audio.duration is not None:
        count = min(count, int(audio.duration * info.sr))
    if count < 1:
        asked = f"{audio.duration:g} s at {info.sr} Hz"
        raise DecodeError(f"{name}: no audio samples in a duration of {asked}")
    hint = "Set audio.duration to read a part of it."
    seconds = count / info.sr
    if seconds > limits.max_seconds:
        more = raised_by("max_seconds")
        raise DecodeError(
            f"{name}: {seconds:.6g} s of audio (limit {limits.max_seconds:g} s){more}", hint=hint
        )
    samples = max(count * info.channels, math.ceil(seconds * audio.sr))
    if samples > limits.max_samples:
        more = raised_by("max_samples")
        raise DecodeError(
            f"{name}: {samples} samples (limit {limits.max_samples}){more}", hint=hint
        )
    return start, count


def checked_length(info: AudioInfo, got: int, count: int, name: str) -> AudioInfo:
    """Return the info, with a warning if fewer frames were read (`got`) than promised (`count`).

    It is a DecodeError if there are none at all, or if the container gives an exact number.
    """
    if got == count:
        return info
    mismatch = f"header says {count} frames of audio, file holds {got}"
    if info.container in _COUNTED or not got:
        raise DecodeError(f"{name}: truncated: {mismatch}")
    return replace(info, warnings=(*info.warnings, mismatch))


def _check_samples(frames: NDArray[np.float32], name: str, limits: Limits) -> None:
    """Refuse frames with NaN, inf or values far beyond full scale (DecodeError)."""
    with np.errstate(invalid="ignore"):
        low, high = float(frames.min()), float(frames.max())
    # NaN compares as false.
    if low >= -limits.max_amplitude and high <= limits.max_amplitude:
        return
    bad = frames.size - int(np.isfinite(frames).sum())
    if bad:
        raise DecodeError(f"{name}: {bad} NaN/inf samples of {frames.size}")
    raise DecodeError(
        f"{name}: not normalised audio: samples up to {max(-low, high):g} "
        f"(full scale is 1, limit {limits.max_amplitude:g}){raised_by('max_amplitude')}"
    )


def _to_mono(frames: NDArray[np.float32], channel: str | int, name: str) -> NDArray[np.float32]:
    """Return the average of the channels or one of them, as `AudioConfig.channel` (DecodeError)."""
    if channel == "mix" or (channel == "each" and frames.shape[1] == 1):
        return _mixed_down(frames)
    if channel == "each":
        raise DecodeError(
            f"{name}: has {frames.shape[1]} channels, and with `audio.channel: each` a clip is one "
            "of them",
            hint="Give one channel, such as y[0] of a waveform; `audioclf predict` writes a line "
            "for each channel of a file.",
        )
    number = {"left": 1, "right": 2}.get(str(channel)) or int(channel)
    if number > frames.shape[1]:
        raise DecodeError(
            f"{name}: no channel {number}, since it has {frames.shape[1]}",
            hint="Set audio.channel: mix, or leave this clip out.",
        )
    return np.ascontiguousarray(frames[:, number - 1])


def _mixed_down(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the average of the channels [shape=(n_frames,)], as `librosa.to_mono` does."""
    channels = frames.shape[1]
    if channels == 1:
        return frames[:, 0]
    if channels > 2:
        mean: NDArray[np.float32] = np.mean(frames.T, axis=(0,))
        return mean
    # Same bits as np.mean, 20 times as fast; np.mean begins at 0.0, so that -0.0 becomes 0.0.
    y = frames[:, 0] + frames[:, 1]
    y += np.float32(0.0)
    y /= np.float32(2.0)
    return y


class Mono:
    """The sound of a recording in mono; `channel` is as in `AudioConfig`.

    The peaks of the channels and of their average show whether opposite channels cancel each other.
    """

    def __init__(self, name: str, channel: str | int, limits: Limits) -> None:
        self.name, self._channel, self._limits = name, channel, limits
        self._peak = self._mono_peak = 0.0
        self._channels = 1

    def of(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return some frames [shape=(n_frames, channels)] in mono (DecodeError)."""
        _check_samples(frames, self.name, self._limits)
        y = _to_mono(frames, self._channel, self.name)
        if self._channel == "mix" and frames.shape[1] > 1:
            self._channels = frames.shape[1]
            self._peak = max(self._peak, float(np.abs(frames).max()))
            self._mono_peak = max(self._mono_peak, float(np.abs(y).max()))
        return y

    def warnings(self) -> tuple[str, ...]:
        """Return a warning if the average is far below what one channel alone would leave."""
        limit = _CANCELLED * self._peak / self._channels
        if self._peak < _AUDIBLE or self._mono_peak >= limit:
            return ()
        return (f"{self._channels} {CANCELLED}",)
