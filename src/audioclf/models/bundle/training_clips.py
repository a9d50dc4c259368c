"""What a bundle remembers of the clips that it was trained on: how long they are, and which.

Predictions of them say nothing about new sounds, and windows of another length are other sounds
than the model knows. Neither a sound nor a name is kept: of each clip a digest of its features with
a key that differs from dataset to dataset. Whoever has a recording can still find out whether it is
among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.models.arrays import from_npy, to_npy
from audioclf.models.refusal import refusing

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGESTS = "training/digests.npy"
SECONDS = "training/seconds.npy"

_DIGEST_BYTES = 8
"""800 kB for 100,000 clips, and one new sound in 10^14 that seems to be among them."""
_PERCENTILES = (5, 50, 95)


@dataclass(frozen=True, eq=False)
class TrainingClips:
    """Digests and lengths of the training's clips.

    Parameters
    ----------
    key : bytes
        At most 64 bytes.
    digests : np.ndarray [shape=(n_clips,)], uint64
        Sorted.
    seconds : np.ndarray [shape=(3,)], float64, or None
        5th, 50th and 95th percentile of the lengths in s; None if not known.
    """

    key: bytes
    digests: NDArray[np.uint64]
    seconds: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls, rows: NDArray[np.float32], fingerprint: str, seconds: Sequence[float] = ()
    ) -> TrainingClips:
        """Remember clips.

        Parameters
        ----------
        rows : np.ndarray [shape=(n_clips, n_features)], float32
            Features of each as it is, in a single view.
        fingerprint : str
            Of the dataset, in hexadecimal digits.
        seconds : sequence of float
            Length of each clip, as far as the model looks at it.
        """
        key = bytes.fromhex(fingerprint)
        spread = np.percentile(np.asarray(seconds), _PERCENTILES) if len(seconds) else None
        return cls(key, np.unique(_digests(rows, key)), spread)

    def to_files(self) -> dict[str, bytes]:
        """Return the members of a bundle that hold it."""
        files = {DIGESTS: to_npy(self.digests)}
        return files if self.seconds is None else {**files, SECONDS: to_npy(self.seconds)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], fingerprint: str) -> TrainingClips | None:
        """Read it from a bundle; None from one that does not have it.

        Raises
        ------
        RefusedError
            If an array has another type or shape, or makes no sense.
        """
        if DIGESTS not in files:
            return None
        with refusing("manifest", "what it says of its training clips cannot be read"):
            digests = _array(files[DIGESTS], np.uint64)
            seconds = _array(files[SECONDS], np.float64) if SECONDS in files else None
            if seconds is not None and (
                len(seconds) != len(_PERCENTILES)
                or not np.isfinite(seconds).all()
                or seconds[0] < 0
                or (np.diff(seconds) < 0).any()
            ):
                raise ValueError(f"{SECONDS} holds no percentiles of lengths")
        return cls(bytes.fromhex(fingerprint), np.sort(digests), seconds)

    def among(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return for each row whether a training clip had the same features, to the last bit.

        Parameters
        ----------
        rows : np.ndarray [shape=(n_rows, n_features)], float32
        """
        if not len(self.digests):
            return np.zeros(len(rows), dtype=bool)
        found = _digests(rows, self.key)
        place = np.minimum(np.searchsorted(self.digests, found), len(self.digests) - 1)
        return np.asarray(self.digests[place] == found)

    def unlike(self, seconds: float) -> str:
        """Say that sounds of such a length are not what the model was trained on; empty if so.

        Half the length of nearly the shortest clips, and twice that of nearly the longest, are
        unlike.
        """
        if self.seconds is None:
            return ""
        low, _, high = map(float, self.seconds)
        if low / 2 <= seconds <= high * 2:
            return ""
        ends = dict.fromkeys((f"{low:.3g}", f"{high:.3g}"))
        much = "shorter" if seconds < low else "longer"
        return (
            f"{seconds:.3g} s is much {much} than the clips of the training, nearly all of which "
            f"have {' to '.join(ends)} s"
        )


def _digests(rows: NDArray[np.float32], key: bytes) -> NDArray[np.uint64]:
    content = (np.ascontiguousarray(row, dtype="<f4").tobytes() for row in rows)
    digests = b"".join(blake2b(row, digest_size=_DIGEST_BYTES, key=key).digest() for row in content)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _array(data: bytes, dtype: Any) -> NDArray[Any]:
    array = from_npy(data)
    if array.ndim != 1 or array.dtype != dtype:
        raise ValueError(f"{array.dtype} of shape {array.shape} is not what it must be")
    return array
