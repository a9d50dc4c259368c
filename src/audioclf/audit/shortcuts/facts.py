"""Facts of a clip for the audits: file format, levels, silence, duration.

Facts of the file are read from its header. Facts of the waveform are a featurizer: they are
extracted with the features, from the same decoding and with the same cache.

Levels are in dB relative to full scale (dBFS) and at least `FLOOR_DB`, times in s, frequencies in
Hz. The waveform is that of the run: mixed down, resampled, cut.

After the end of a sound, its level falls by 60 dB in the reverberation time of the room, and that
is the steepest fall in a clip if the sounds themselves end faster (Ratnam et al. 2003, *J. Acoust.
Soc. Am.* 114, 2877-2892). It is measured on the differences of successive samples, which weaken
hum, and only where noise does not end it early: see `RANGE_DB`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from posixpath import splitext
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from audioclf.audit.inputs import Codes, FileFormat, Floats
from audioclf.audit.remembered import Remember, computed
from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Flatten, Pooling
from audioclf.dataset.sources import AudioSource, RemoteSource, ZipSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.audio.reader import AudioInfo
    from audioclf.features.worker import LedgerRow

    Waveform = NDArray[np.float32]

FLOOR_DB = -120.0
"""Lower limit of all levels, and the level of digital silence."""

FULL_SCALE = 0.999
"""Absolute value above which a sample counts as clipped."""

SILENCE_DB = 30.0
"""Distance of silence below the loudest frame."""

BANDWIDTH_DB = 60.0
"""Largest distance of the highest frequency below the strongest."""

RANGE_DB = 25.0
"""Least distance of the 10th percentile of the level from the loudest frame to measure a decay."""

_DECAY_FRAME = 0.012
"""Frames of the decay, in s."""
_SLOPE = np.arange(3.0, -4.0, -1.0) / 28
"""Weights of seven levels, to convolve with them: the slope of their regression line."""
_LOUD_DB = 20.0
"""Largest distance of the start of a decay from the loudest frame."""

_FRAME = 512
_TOGETHER = 1 << 17
_WINDOW = np.hanning(_FRAME).astype(np.float32)
_EDGE = 256
_SPECTRA = 48
"""Frames of a clip, evenly spaced, whose spectra are averaged."""
_FLAT = 1e-6
"""Amplitude below which a change is rounding."""

Kind = Literal["recording", "timing"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One column of the table of facts; the name includes the unit, `words` stand in sentences."""

    name: str
    kind: Kind
    words: str


FACTS: tuple[Fact, ...] = (
    Fact("peak_db", "recording", "peak in dB"),
    Fact("level_db", "recording", "level in dB"),
    Fact("dc_offset", "recording", "offset of the waveform"),
    Fact("clipped", "recording", "share of clipped samples"),
    Fact("noise_floor_db", "recording", "noise floor in dB"),
    Fact("bandwidth_hz", "recording", "bandwidth in Hz"),
    Fact("decay_s", "recording", "reverberation time in s"),
    Fact("zeros", "recording", "share of samples that are 0"),
    Fact("flat", "recording", "share of samples that equal the one before them"),
    Fact("duration_s", "timing", "duration in s"),
    Fact("lead_s", "timing", "time before the sound in s"),
    Fact("tail_s", "timing", "time after the sound in s"),
)
"""The waveform facts in the order of the columns."""

WORDS: dict[str, str] = {fact.name: fact.words for fact in FACTS}
COLUMN: dict[str, int] = {fact.name: column for column, fact in enumerate(FACTS)}


class AuditFacts(Featurizer):
    """The waveform facts of a clip as a matrix with one frame."""

    type: Literal["audit_facts"] = "audit_facts"

    pooling: Pooling = Flatten()
    """One frame is one row."""

    def extract(self, y: Waveform, sr: int) -> Waveform:
        """Return the facts in the order of `FACTS` [shape=(n_facts, 1)], float32, finite."""
        return self.extract_many([y], sr)[0]

    def extract_many(self, ys: Sequence[Waveform], sr: int) -> list[Waveform]:
        """Return the facts of each clip [shape=(n_facts, 1)], float32, finite."""
        tables = [_table(part, sr) for part in _parts(ys)]
        return [row[:, None] for table in tables for row in table]


def _parts(ys: Sequence[Waveform]) -> Iterator[Sequence[Waveform]]:
    """Yield clips that are examined together: so few that they stay in the processor's cache."""
    start = n_samples = 0
    for stop, y in enumerate(ys):
        if n_samples + len(y) > _TOGETHER and stop > start:
            yield ys[start:stop]
            start, n_samples = stop, 0
        n_samples += len(y)
    yield ys[start:]


