"""Copies among the clips: the same bytes, the same samples, near-duplicates.

Copies that were changed are found in three steps, each for fewer pairs than the one before:
amplitudes of the prints (see `audit.leakage.fingerprint`) that are similar make candidates; the
correlation of their prints at the best shift says how likely each is a copy; and the waveforms of
the most likely pairs are aligned at the best shift and compared in frames of 30 ms. The search ends
when as many of them as `most_different` says were no copies. Where many copies of few sounds leave
no room for other candidates, it is repeated with one clip of each set that was found.

Two recordings of one word by one speaker may have similar prints, but have different waveforms: of
3,000 spoken digits no two reach `SAME` (at most 0.91). Longer clips are compared by their first
minute. `benchmarks/copies.py` measures how many copies are found; copies at another speed or pitch
are not, nor are parts of less than half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audio.settings import AudioConfig
from audioclf.audit.inputs import Codes, Matrix
from audioclf.audit.leakage.agreement import SAME, agreements, room_for
from audioclf.audit.leakage.fingerprint import LONGEST_SECONDS, exact_part, robust_part
from audioclf.audit.remembered import Remember, computed
from audioclf.base.errors import DecodeError
from audioclf.dataset.dataset import Dataset
from audioclf.features.waveform import Decoder, decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.audit.leakage.fingerprint import Spectra

    Pairs = NDArray[np.intp]
    Decode = Callable[[int], Matrix | None]

ALIKE = 0.5
"""Cosine of the amplitudes of two prints above which the prints are correlated."""

CORRELATED, CLEAR = 0.55, 0.7
"""Correlation of two prints above which the waveforms are compared, and above which it is high."""

FEW = 32
"""Up to this number of clips all pairs are compared by their waveforms."""

ROOM = 4000
"""Pairs, beside one for each clip, whose prints are correlated."""

EXACT_LIMIT = 20_000
"""Up to this number of clips the print of each is compared with that of every other."""

AT_ONCE = 512
"""Pairs that are compared before the search looks how many were copies."""

_SR = 8000
_KEPT_BYTES = 128 * 2**20  # decoded clips that are kept for the next pairs
_SAMPLES = 1 << 18  # samples of the correlations that are computed at once
_BLOCK = 256
_SHIFTS = 512
_TABLES, _BITS, _NEIGHBORS = 16, 18, 16


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
    remember: Remember = computed,
) -> Copies:
    """Find copies by the digests of the bytes, by prints [shape=(n_clips, WIDTH)], by waveforms.

    The clips of candidate pairs are decoded once more, at 8 kHz at most.
    """
    files = codes_of(digests)
    exact = np.ascontiguousarray(exact_part(prints)).astype("<u2")
    samples = merged(files, codes_of([row.tobytes() for row in exact]))
    _, first = np.unique(samples, return_index=True)

    def search(*, tolerant: bool = False) -> tuple[list[tuple[int, int]], int, bool]:
        spectra, clips = robust_part(prints), first
        decode, sr = _low_rate_decoder(dataset, audio, decoder, tolerant=tolerant)
        same: list[tuple[int, int]] = []
        n_compared = 0
        while True:
            of_all = len(clips) == len(spectra)
            candidates, all_likely = likely_pairs(spectra if of_all else spectra[clips])
            most = most_different(len(dataset)) - (n_compared - len(same))
            linked, n, all_compared = _same_pairs(clips[candidates], len(dataset), decode, sr, most)
            same += linked
            n_compared += n
            if all_likely or not all_compared or not linked:
                break
            # Of each set, the clip with the most copies.
            n_copies = np.bincount(np.ravel(same), minlength=len(dataset))
            clips = clips[np.argsort(-n_copies[clips], kind="stable")]
            clips = clips[np.unique(_linked(len(dataset), same)[clips], return_index=True)[1]]
        complete = all_likely and all_compared and len(first) <= EXACT_LIMIT
        return same, n_compared, complete

    try:
        found = remember("near-duplicates", [*digests, prints], search)
    except DecodeError:  # a file changed or went since the run: that is not to be remembered
        found = search(tolerant=True)
    same, n_compared, complete = found
    sounds = merged(samples, _linked(len(dataset), same))
    return Copies(files, samples, sounds, n_compared, complete)


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


def most_different(n_clips: int) -> int:
    """Return how many pairs that are no copies are compared by their waveforms."""
    return n_clips // 20 + 500


def likely_pairs(spectra: Spectra) -> tuple[Pairs, bool]:
    """Return pairs of similar prints [shape=(n_pairs, 2)], the most likely first, and if all are.

    At most as many pairs as clips and `ROOM` more are rated by their correlation. Beyond
    `EXACT_LIMIT` prints only those are compared that are on the same side of `_BITS` random planes
    in one of `_TABLES` attempts (M. Charikar, "Similarity estimation techniques from rounding
    algorithms", STOC 2002).
    """
    sounding = np.flatnonzero(spectra.any(axis=1))
    n = len(sounding)
    if n <= FEW:
        return sounding[np.stack(np.triu_indices(n, 1), axis=1)], True
    rows = _amplitudes(spectra if n == len(spectra) else spectra[sounding])
    most = n + ROOM
    found = _all_pairs(rows, most) if n <= EXACT_LIMIT else _bucket_pairs(rows, most)
    pairs = sounding[found.pairs]
    used, places = np.unique(pairs, return_inverse=True)
    values = correlation(flattened(spectra[used]), places.reshape(-1, 2))
    likely = values >= CORRELATED
    pairs, high = pairs[likely], np.minimum(values[likely], CLEAR)
    order = np.lexsort((-correlation(spectra, pairs), -high))  # where high, noise decides
    return pairs[order], found.complete


def _amplitudes(spectra: Spectra) -> Matrix:
    """Return the amplitudes in pairs of lines, without their mean over the clips, of norm 1.

    A property of all clips then does not make any two of them similar.
    """
    power = np.square(spectra.real) + np.square(spectra.imag)
    rows: Matrix = np.sqrt(power[:, ::2] + power[:, 1::2])
    rows -= rows.mean(axis=0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return rows


def flattened(spectra: Spectra) -> Spectra:
    """Return spectra of norm 1 in which strong lines, as of one vowel, dominate less."""
    flat = spectra.copy()
    flat /= np.sqrt(np.maximum(np.abs(spectra), 1e-12))
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat


def correlation(spectra: Spectra, pairs: Pairs) -> Matrix:
    """Return the correlation of the sounds of two spectra of norm 1 at the best shift, in [0, 1].

    A sum over all shifts at once: a shift in time turns the phases linearly.
    """
    from scipy import fft

    parts = [np.empty(0, np.float32)]
    for low, high in (part.T for part in _parts(pairs)):
        products = spectra[low] * spectra[high].conj()
        shifted = fft.ifft(products, _SHIFTS, norm="forward", overwrite_x=True)
        parts.append(np.abs(shifted).max(axis=1))
    return np.concatenate(parts)


class _Nearest:
    """The pairs of greatest cosine among those that are added, at least `ALIKE`, at most `most`."""

    def __init__(self, most: int) -> None:
        self.most, self.level, self.complete = most, ALIKE, True
        self.pairs: Pairs = np.empty((0, 2), dtype=np.intp)
        self.cosines: Matrix = np.empty(0, dtype=np.float32)

    def add(self, pairs: Pairs, cosines: Matrix) -> None:
        """Add pairs; above `most`, those of the smallest cosine go, and the level rises."""
        self.pairs = np.concatenate([self.pairs, pairs])
        self.cosines = np.concatenate([self.cosines, cosines])
        if len(self.pairs) > self.most:
            kept = np.argsort(-self.cosines, kind="stable")[: self.most]
            self.pairs, self.cosines = self.pairs[kept], self.cosines[kept]
            self.level, self.complete = float(self.cosines[-1]), False


def _all_pairs(rows: Matrix, most: int) -> _Nearest:
    """Return the nearest pairs, from the cosines of a block of rows at a time."""
    nearest = _Nearest(most)
    for start in range(0, len(rows), _BLOCK):
        cosines = rows[start : start + _BLOCK] @ rows[start:].T
        row, column = np.divmod(np.flatnonzero(cosines >= nearest.level), cosines.shape[1])
        upper = column > row
        row, column = row[upper], column[upper]
        nearest.add(np.stack([row, column], axis=1) + start, cosines[row, column])
    return nearest


def _bucket_pairs(rows: Matrix, most: int) -> _Nearest:
    """Return the nearest pairs among those that share a bucket, and stand near in it."""
    rng = np.random.default_rng(0)
    similar = np.empty(0, dtype=np.intp)  # pairs as one number each
    for _ in range(_TABLES):
        planes = rng.standard_normal((rows.shape[1], _BITS)).astype(np.float32)
        keys = ((rows @ planes) > 0) @ (1 << np.arange(_BITS))
        order = np.argsort(keys, kind="stable")
        parts = [similar]
        for step in range(1, _NEIGHBORS + 1):
            low, high = order[:-step], order[step:]
            near = keys[low] == keys[high]
            parts += _alike(rows, low[near], high[near])
        similar = np.unique(np.concatenate(parts))
        if len(similar) > 4 * most:  # one sound everywhere
            break
    nearest = _Nearest(most)
    for part in _parts(np.stack(np.divmod(similar, len(rows)), axis=1)):
        nearest.add(part, _cosines(rows, part[:, 0], part[:, 1]))
    return nearest


def _alike(rows: Matrix, low: Codes, high: Codes) -> Iterator[Codes]:
    """Yield the pairs of similar rows, as the first times the number of rows plus the second."""
    for part in _parts(np.stack([np.minimum(low, high), np.maximum(low, high)], axis=1)):
        alike = part[_cosines(rows, part[:, 0], part[:, 1]) >= ALIKE]
        yield alike[:, 0] * len(rows) + alike[:, 1]


def _parts(pairs: Pairs) -> Iterator[Pairs]:
    for start in range(0, len(pairs), 8 * _BLOCK):
        yield pairs[start : start + 8 * _BLOCK]


def _cosines(rows: Matrix, low: Codes, high: Codes) -> Matrix:
    cosines: Matrix = np.einsum("ij,ij->i", rows[low], rows[high])
    return cosines


def _low_rate_decoder(
    dataset: Dataset, audio: AudioConfig, decoder: Decoder, *, tolerant: bool
) -> tuple[Decode, int]:
    """Return a function, with a cache, from a position to the clip's waveform, and their rate.

    If it is `tolerant`, a clip that cannot be decoded any more has none.
    """
    seconds = min(audio.duration or LONGEST_SECONDS, LONGEST_SECONDS)
    low_rate = audio.model_copy(update={"sr": min(_SR, audio.sr), "duration": seconds})

    kept: dict[int, Matrix | None] = {}
    n_bytes = 0

    def decode(position: int) -> Matrix | None:
        nonlocal n_bytes
        if position in kept:
            kept[position] = kept.pop(position)  # now the last to be dropped
            return kept[position]
        try:
            y = decoder(dataset.clips[position], low_rate)
        except DecodeError:
            if not tolerant:
                raise
            y = None
        kept[position] = y
        n_bytes += _size(y)
        while len(kept) > 1 and n_bytes > _KEPT_BYTES:
            n_bytes -= _size(kept.pop(next(iter(kept))))
        return y

    return decode, low_rate.sr


def _size(y: Matrix | None) -> int:
    return 0 if y is None else y.nbytes


def _same_pairs(
    pairs: Pairs, n_clips: int, decode: Decode, sr: int, most: int
) -> tuple[list[tuple[int, int]], int, bool]:
    """Return pairs of one recording, how many were compared, and if these are all.

    They are compared in their order until `most` are different; linked ones are skipped.
    """
    same: list[tuple[int, int]] = []
    n_compared = 0
    for start in range(0, len(pairs), AT_ONCE):
        if n_compared - len(same) >= most:
            return same, n_compared, False
        part = pairs[start : start + AT_ONCE]
        one, other = _linked(n_clips, same)[part].T
        block = part[one != other].tolist()
        n_compared += len(block)
        values = _agreements(block, n_clips, decode, sr)
        same += [pair for pair, value in zip(block, values, strict=True) if value >= SAME]
    return same, n_compared, True


def _agreements(
    pairs: Sequence[tuple[int, int]], n_clips: int, decode: Decode, sr: int
) -> list[float]:
    """Return the agreement of each pair; 0 where a clip cannot be decoded."""
    values = [0.0] * len(pairs)
    waiting: dict[int, list[tuple[int, Matrix, Matrix]]] = {}

    def compare(n: int) -> None:
        places, ones, others = zip(*waiting.pop(n), strict=True)
        for place, value in zip(places, agreements(ones, others, n, sr), strict=True):
            values[place] = value

    # Linked clips one after the other, so that a decoded clip is soon used again.
    groups = _linked(n_clips, pairs)
    for place in sorted(range(len(pairs)), key=lambda at: (groups[pairs[at][0]], *pairs[at])):
        one, other = (decode(clip) for clip in pairs[place])
        if one is not None and other is not None:
            n = room_for(one, other, sr)
            waiting.setdefault(n, []).append((place, one, other))
            if n * len(waiting[n]) >= _SAMPLES:
                compare(n)
    for n in list(waiting):
        compare(n)
    return values
