"""Copies among the clips: the same bytes, the same samples, near-duplicates.

Copies that were changed are found in two steps. Prints (see `audit.leakage.fingerprint`) that are
similar make candidates; then the waveforms of each candidate pair are aligned at the best shift and
compared in frames of 30 ms. Two recordings of one word by one speaker have similar prints, but
different waveforms: of 3,000 spoken digits no two reach `SAME` (at most 0.91). Longer clips are
compared by their first minute. `benchmarks/copies.py` measures how many copies are found; copies at
another speed or pitch are not, nor are parts of less than half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audio.settings import AudioConfig
from audioclf.audit.inputs import Codes, Matrix
from audioclf.audit.leakage.fingerprint import (
    HIGH_HZ,
    LONGEST_SECONDS,
    LOW_HZ,
    exact_part,
    robust_part,
)
from audioclf.base.errors import DecodeError
from audioclf.dataset.dataset import Dataset
from audioclf.features.waveform import Decoder, decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pairs = NDArray[np.intp]
    Decode = Callable[[int], "Sound | None"]

ALIKE = 0.7
"""Cosine of two prints above which the waveforms are compared."""

SAME = 0.92
"""Agreement of two waveforms above which they are one recording."""

FEW = 32
"""Up to this number of clips all pairs are compared by their waveforms."""

EXACT_LIMIT = 20_000
"""Up to this number of clips the print of each is compared with that of every other."""

MAX_SHIFT = 0.6
"""Largest delay of one copy behind the other, in s."""

_SR = 8000
_KEPT, _KEPT_BYTES = 512, 128 * 2**20  # decoded clips that are kept for the next pairs
_SHORT = 1 << 15  # samples up to which their transforms are kept as well
_FRAME_SECONDS = 0.03
_BLOCK = 512
_TABLES, _BITS, _NEIGHBORS = 16, 18, 16


@dataclass(frozen=True, eq=False)
class Sound:
    """A waveform limited to the band of the prints, with its energy, and transforms by length."""

    y: Matrix
    energy: float
    spectra: dict[int, NDArray[np.complex64]] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """Memory, with two transforms where they are kept."""
        return self.y.nbytes * (6 if len(self.y) <= _SHORT else 1)

    def spectrum(self, n: int) -> NDArray[np.complex64]:
        """Return the Fourier transform of length `n`; those of a short waveform are kept."""
        from scipy import fft

        if n in self.spectra:
            return self.spectra[n]
        spectrum: NDArray[np.complex64] = fft.rfft(self.y, n)
        if len(self.y) <= _SHORT:
            self.spectra[n] = spectrum
        return spectrum


@dataclass(frozen=True)
class Copies:
    """Number of each clip's set at three levels, each of which includes the sets before.

    The sets are of the same bytes, the same decoded samples, and near-duplicates. The search is
    `complete` if all prints were compared, and the waveforms of all candidates.
    """

    files: Codes
    samples: Codes
    sounds: Codes
    n_compared: int
    complete: bool


def find_copies(
    dataset: Dataset,
    digests: Sequence[str],
    prints: Matrix,
    audio: AudioConfig,
    decoder: Decoder = decoded,
) -> Copies:
    """Find copies by the digests of the bytes, by prints [shape=(n_clips, WIDTH)], by waveforms.

    The clips of candidate pairs are decoded once more, at 8 kHz at most.
    """
    files = codes_of(digests)
    exact = np.ascontiguousarray(exact_part(prints)).astype("<u2")
    samples = merged(files, codes_of([row.tobytes() for row in exact]))
    _, first = np.unique(samples, return_index=True)
    candidates, complete = likely_pairs(robust_part(prints)[first])
    decode = _low_rate_decoder(dataset, audio, decoder)
    same = _same_pairs(first[candidates], len(dataset), decode, min(_SR, audio.sr))
    sounds = merged(samples, _linked(len(dataset), same))
    return Copies(files, samples, sounds, len(candidates), complete)


def codes_of(values: Sequence[object]) -> Codes:
    """Return a number for each value, the same for equal ones."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.intp)


def merged(*partitions: Codes) -> Codes:
    """Return the sets that result when the sets of all partitions are joined.

    >>> merged(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])).tolist()
    [0, 0, 0, 1]
    """
    n = len(partitions[0])
    pairs = [pair for codes in partitions for pair in _chain(codes)]
    return _linked(n, pairs)


def _chain(codes: Codes) -> Iterator[tuple[int, int]]:
    """Yield pairs that link each clip with the next of its set."""
    order = np.argsort(codes, kind="stable")
    equal = np.flatnonzero(codes[order[1:]] == codes[order[:-1]])
    yield from zip(order[equal].tolist(), order[equal + 1].tolist(), strict=True)