def _table(ys: Sequence[Waveform], sr: int) -> Waveform:
    """Return the facts of some clips [shape=(n_clips, n_facts)], float32."""
    if not ys:
        return np.empty((0, len(FACTS)), dtype=np.float32)
    n_samples = np.array([len(y) for y in ys])
    ends = np.cumsum(-(-n_samples // _FRAME))
    starts = np.concatenate([[0], ends[:-1]])
    padded = np.zeros(ends[-1] * _FRAME, dtype=np.float32)
    for start, y in zip((starts * _FRAME).tolist(), ys, strict=True):
        padded[start : start + len(y)] = y
    frames = padded.reshape(-1, _FRAME)
    powers = np.einsum("ij,ij->i", frames, frames)
    peak = np.maximum.reduceat(np.abs(frames).max(axis=1), starts)
    energy = np.add.reduceat(powers, starts, dtype=np.float64)
    total = np.add.reduceat(frames.sum(axis=1, dtype=np.float64), starts)
    powers /= _FRAME
    powers[ends - 1] *= _FRAME / (n_samples - (ends - 1 - starts) * _FRAME)
    levels = np.sqrt(powers)
    lead, tail = _silence(levels, starts, ends, n_samples)
    steps = np.diff(padded)
    still = np.abs(steps) < _FLAT
    places = list(zip((starts * _FRAME).tolist(), n_samples.tolist(), strict=True))
    values = {
        "peak_db": _db(peak),
        "level_db": _db(np.sqrt(energy / n_samples)),
        "dc_offset": total / n_samples,
        "clipped": [
            np.count_nonzero(np.abs(y) >= FULL_SCALE) / len(y) if top >= FULL_SCALE else 0.0
            for y, top in zip(ys, peak, strict=True)
        ],
        "noise_floor_db": _db(_tenths(levels, starts, ends)),
        "bandwidth_hz": _bandwidths(frames, starts, ends, sr),
        "decay_s": _decays(steps, starts * _FRAME, n_samples, sr),
        "zeros": [1.0 - np.count_nonzero(y) / len(y) for y in ys],
        "flat": [_share(still[_inside(start, n)]) for start, n in places],
        "duration_s": n_samples / sr,
        "lead_s": lead / sr,
        "tail_s": tail / sr,
    }
    return np.array([values[fact.name] for fact in FACTS], dtype=np.float32).T


def _db(amplitudes: NDArray[np.floating[Any]]) -> Floats:
    """Return amplitudes in dB of full scale, or the floor."""
    decibels: Floats = 20.0 * np.log10(np.maximum(amplitudes.astype(np.float64), 1e-12))
    return np.maximum(decibels, FLOOR_DB)


def _share(mask: NDArray[np.bool_]) -> float:
    return np.count_nonzero(mask) / len(mask) if len(mask) else 0.0


def _inside(start: int, n_samples: int) -> slice:
    """Return the steps within a clip, without its edges, where resampling adds ringing."""
    edge = _EDGE if n_samples >= 8 * _EDGE else 0
    return slice(start + edge, start + n_samples - edge - 1)


def _tenths(levels: Waveform, starts: Codes, ends: Codes) -> Waveform:
    """Return the 10th percentile of the levels of each clip, as `np.quantile` does."""
    of_clip = np.repeat(np.arange(len(starts)), ends - starts)
    ordered = levels[np.lexsort((levels, of_clip))]
    place = 0.1 * (ends - starts - 1)
    low = place.astype(np.intp)
    below = ordered[starts + low]
    above = ordered[np.minimum(starts + low + 1, ends - 1)]
    tenths: Waveform = below + (above - below) * (place - low).astype(np.float32)
    return tenths


def _silence(levels: Waveform, starts: Codes, ends: Codes, n_samples: Codes) -> tuple[Codes, Codes]:
    """Return the samples before and after the frames that are near the loudest, of each clip."""
    loudest = np.repeat(np.maximum.reduceat(levels, starts), ends - starts)
    loud = np.flatnonzero(levels >= loudest * 10.0 ** (-SILENCE_DB / 20.0))
    first = loud[np.searchsorted(loud, starts)] - starts
    last = loud[np.searchsorted(loud, ends) - 1] - starts
    return first * _FRAME, np.maximum(0, n_samples - (last + 1) * _FRAME)


def _bandwidths(frames: Waveform, starts: Codes, ends: Codes, sr: int) -> Waveform:
    """Return the highest frequency of each clip with energy; 0 for silence.

    The last of several frames is left out, since the edge of its padding has all frequencies.
    """
    from scipy import fft

    counts = np.maximum(1, ends - starts - 1)
    spaced = [_spaced(count) for count in counts.tolist()]
    chosen = frames[np.concatenate(spaced) + np.repeat(starts, [len(each) for each in spaced])]
    chosen -= chosen.mean(axis=1, keepdims=True)  # a constant offset is no sound
    chosen *= _WINDOW
    spectra = fft.rfft(chosen, overwrite_x=True)
    power = np.square(spectra.real)
    power += np.square(spectra.imag)
    n_chosen = np.minimum(counts, _SPECTRA)
    power = np.add.reduceat(power, np.cumsum(n_chosen) - n_chosen, axis=0)
    greatest = power.max(axis=1, keepdims=True)
    strong = power >= greatest * 10.0 ** (-BANDWIDTH_DB / 10.0)
    highest = power.shape[1] - 1 - strong[:, ::-1].argmax(axis=1)
    hertz: Waveform = np.minimum(sr / 2.0, (highest + 0.5) * sr / _FRAME)
    hertz[greatest[:, 0] < n_chosen * (_FRAME / 4 * _FLAT) ** 2] = 0.0
    return hertz


def _decays(steps: Waveform, starts: Codes, n_samples: Codes, sr: int) -> Floats:
    """Return the time for 60 dB at the steepest fall of the level over 84 ms; 0 if not measurable.

    It is so if the clip has fewer than 14 frames, no fall, or levels within `RANGE_DB`. `steps` are
    the differences of neighboring samples, `starts` the samples where the clips begin.
    """
    decays = np.zeros(len(starts))
    size = max(1, round(_DECAY_FRAME * sr))
    counts = (n_samples - 1) // size
    long = np.flatnonzero(counts >= 2 * len(_SLOPE))
    if not len(long):
        return decays
    counts = counts[long]
    ends = np.cumsum(counts)
    begins = ends - counts
    powers = np.empty(ends[-1], dtype=np.float32)
    for start, begin, end in np.stack([starts[long], begins, ends], axis=1).tolist():
        frames = steps[start : start + (end - begin) * size].reshape(-1, size)
        np.einsum("ij,ij->i", frames, frames, out=powers[begin:end])
    quiet = np.float32(size * np.float32(_FLAT**2))
    levels: Waveform = np.float32(10.0) * np.log10(np.maximum(powers, quiet))
    loudest = np.maximum.reduceat(levels, begins)
    slopes = np.zeros(len(levels))
    slopes[: 1 - len(_SLOPE)] = np.convolve(levels, _SLOPE, "valid")
    slopes[levels <= np.repeat(loudest, counts) - _LOUD_DB] = 0.0
    for place in range(1, len(_SLOPE)):
        slopes[ends - place] = 0.0
    falls = np.maximum(0.0, -np.minimum.reduceat(slopes, begins))
    measured = (loudest - _tenths(levels, begins, ends) >= RANGE_DB) & (falls > 0.0)
    decays[long[measured]] = 60.0 * size / sr / falls[measured]
    return decays


@lru_cache(maxsize=256)
def _spaced(n_frames: int) -> Codes:
    return np.linspace(0, n_frames - 1, min(n_frames, _SPECTRA)).astype(np.intp)


FORMAT_FACTS = ("container", "subtype", "sr", "channels", "suffix", "chunks")


def read_formats(
    ledger: Iterable[LedgerRow], remember: Remember = computed
) -> dict[str, FileFormat]:
    """Return the format of each clip that could be read; files behind a URL are not read again."""
    clips, names, infos, files, parts = [], [], [], [], []
    for row in ledger:
        if row.status == "ok" and row.info is not None:
            file: AudioSource = getattr(row.clip.source, "recording", row.clip.source)
            clips.append(row.clip.id)
            names.append(file.name)
            infos.append(row.info)
            files.append(file)
            parts.append(f"{row.digest} {_is_near(file)}")

    def read() -> list[str]:
        distinct = dict(zip(names, files, strict=True))
        chunks = {name: _chunks_of(file) for name, file in distinct.items()}
        return [chunks[name] for name in names]  # without names: files may be moved

    formats = map(_format, infos, names, remember("chunks", parts, read))
    return dict(zip(clips, formats, strict=True))


def _format(info: AudioInfo, name: str, chunks: str) -> FileFormat:
    suffix = splitext(name)[1]
    return FileFormat(info.container, info.subtype, info.sr, info.channels, suffix, chunks)


def _is_near(file: AudioSource) -> bool:
    in_remote_zip = isinstance(file, ZipSource) and isinstance(file.member.archive, str)
    return not (in_remote_zip or isinstance(file, RemoteSource))


def _chunks_of(file: AudioSource) -> str:
    if not _is_near(file):
        return ""
    with file.open() as stream:
        return " ".join(chunk_ids(stream))


_MAX_CHUNKS = 64


def chunk_ids(stream: BinaryIO) -> tuple[str, ...]:
    r"""Return the ids of the chunks of a RIFF, RIFX, RF64 or FORM file, in order.

    There are at most 64, without padding, each printable. Files of other formats have no chunks.

    >>> import io
    >>> chunk_ids(io.BytesIO(b"RIFF----WAVEfmt \x02\0\0\0--data\0\0\0\0"))
    ('fmt', 'data')
    """
    stream.seek(0)
    head = stream.read(12)
    if head[:4] not in {b"RIFF", b"RIFX", b"RF64", b"FORM"}:
        return ()
    size_format = ">I" if head[:4] in {b"RIFX", b"FORM"} else "<I"
    ids: list[str] = []
    position = 12
    while len(ids) < _MAX_CHUNKS:
        stream.seek(position)
        chunk = stream.read(8)
        if len(chunk) < 8 or not all(32 <= byte < 127 for byte in chunk[:4]):
            break
        ids.append(chunk[:4].decode("ascii").strip())
        (size,) = struct.unpack(size_format, chunk[4:])
        position += 8 + size + size % 2
    return tuple(ids)
