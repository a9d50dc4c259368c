"""Facts of a clip for the audits: file format, levels, silence, duration.

Facts of the file are those of its header. Facts of the waveform are a featurizer: they are
extracted with the features, from the same decoding and with the same cache.

Levels are in dB relative to full scale (dBFS) and at least `FLOOR_DB`, times in s, frequencies in
Hz. The waveform is that of the run: mixed down, resampled, cut.

After the end of a sound, its level falls by 60 dB in the reverberation time of the room, and that
is the steepest fall in a clip if the sounds themselves end faster (Ratnam et al. 2003, *J. Acoust.
Soc. Am.* 114, 2877-2892). It is measured on the differences of successive samples, which weaken
hum, and only where noise does not end it early: see `RANGE_DB`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from posixpath import splitext
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from audioclf.audit.inputs import Codes, FileFormat, Floats
from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Flatten, Pooling
from audioclf.dataset.sources import recording_of
from audioclf.dsp.blocks import in_rows, row_sums, table_of

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
        return list(table_of(ys, len(FACTS), partial(_table, sr=sr))[:, :, None])


def _table(ys: Sequence[Waveform], sr: int) -> Waveform:
    """Return the facts of some clips [shape=(n_clips, n_facts)], float32."""
    n_samples = np.array([len(y) for y in ys])
    counts = -(-n_samples // _FRAME)
    ends = np.cumsum(counts)
    starts = ends - counts
    begins = starts * _FRAME
    frames = in_rows(ys, _FRAME)
    samples = frames.reshape(-1)
    powers = np.einsum("ij,ij->i", frames, frames)
    sums = frames.sum(axis=1, dtype=np.float64)
    energy = np.add.reduceat(powers, starts, dtype=np.float64)
    powers /= _FRAME
    powers[ends - 1] *= _FRAME / (n_samples - (counts - 1) * _FRAME)
    levels = np.sqrt(powers)
    lead, tail = _silence(levels, starts, ends, n_samples)
    is_sound = samples != 0.0
    work = np.abs(samples)
    peak = np.maximum.reduceat(work, begins)
    steps = np.subtract(samples[1:], samples[:-1], out=work[1:])
    decays = _decays(steps, begins, n_samples, sr)
    still = np.abs(steps, out=steps) < _FLAT
    edges = np.where(n_samples >= 8 * _EDGE, _EDGE, 0)  # where resampling adds ringing
    n_inside = n_samples - 1 - 2 * edges
    values = {
        "peak_db": _db(peak),
        "level_db": _db(np.sqrt(energy / n_samples)),
        "dc_offset": np.add.reduceat(sums, starts) / n_samples,
        "clipped": [
            np.count_nonzero(np.abs(y) >= FULL_SCALE) / len(y) if is_high else 0.0
            for y, is_high in zip(ys, (peak >= FULL_SCALE).tolist(), strict=True)
        ],
        "noise_floor_db": _db(_tenths(levels, starts, ends)),
        "bandwidth_hz": _bandwidths(frames, sums, starts, counts, sr),
        "decay_s": decays,
        "zeros": 1.0 - _counts(is_sound, begins, n_samples) / n_samples,
        "flat": _counts(still, begins + edges, n_inside) / np.maximum(n_inside, 1),
        "duration_s": n_samples / sr,
        "lead_s": lead / sr,
        "tail_s": tail / sr,
    }
    return np.array([values[fact.name] for fact in FACTS], dtype=np.float32).T


def _db(amplitudes: NDArray[np.floating[Any]]) -> Floats:
    """Return amplitudes in dB of full scale, or the floor."""
    decibels: Floats = 20.0 * np.log10(np.maximum(amplitudes.astype(np.float64), 1e-12))
    return np.maximum(decibels, FLOOR_DB)


def _counts(mask: NDArray[np.bool_], starts: Codes, sizes: Codes) -> Codes:
    """Return how many are true from each start on."""
    places = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
    return np.array([np.count_nonzero(mask[start:stop]) for start, stop in places])


def _tenths(values: Waveform, starts: Codes, ends: Codes) -> Waveform:
    """Return the 10th percentile of the values of each clip, as `np.quantile` does."""
    below, above, share = _around_tenth(values, starts, ends)
    tenths: Waveform = below + (above - below) * share
    return tenths


def _around_tenth(
    values: Waveform, starts: Codes, ends: Codes
) -> tuple[Waveform, Waveform, Waveform]:
    """Return the values of each clip below and above its 10th percentile, and the place between.

    Values of at least 0 are ordered as their bits are: those of all clips are sorted at once.
    """
    counts = ends - starts
    keys = np.repeat(np.arange(len(starts), dtype=np.uint64) << np.uint64(32), counts)
    keys |= values.view(np.uint32)
    keys.sort()
    ordered = keys.astype(np.uint32).view(np.float32)
    place = 0.1 * (counts - 1)
    low = place.astype(np.intp)
    above = ordered[np.minimum(starts + low + 1, ends - 1)]
    return ordered[starts + low], above, (place - low).astype(np.float32)


def _silence(levels: Waveform, starts: Codes, ends: Codes, n_samples: Codes) -> tuple[Codes, Codes]:
    """Return the samples before and after the frames that are near the loudest, of each clip."""
    loudest = np.repeat(np.maximum.reduceat(levels, starts), ends - starts)
    loud = np.flatnonzero(levels >= loudest * 10.0 ** (-SILENCE_DB / 20.0))
    first = loud[np.searchsorted(loud, starts)] - starts
    last = loud[np.searchsorted(loud, ends) - 1] - starts
    return first * _FRAME, np.maximum(0, n_samples - (last + 1) * _FRAME)


def _bandwidths(frames: Waveform, sums: Floats, starts: Codes, counts: Codes, sr: int) -> Waveform:
    """Return the highest frequency of each clip with energy; 0 for silence.

    The last of several frames is left out, since the edge of its padding has all frequencies.
    `sums` are those of the frames.
    """
    from scipy import fft

    chosen, n_chosen = _spaced(np.maximum(1, counts - 1))
    chosen += np.repeat(starts, n_chosen)
    means = (sums[chosen] / _FRAME).astype(np.float32)[:, None]
    block = frames[chosen]
    block -= means  # a constant offset is no sound
    block *= _WINDOW
    spectra = fft.rfft(block, overwrite_x=True)
    power = np.square(spectra.real)
    power += np.square(spectra.imag)
    power = row_sums(power, n_chosen)
    greatest = power.max(axis=1, keepdims=True)
    strong = power >= greatest * 10.0 ** (-BANDWIDTH_DB / 10.0)
    highest = power.shape[1] - 1 - strong[:, ::-1].argmax(axis=1)
    hertz: Waveform = np.minimum(sr / 2.0, (highest + 0.5) * sr / _FRAME)
    hertz[greatest[:, 0] < n_chosen * (_FRAME / 4 * _FLAT) ** 2] = 0.0
    return hertz


def _spaced(counts: Codes) -> tuple[Codes, Codes]:
    """Return positions in each clip of so many frames, evenly spaced, and their numbers."""
    numbers = np.minimum(counts, _SPECTRA)
    ends = np.cumsum(numbers)
    ranks = np.arange(ends[-1]) - np.repeat(ends - numbers, numbers)
    steps = (counts - 1) / np.maximum(numbers - 1, 1)
    places = (ranks * np.repeat(steps, numbers)).astype(np.intp)
    places[ends - 1] = counts - 1  # not one less by rounding
    return places, numbers


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
    places = np.arange(ends[-1]) * size + np.repeat(starts[long] - begins * size, counts)
    frames = sliding_window_view(steps, size)[places]
    powers = np.einsum("ij,ij->i", frames, frames)
    np.maximum(powers, np.float32(size * np.float32(_FLAT**2)), out=powers)
    levels = _power_db(powers)
    below, above, share = _around_tenth(powers, begins, ends)
    below, above = _power_db(below), _power_db(above)
    loudest = np.maximum.reduceat(levels, begins)
    slopes = np.zeros(len(levels))
    slopes[: 1 - len(_SLOPE)] = np.convolve(levels, _SLOPE, "valid")
    slopes[levels <= np.repeat(loudest, counts) - _LOUD_DB] = 0.0
    slopes[ends[:, None] - np.arange(1, len(_SLOPE))] = 0.0
    falls = np.maximum(0.0, -np.minimum.reduceat(slopes, begins))
    in_range = loudest - (below + (above - below) * share) >= RANGE_DB
    measured = in_range & (falls > 0.0)
    decays[long[measured]] = 60.0 * size / sr / falls[measured]
    return decays


def _power_db(powers: Waveform) -> Waveform:
    levels: Waveform = np.float32(10.0) * np.log10(powers)
    return levels


FORMAT_FACTS = ("container", "subtype", "sr", "channels", "suffix", "chunks")


def file_formats(ledger: Iterable[LedgerRow]) -> dict[str, FileFormat]:
    """Return the format of the file of each clip that could be read."""
    return {
        row.clip.id: _format(row.info, splitext(recording_of(row.clip.source).name)[1])
        for row in ledger
        if row.status == "ok" and row.info is not None
    }


def _format(info: AudioInfo, suffix: str) -> FileFormat:
    return _made(info.container, info.subtype, info.sr, info.channels, suffix, info.chunks)


_made = lru_cache(maxsize=1024)(FileFormat)  # few formats, of many clips