def _linked(n: int, pairs: Sequence[tuple[int, int]]) -> Codes:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.asarray(pairs, dtype=np.intp).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs), dtype=bool), (ends[0], ends[1])), shape=(n, n))
    numbers: Codes = connected_components(graph, directed=False)[1].astype(np.intp)
    return numbers


def likely_pairs(prints: Matrix) -> tuple[Pairs, bool]:
    """Return at most `n + 1000` pairs of similar prints [shape=(n_pairs, 2)], and if these are all.

    Each column is first centered and scaled over the dataset, so that properties of all clips do
    not make any two of them similar. Beyond `EXACT_LIMIT` prints only those are compared that are
    on the same side of `_BITS` random planes in one of `_TABLES` attempts (M. Charikar, "Similarity
    estimation techniques from rounding algorithms", STOC 2002).
    """
    sounding = np.flatnonzero(np.abs(prints).max(axis=1, initial=0.0) > 0.0)
    n = len(sounding)
    if n <= FEW:
        return sounding[np.stack(np.triu_indices(n, 1), axis=1)], True
    scaled = _scaled(prints[sounding])
    most = n + 1000
    blocks = _all_pairs(scaled, most) if n <= EXACT_LIMIT else _bucket_pairs(scaled, most)
    pairs, cosines = (np.concatenate(part) for part in zip(*blocks, strict=True))
    kept = np.argsort(-cosines, kind="stable")[:most]
    return sounding[pairs[kept]], n <= EXACT_LIMIT and len(pairs) <= most


def _scaled(prints: Matrix) -> Matrix:
    centered = prints - prints.mean(axis=0)
    centered /= np.maximum(centered.std(axis=0), 1e-6)
    norms = np.linalg.norm(centered, axis=1, keepdims=True)
    scaled: Matrix = centered / np.maximum(norms, 1e-6)
    return scaled


def _all_pairs(scaled: Matrix, most: int) -> Iterator[tuple[Pairs, Matrix]]:
    """Yield the pairs above the threshold, a block of rows at a time, little more than `most`."""
    for start in range(0, len(scaled), _BLOCK):
        cosines = scaled[start : start + _BLOCK] @ scaled[start:].T
        row, column = np.nonzero(cosines >= ALIKE)
        upper = column > row
        row, column = row[upper], column[upper]
        upper_cosines = cosines[row, column]
        kept = np.argsort(-upper_cosines, kind="stable")[: most + 1]
        yield np.stack([row[kept], column[kept]], axis=1) + start, upper_cosines[kept]


def _bucket_pairs(scaled: Matrix, most: int) -> Iterator[tuple[Pairs, Matrix]]:
    """Yield pairs above the threshold among those that share a bucket, and stand near in it."""
    rng = np.random.default_rng(0)
    similar: set[tuple[int, int]] = set()
    for _ in range(_TABLES):
        planes = rng.standard_normal((scaled.shape[1], _BITS)).astype(np.float32)
        keys = ((scaled @ planes) > 0) @ (1 << np.arange(_BITS))
        order = np.argsort(keys, kind="stable")
        for step in range(1, _NEIGHBORS + 1):
            low, high = order[:-step], order[step:]
            near = keys[low] == keys[high]
            similar.update(_alike(scaled, low[near], high[near]))
        if len(similar) > 4 * most:  # one sound everywhere
            break
    pairs = np.asarray(sorted(similar), dtype=np.intp).reshape(-1, 2)
    cosines = [_cosines(scaled, part[:, 0], part[:, 1]) for part in _parts(pairs)]
    yield pairs, np.concatenate([np.empty(0, np.float32), *cosines])


def _alike(scaled: Matrix, low: Codes, high: Codes) -> Iterator[tuple[int, int]]:
    for part in _parts(np.stack([np.minimum(low, high), np.maximum(low, high)], axis=1)):
        alike = part[_cosines(scaled, part[:, 0], part[:, 1]) >= ALIKE]
        yield from zip(alike[:, 0].tolist(), alike[:, 1].tolist(), strict=True)


def _parts(pairs: Pairs) -> Iterator[Pairs]:
    for start in range(0, len(pairs), 8 * _BLOCK):
        yield pairs[start : start + 8 * _BLOCK]


def _cosines(scaled: Matrix, low: Codes, high: Codes) -> Matrix:
    cosines: Matrix = np.einsum("ij,ij->i", scaled[low], scaled[high])
    return cosines


