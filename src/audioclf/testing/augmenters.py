"""Checks of augmenters."""

# ruff: noqa: D401  docstrings here are the promises that a user reads
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import FeatureError
from audioclf.components.augmenter import Augmenter
from audioclf.testing.check import CheckFailedError, CheckSkippedError, no_error, promise
from audioclf.testing.example import N_SAMPLES, SEED, SR, click, noise, silence, tone

if TYPE_CHECKING:
    from numpy.typing import NDArray


@promise("augmenter")
def keeps_the_length(augmenter: Augmenter) -> None:
    """`augment` returns float numbers, as many as the clip has samples."""
    for name, y in _sounds():
        changed = _changed(augmenter, y)
        if not isinstance(changed, np.ndarray) or not np.issubdtype(changed.dtype, np.floating):
            what = getattr(changed, "dtype", type(changed).__name__)
            raise CheckFailedError(f"{name} gives {what}, expected an array of float32")
        if changed.shape != y.shape:
            raise CheckFailedError(f"{name} of shape {y.shape} gives shape {changed.shape}")


@promise("augmenter")
def sound_is_finite(augmenter: Augmenter) -> None:
    """Changed sounds, silence among them, have no NaN or infinite values."""
    for name, y in _sounds():
        changed = _changed(augmenter, y)
        if not np.isfinite(changed).all():
            bad = int(np.sum(~np.isfinite(changed)))
            raise CheckFailedError(f"{name} gives {bad} NaN or infinite values")


@promise("augmenter")
def a_single_sample_is_changed_or_refused(augmenter: Augmenter) -> None:
    """One sample alone is changed, or is a `FeatureError`."""
    try:
        _changed(augmenter, noise(1))
    except FeatureError:
        return
    except Exception as exc:
        raise CheckFailedError(
            f"a single sample raised {type(exc).__name__} instead of a FeatureError: {exc}"
        ) from exc


@promise("augmenter")
def clip_is_left_alone(augmenter: Augmenter) -> None:
    """The clip is not changed in place, and may be write-protected."""
    y, kept = noise(), noise()
    augmenter.augment(y, SR, np.random.default_rng(SEED))
    if not np.array_equal(y, kept):
        raise CheckFailedError("augment changes the clip that it is given; work on a copy")
    y.flags.writeable = False
    with no_error("a write-protected clip raised"):
        augmenter.augment(y, SR, np.random.default_rng(SEED))


@promise("augmenter")
def same_seed_same_sound(augmenter: Augmenter) -> None:
    """The same clip and the same seed give the same sound, to the last bit."""
    first = _changed(augmenter, noise())
    _changed(augmenter, tone())  # another clip in between must not matter
    if not np.array_equal(first, _changed(augmenter, noise())):
        raise CheckFailedError(
            "two calls with equal generators give different sounds; draw all numbers from `rng`"
        )


@promise("augmenter")
def something_changes(augmenter: Augmenter) -> None:
    """At least one of several sounds and seeds is changed."""
    for name, y in _sounds():
        if name == "silence":
            continue
        for seed in range(4):
            if not np.array_equal(augmenter.augment(y.copy(), SR, np.random.default_rng(seed)), y):
                return
    raise CheckSkippedError("no sound is changed with these fields")


def _sounds() -> Iterator[tuple[str, NDArray[np.float32]]]:
    yield "noise", noise()
    yield "a tone", tone()
    yield "a click", click()
    yield "silence", silence()
    yield "a short clip", noise(N_SAMPLES // 100)


def _changed(augmenter: Augmenter, y: NDArray[np.float32]) -> Any:
    return augmenter.augment(y.copy(), SR, np.random.default_rng(SEED))
