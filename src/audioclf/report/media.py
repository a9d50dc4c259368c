"""Sound and spectrograms of clips, small enough to be embedded in a page.

Sound is mono at `SAMPLE_RATE` at most, as Ogg Vorbis, MP3 or WAV, the first that libsndfile can
write. Pictures are mel spectrograms of at most some 200 x 64 points as WebP, else PNG. Both are
data URIs, and count towards a budget of bytes.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import AudioclfError
from audioclf.report.clips import MAX_SECONDS, ClipSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Levels = NDArray[np.uint8]

MEDIA_MB = 3.5
"""MB of sound and pictures of clips, so that the page has less than 5 MB."""
SAMPLE_RATE = 22_050
MAX_EMBEDDED = 400
"""Clips with sound at most, whatever the budget: each takes some 15 ms of CPU."""

_TOP_DB = 70.0
_COLUMNS = 192
_MANY_MISSING = 20
_PLAIN_BYTES = 8_000
"""Sound of fewer bytes stays WAV: the header of Vorbis alone takes 4 kB."""

_CODECS = (("OGG", "VORBIS", "audio/ogg"), ("MP3", "MPEG_LAYER_III", "audio/mpeg"))


_MAGMA = (
    "00000309071f1a10413010654a107961187f792281912a80a9327cc23a75"
    "d9466aec585ff7715bfc8e63feaa74fec689fde1a3fbfcbf"
)
"""Every 15th of the 256 colours of magma: to import matplotlib for them takes longer than most
pages."""


@dataclass(frozen=True)
class Thumbnail:
    """A spectrogram of a clip.

    `levels` [shape=(n_mels, n_frames)]: 0 is 70 dB below the loudest point of the clip or less, 255
    is the loudest; low frequencies first. `fmax` is the highest frequency in Hz.
    """

    levels: Levels
    seconds: float
    fmax: float


Media = tuple[str, str]
"""Picture and sound of a clip as data URIs."""


def media_data(clip_ids: Iterable[str], media: Mapping[str, Media]) -> dict[str, Media]:
    """Return the media for the script of a page, by the position of the clip."""
    return {str(at): media[name] for at, name in enumerate(clip_ids) if name in media}


@dataclass
class MediaMaker:
    """Maker of media from clips; its thumbnails also serve the pictures of the classes.

    `problems` holds a message for each clip that could not be decoded, `made` the media by clip.
    """

    clips: ClipSource
    thumbnails: dict[str, Thumbnail] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    made: dict[str, Media] = field(default_factory=dict)

    def take(self, other: MediaMaker) -> None:
        """Take over what another maker has made of clips of the same source."""
        self.thumbnails |= other.thumbnails
        self.problems = other.problems | self.problems
        self.made |= other.made

    def thumbnail(self, clip_id: str) -> Thumbnail | None:
        """Return the spectrogram of a clip; None, with an entry in `problems`, if it fails."""
        if clip_id not in self.thumbnails and clip_id not in self.problems:
            self._decoded(clip_id)
        return self.thumbnails.get(clip_id)

    def media(self, clip_ids: Iterable[str], budget_mb: float | None) -> dict[str, Media]:
        """Return the media of the first of these clips that fit the budget, or `MEDIA_MB`."""
        budget = int(1e6 * (MEDIA_MB if budget_mb is None else budget_mb))
        media: dict[str, Media] = {}
        missing = 0
        for clip_id in clip_ids:
            item = self._made(clip_id)
            if item is None:
                missing += 1
                if not media and missing == _MANY_MISSING:
                    break
                continue
            budget -= sum(map(len, item))
            if budget < 0 or len(media) == MAX_EMBEDDED:
                break
            media[clip_id] = item
        return media

    def _made(self, clip_id: str) -> Media | None:
        if clip_id not in self.made and clip_id not in self.problems:
            waveform = self._decoded(clip_id)
            if waveform is not None:
                picture = picture_of(self.thumbnails[clip_id].levels)
                self.made[clip_id] = picture, sound_of(*waveform)
        return self.made.get(clip_id)

    def _decoded(self, clip_id: str) -> tuple[NDArray[np.float32], int] | None:
        try:
            y, sr = self.clips.waveform(clip_id)
            y = y[: math.ceil(MAX_SECONDS * sr)]
            self.thumbnails[clip_id] = thumbnail_of(y, sr)
        except AudioclfError as exc:
            self.problems[clip_id] = exc.message
            return None
        return y, sr


def thumbnail_of(y: NDArray[np.float32], sr: int) -> Thumbnail:
    """Compute the spectrogram of a waveform."""
    from audioclf.builtin.featurizers.mel import MelSpectrogram

    n_fft = 2 ** max(5, round(math.log2(0.04 * sr)))
    hop = max(n_fft // 8, math.ceil(len(y) / _COLUMNS))
    mel = MelSpectrogram(n_fft=n_fft, hop_length=hop, n_mels=min(64, n_fft // 8))
    decibels = mel.extract(y, sr)
    top = decibels.max()
    levels: Levels = np.clip(255 * (1 + (decibels - top) / _TOP_DB), 0, 255).astype(np.uint8)
    if decibels.min() == top:
        levels = np.zeros_like(levels)
    return Thumbnail(levels, len(y) / sr, sr / 2)


def mean_thumbnail(thumbnails: Sequence[Thumbnail], seconds: float) -> Levels:
    """Return the mean of spectrograms over time from their start.

    The picture has a length of `seconds`; shorter clips are padded with silence.
    """
    n_mels = min(len(thumbnail.levels) for thumbnail in thumbnails)
    total = np.zeros((n_mels, _COLUMNS))
    for thumbnail in thumbnails:
        n_frames = thumbnail.levels.shape[1]
        position = np.arange(_COLUMNS) * seconds / _COLUMNS / thumbnail.seconds
        frame = (position * n_frames).astype(int)
        columns = np.flatnonzero(frame < n_frames)
        total[:, columns] += thumbnail.levels[:n_mels, frame[columns]]
    return (total / len(thumbnails)).astype(np.uint8)


def picture_of(levels: Levels) -> str:
    """Return a picture of levels [shape=(n_bins, n_frames)] as a data URI, low bins below."""
    from PIL import Image, features

    image = Image.fromarray(_magma()[levels[::-1]])
    if features.check("webp"):
        return data_uri(_saved(image, "WEBP", quality=55, method=1), "image/webp")
    return data_uri(_saved(image.quantize(32), "PNG", optimize=True), "image/png")


def mask_of(shares: NDArray[np.float64], colour: tuple[int, int, int]) -> str:
    """Return shares in [0, 1] [shape=(n_rows, n_columns)] as the opacity of one colour.

    The picture suits a light and a dark page.
    """
    from PIL import Image

    pixels = np.zeros((*shares.shape, 4), dtype=np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = np.round(255 * np.clip(shares, 0, 1))
    return data_uri(_saved(Image.fromarray(pixels), "PNG", optimize=True), "image/png")


def sound_of(y: NDArray[np.float32], sr: int) -> str:
    """Return a waveform as a data URI that a browser plays."""
    import soundfile

    if sr > SAMPLE_RATE:
        import soxr

        y, sr = soxr.resample(y, sr, SAMPLE_RATE, "soxr_hq"), SAMPLE_RATE
    y = np.clip(y, -1.0, 1.0)
    for container, subtype, mime in _CODECS if 2 * len(y) > _PLAIN_BYTES else ():
        # libsndfile may lack a codec, and Vorbis and MP3 do not take every sample rate.
        with suppress(soundfile.LibsndfileError, ValueError):
            return data_uri(_encoded(y, sr, container, subtype), mime)
    return data_uri(_encoded(y, sr, "WAV", "PCM_16"), "audio/wav")


def _encoded(y: NDArray[np.float32], sr: int, container: str, subtype: str) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, y, sr, format=container, subtype=subtype)
    return buffer.getvalue()


@cache
def _magma() -> NDArray[np.uint8]:
    steps = np.frombuffer(bytes.fromhex(_MAGMA), np.uint8).reshape(-1, 3).T
    at = np.linspace(0, 255, steps.shape[1])
    return np.stack([np.interp(range(256), at, step) for step in steps], 1).round().astype(np.uint8)


def _saved(image: Any, container: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, container, **options)
    return buffer.getvalue()


def data_uri(content: bytes, mime: str) -> str:
    """Return a file that a page embeds."""
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
