"""Copies of clips whose waveforms are changed, as views of a featurizer.

A copy is a featurizer that changes the waveform first, so that its features are cached, planned and
pooled as those of the clip itself. The random numbers of a copy follow from the seed of the run,
the number of the copy, and the length and levels of the clip: no engine and no other clip matters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from typing_extensions import override

from audioclf.base.errors import FeatureError
from audioclf.components.augmenter import Augmenter
from audioclf.components.featurizer import Featurizer
from audioclf.components.fields import AnyAugmenter, AnyFeaturizer
from audioclf.components.guard import guard
from audioclf.components.pooling import Stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

_PARTS = 8
_SILENT = 1e-10


class Changed(Featurizer):
    """A featurizer of the waveform after some changes, for one copy of each clip."""

    type: Literal["changed"] = "changed"

    featurizer: AnyFeaturizer
    """Featurizer of the changed waveform, without its pooling, which is that of this one."""
    changes: tuple[AnyAugmenter, ...]
    """Changes in this order."""
    seed: int
    """Seed of the run."""
    copy_number: int
    """Number of the copy, from 1."""

    @classmethod
    def of(
        cls, featurizer: Featurizer, changes: Sequence[Augmenter], seed: int, copy_number: int
    ) -> Changed:
        """Return the featurizer of one copy, with the pooling of the given featurizer."""
        without = featurizer.model_copy(update={"pooling": Stats()})
        return cls(
            featurizer=without,
            pooling=featurizer.pooling,
            changes=tuple(changes),
            seed=seed,
            copy_number=copy_number,
        )

    def change(self, y: Waveform, sr: int) -> Waveform:
        """Return the copy of a clip [shape=(n_samples,)], float32."""
        rng = np.random.default_rng([self.seed, self.copy_number, *_levels(y)])
        return changed(y, sr, self.changes, rng)

    @override
    def extract(self, y: Waveform, sr: int) -> Waveform:
        return self.featurizer.extract(self.change(y, sr), sr)

    @override
    def extract_many(self, ys: Sequence[Waveform], sr: int) -> list[Waveform]:
        return self.featurizer.extract_many([self.change(y, sr) for y in ys], sr)

    @override
    def has_steady_frames(self) -> bool:
        return self.featurizer.has_steady_frames()


class WithCopies(Featurizer):
    """A featurizer with changed copies of each clip as further views."""

    type: Literal["with_copies"] = "with_copies"

    featurizer: AnyFeaturizer
    """Featurizer of the clip itself."""
    copies: tuple[Changed, ...]
    """Featurizers of the copies."""

    @classmethod
    def of(
        cls, featurizer: Featurizer, changes: Sequence[Augmenter], *, copies: int, seed: int
    ) -> WithCopies:
        """Return a featurizer with so many copies of the clip after its own views."""
        plain = featurizer.views()[0]
        changed = (Changed.of(plain, changes, seed, 1 + number) for number in range(copies))
        return cls(featurizer=featurizer, pooling=featurizer.pooling, copies=tuple(changed))

    @override
    def views(self) -> Sequence[Featurizer]:
        return (*self.featurizer.views(), *self.copies)

    @override
    def averages_views(self) -> bool:
        return self.featurizer.averages_views()

    @override
    def extract(self, y: Waveform, sr: int) -> Waveform:
        return self.featurizer.extract(y, sr)


def changed(
    y: Waveform, sr: int, changes: Sequence[Augmenter], rng: np.random.Generator
) -> Waveform:
    """Return a waveform after some changes; `FeatureError` if one of them breaks its promise."""
    for change in changes:
        if change.probability == 1 or rng.uniform() < change.probability:
            y = _changed_by(change, y, sr, rng)
    return y


def _changed_by(change: Augmenter, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
    where = f"augmenter {change.type_name()!r}"
    hint = f"Run `audioclf plugins check {change.type_name()}`."
    y.flags.writeable = False
    with guard(where, FeatureError, hint=lambda _: hint):
        result = change.augment(y, sr, rng)
    if not isinstance(result, np.ndarray) or result.shape != y.shape:
        shape = getattr(result, "shape", type(result).__name__)
        raise FeatureError(f"{where} returned {shape}, expected shape {y.shape}", hint=hint)
    if not np.isfinite(result).all():
        raise FeatureError(f"{where} returned NaN or inf values", hint=hint)
    return np.ascontiguousarray(result, dtype=np.float32)


def _levels(y: Waveform) -> list[int]:
    """Return the number of samples and levels in 0.1 dB, which the last bits do not change."""
    size, more = divmod(len(y), _PARTS)
    starts = [size * part + min(part, more) for part in range(_PARTS)]
    squares = np.zeros(len(y) + 1)  # one more for the parts of a clip of fewer samples
    np.square(y, out=squares[:-1], dtype=np.float64)
    totals = np.add.reduceat(squares, starts).tolist()
    powers = [total / max(1, size + (part < more)) for part, total in enumerate(totals)]
    levels = [round(100 * math.log10(power + _SILENT)) + 10_000 for power in powers]
    return [len(y), *(max(0, level) for level in levels)]