def _low_rate_decoder(dataset: Dataset, audio: AudioConfig, decoder: Decoder) -> Decode:
    """Return a function, with a cache, from a position to the clip's band; None for no sound."""
    seconds = min(audio.duration or LONGEST_SECONDS, LONGEST_SECONDS)
    low_rate = audio.model_copy(update={"sr": min(_SR, audio.sr), "duration": seconds})

    kept: dict[int, Sound | None] = {}
    n_bytes = 0

    def decode(position: int) -> Sound | None:
        nonlocal n_bytes
        if position in kept:
            kept[position] = kept.pop(position)  # now the last to be dropped
            return kept[position]
        try:
            sound = band(decoder(dataset.clips[position], low_rate), low_rate.sr)
        except DecodeError:  # changed or gone since the run
            sound = None
        kept[position] = sound
        n_bytes += _size(sound)
        while len(kept) > 1 and (len(kept) > _KEPT or n_bytes > _KEPT_BYTES):
            n_bytes -= _size(kept.pop(next(iter(kept))))
        return sound

    return decode


def _size(sound: Sound | None) -> int:
    return 0 if sound is None else sound.n_bytes


def _same_pairs(pairs: Pairs, n_clips: int, decode: Decode, sr: int) -> list[tuple[int, int]]:
    """Return pairs of one recording, which link the same clips as all such pairs.

    A pair that others link already is not compared.
    """
    groups = _linked(n_clips, pairs.tolist())
    sets = list(range(n_clips))

    def set_of(clip: int) -> int:
        while sets[clip] != clip:
            sets[clip] = clip = sets[sets[clip]]
        return clip

    same: list[tuple[int, int]] = []
    # Group by group, so that a decoded clip is soon used again.
    for _, one, other in sorted((int(groups[min(p)]), min(p), max(p)) for p in pairs.tolist()):
        low, high = set_of(one), set_of(other)
        if low != high and _same(decode, one, other, sr):
            sets[high] = low
            same.append((one, other))
    return same


def _same(decode: Decode, one: int, other: int, sr: int) -> bool:
    a, b = decode(one), decode(other)
    return a is not None and b is not None and agreement(a, b, sr) >= SAME


def band(y: Matrix, sr: int) -> Sound | None:
    """Return a waveform limited to 100-3400 Hz; None if there is only rounding noise."""
    from scipy import fft

    n = fft.next_fast_len(len(y), real=True)
    limited: Matrix = fft.irfft(fft.rfft(y, n) * _inside(n, sr), n)[: len(y)]
    energy = float(limited @ limited)
    return Sound(limited, energy) if energy > max(1e-8 * float(y @ y), 1e-12) else None


@lru_cache(maxsize=64)
def _inside(n: int, sr: int) -> NDArray[np.bool_]:
    """Return which frequencies of a transform of length `n` are in the band."""
    frequencies = np.arange(n // 2 + 1) * (sr / n)
    return (frequencies >= LOW_HZ) & (frequencies <= min(HIGH_HZ, 0.45 * sr))


def agreement(a: Sound, b: Sound, sr: int) -> float:
    """Return the agreement of two waveforms at the best shift, in [0, 1].

    They are shifted against each other by the lag of the greatest cross-correlation. The value is
    the mean of the correlation coefficients of frames of 30 ms, without its sign, each weighted by
    the amplitude of the frame rather than by its energy, so that one loud vowel does not dominate a
    whole word. It is 0 if less than half of the energy of one lies in the overlap.
    """
    x, y = _overlaid(a, b, round(MAX_SHIFT * sr))
    if 2.0 * float(x @ x) < a.energy or 2.0 * float(y @ y) < b.energy:
        return 0.0
    frames = np.arange(0, len(x), max(1, round(_FRAME_SECONDS * sr)))
    common, of_x, of_y = (np.add.reduceat(each, frames) for each in (x * y, x * x, y * y))
    amplitude = np.sqrt(np.sqrt(of_x * of_y))
    total = float(amplitude.sum())
    return abs(float((common / np.maximum(amplitude, 1e-12)).sum())) / total if total else 0.0


def _overlaid(a: Sound, b: Sound, most: int) -> tuple[Matrix, Matrix]:
    """Return the overlap of both at the best lag."""
    from scipy import fft

    n = _fast_length(2 * max(len(a.y), len(b.y)))
    lag = _best_lag(fft.irfft(a.spectrum(n) * b.spectrum(n).conj(), n), most)
    x, y = a.y[max(lag, 0) :], b.y[max(-lag, 0) :]
    length = min(len(x), len(y))
    return x[:length], y[:length]


def _fast_length(n: int) -> int:
    """Return 4, 5, 6 or 7 times a power of two, at least `n`: few lengths serve all pairs."""
    unit = 1 << max(0, (n - 1).bit_length() - 3)
    return max(4, -(-n // unit)) * unit


def _best_lag(correlation: Matrix, most: int) -> int:
    most = min(most, len(correlation) // 2 - 1)
    around = np.concatenate([correlation[len(correlation) - most :], correlation[: most + 1]])
    return int(np.abs(around).argmax()) - most
