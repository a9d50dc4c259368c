"""Digests and lengths of the training clips of a model.

Predictions for training clips say nothing about new sounds. Neither sounds nor names are stored:
only digests of the features and the file of each clip, with a key that depends on the dataset.
Anybody who has a recording can still test whether the model was trained on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from audioclf.models.arrays import checked_array, to_npy
from audioclf.models.bundle.sound_range import SoundRange
from audioclf.models.refusal import refusing

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGESTS = "training/digests.npy"
FILES = "training/files.npy"
SECONDS = "training/seconds.npy"

_DIGEST_BYTES = 8
"""800 kB for 100,000 clips; one new sound in 10^14 is mistaken for one of them."""
_PERCENTILES = (5, 50, 95)


@dataclass(frozen=True, eq=False)
class TrainingClips:
    """Digests and lengths of the training clips.

    The key has at most 64 bytes. The `digests` of features, and the `files`, which bundles written
    before lack, are sorted. `seconds` are the 5th, 50th and 95th percentile of the lengths, or None
    if unknown. `sound` are the ranges of level, noise floor and the like, None if not audited.
    """

    key: bytes
    digests: NDArray[np.uint64]
    seconds: NDArray[np.float64] | None = None
    files: NDArray[np.uint64] | None = None
    sound: SoundRange | None = None

    @classmethod
    def of(
        cls,
        rows: NDArray[np.float32],
        fingerprint: str,
        seconds: Sequence[float] = (),
        files: Iterable[str] = (),
        facts: NDArray[np.float32] | None = None,
    ) -> TrainingClips:
        """Return digests and percentiles of the features of each clip, without augmented views.

        The fingerprint is the SHA-256 of the dataset; the seconds are the length of each clip
        within `audio.offset` and `audio.duration`, `files` the SHA-256 of each file,
        `facts` those of `SoundRange` [shape=(n_clips, n_facts)].
        """
        key = bytes.fromhex(fingerprint)
        spread = np.percentile(np.asarray(seconds), _PERCENTILES) if len(seconds) else None
        of_files = np.unique(_digests_of_files(files, key))
        sound = None if facts is None or not len(facts) else SoundRange.of(facts)
        known = of_files if len(of_files) else None
        return cls(key, np.unique(_digests(rows, key)), spread, known, sound)

    def to_files(self) -> dict[str, bytes]:
        """Return it as members of a bundle."""
        arrays = {DIGESTS: self.digests, SECONDS: self.seconds, FILES: self.files}
        members = {name: to_npy(array) for name, array in arrays.items() if array is not None}
        return members if self.sound is None else {**members, **self.sound.to_files()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], fingerprint: str) -> TrainingClips | None:
        """Read it from a bundle; None if the bundle has none.

        `RefusedError` if an array has another type or shape, or lengths that are impossible.
        """
        if DIGESTS not in files:
            return None
        with refusing("manifest", "its record of the training clips cannot be read"):
            digests = checked_array(files[DIGESTS], np.uint64, (None,))
            seconds, of_files = None, None
            if FILES in files:
                of_files = np.sort(checked_array(files[FILES], np.uint64, (None,)))
            if SECONDS in files:
                seconds = checked_array(files[SECONDS], np.float64, (len(_PERCENTILES),))
            if seconds is not None and (
                not np.isfinite(seconds).all() or seconds[0] < 0 or (np.diff(seconds) < 0).any()
            ):
                raise ValueError(f"{SECONDS} holds no percentiles of lengths")
        sound = SoundRange.from_files(files)
        return cls(bytes.fromhex(fingerprint), np.sort(digests), seconds, of_files, sound)

    def contains(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return for each row whether a training clip had exactly the same features."""
        return _are_in(self.digests, _digests(rows, self.key))

    def contains_files(self, files: Iterable[str]) -> NDArray[np.bool_]:
        """Return for each SHA-256 of a file whether a training clip was this file, or in it."""
        digests = _digests_of_files(files, self.key)
        return _are_in(self.files, digests)

    def length_warning(self, seconds: float) -> str:
        """Return a warning if sounds of this length differ from the training clips, else "".

        The limits are half the 5th and twice the 95th percentile of the lengths.
        """
        if self.seconds is None:
            return ""
        low, _, high = map(float, self.seconds)
        if low / 2 <= seconds <= high * 2:
            return ""
        ends = dict.fromkeys((f"{low:.3g}", f"{high:.3g}"))
        much = "shorter" if seconds < low else "longer"
        return (
            f"{seconds:.3g} s is much {much} than the training clips, most of which have "
            f"{' to '.join(ends)} s"
        )


def _are_in(known: NDArray[np.uint64] | None, digests: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return for each digest whether it is one of the sorted ones."""
    if known is None or not len(known):
        return np.zeros(len(digests), dtype=bool)
    positions = np.minimum(np.searchsorted(known, digests), len(known) - 1)
    return np.asarray(known[positions] == digests)


def _digests(rows: NDArray[np.float32], key: bytes) -> NDArray[np.uint64]:
    return _hashed((np.ascontiguousarray(row, dtype="<f4").tobytes() for row in rows), key)


def _digests_of_files(files: Iterable[str], key: bytes) -> NDArray[np.uint64]:
    return _hashed((digest.encode() for digest in files), key)


def _hashed(content: Iterable[bytes], key: bytes) -> NDArray[np.uint64]:
    digests = b"".join(blake2b(row, digest_size=_DIGEST_BYTES, key=key).digest() for row in content)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
