"""Checks of featurizers."""

# ruff: noqa: D401  docstrings here are the promises that a user reads
from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import FeatureError
from audioclf.components.component import components_inside
from audioclf.components.featurizer import Featurizer
from audioclf.components.onnx_graph import NotInOnnxError
from audioclf.testing.check import CheckFailedError, CheckSkippedError, no_error, promise
from audioclf.testing.example import N_SAMPLES, SR, click, noise, silence, tone
from audioclf.testing.exercise import once
from audioclf.testing.imports import canonical_name, imported_libraries

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ONNX_TOLERANCE = 1e-3
"""Relative to the greatest feature."""
_SOUNDS: dict[str, Callable[[], NDArray[np.float32]]] = {
    "noise": noise,
    "a tone": tone,
    "a click": click,
    "silence": silence,
}
_THREADS = 4
_ROUNDS = 8


@promise("featurizer")
def returns_a_matrix(featurizer: Featurizer) -> None:
    """`extract` returns a finite float32 matrix (n_bins, n_frames), with `row_names` if any."""
    for name in ("noise", "a tone", "a click"):
        F = _features_of(featurizer, name)
        _check_matrix(F, name)
        with no_error("row_names raised"):
            rows = len(featurizer.row_names(SR))
        if rows not in (0, len(F)):
            raise CheckFailedError(f"row_names gives {rows} names for the {len(F)} rows of {name}")


@promise("featurizer")
def silence_is_finite(featurizer: Featurizer) -> None:
    """Silence has finite features."""
    F: Any = np.asarray(_features_of(featurizer, "silence"))
    if not np.isfinite(F).all():
        raise CheckFailedError(f"silence gives {np.sum(~np.isfinite(F))} NaN or infinite values")


@promise("featurizer")
def a_single_sample_is_finite_or_refused(featurizer: Featurizer) -> None:
    """One sample alone has finite features, or is a `FeatureError`."""
    try:
        F: Any = _extract(featurizer, noise(1))
    except FeatureError:
        return
    except Exception as exc:
        raise CheckFailedError(
            f"a single sample raised {type(exc).__name__} instead of a FeatureError: {exc}"
        ) from exc
    if not np.isfinite(F).all():
        raise CheckFailedError("a single sample gives NaN or infinite values")


@promise("featurizer")
def waveform_is_left_alone(featurizer: Featurizer) -> None:
    """The waveform is not changed, and may be write-protected."""
    y, kept = noise(), noise()
    featurizer.extract(y, SR)
    featurizer.extract_many([y], SR)
    if not np.array_equal(y, kept):
        raise CheckFailedError("extract changes the waveform that it is given; work on a copy")
    y.flags.writeable = False
    with no_error("a write-protected waveform raised"):
        featurizer.extract(y, SR)
        featurizer.extract_many([y], SR)


@promise("featurizer")
def gives_the_same_in_onnx(featurizer: Featurizer) -> None:
    """`to_onnx`, if overridden, gives the features of `extract`."""
    if type(featurizer).to_onnx is Featurizer.to_onnx:
        raise CheckSkippedError("it does not override to_onnx")
    from audioclf.models.onnx.names import WAVEFORM
    from audioclf.models.onnx.sound import featurizer_session

    try:
        session = featurizer_session(featurizer, SR)
    except NotInOnnxError as exc:
        raise CheckSkippedError(str(exc)) from exc
    except ImportError as exc:
        raise CheckSkippedError(f"onnx and onnxruntime are not installed: {exc}") from exc
    for name in ("noise", "a tone", "silence"):
        expected = _features_of(featurizer, name)
        (F,) = session.run(None, {WAVEFORM: _SOUNDS[name]()})
        if F.shape != expected.shape:
            raise CheckFailedError(f"ONNX gives {name} a matrix of {F.shape}, not {expected.shape}")
        worst = float(np.abs(F - expected).max())
        if not worst <= _ONNX_TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise CheckFailedError(f"ONNX gives {name} features that differ by up to {worst:.2g}")


@promise("featurizer")
def same_clip_same_features(featurizer: Featurizer) -> None:
    """The same clip gives the same features, to the last bit."""
    if not once(featurizer, _is_deterministic):
        raise CheckFailedError("two calls on one clip give different features")


@promise("featurizer")
def features_depend_on_the_sound(featurizer: Featurizer) -> None:
    """Noise, two tones and a click do not all have the same features."""
    first, *others = (_features_of(featurizer, name) for name in ("noise", "a tone", "a click"))
    others.append(_extract(featurizer, tone(frequency=3e3)))
    if all(F.shape == first.shape and np.allclose(F, first, 1e-5, 1e-8) for F in others):
        raise CheckFailedError(
            "noise, two tones and a click have the same features; does `extract` use the waveform?"
        )


@promise("featurizer")
def suits_gives_a_reason_or_nothing(featurizer: Featurizer) -> None:
    """`suits` returns None or a text, whatever the length and the sample rate."""
    for seconds, sr in ((0.01, 4000), (1.0, 16_000), (3600.0, 384_000)):
        with no_error(f"suits({seconds}, {sr}) raised"):
            reason = type(featurizer).suits(seconds, sr)
        if not (reason is None or (isinstance(reason, str) and reason.strip())):
            raise CheckFailedError(f"suits({seconds}, {sr}) returned {reason!r}, not None or text")


@promise("featurizer")
def library_update_changes_the_cache_key(featurizer: Featurizer) -> None:
    """Cached features follow the versions of all libraries that the plugin imports."""
    from audioclf.components.discovery import discover
    from audioclf.features.cache_key import versions_in_key

    registry = discover()
    if not (origins := registry.origins_of(featurizer)):
        raise CheckSkippedError("no installed plugin brings it, so its features are not cached")
    known = {canonical_name(name) for name in versions_in_key(origins)}
    parts = [featurizer, *(part for _, part in components_inside(featurizer))]
    for module in sorted({type(part).__module__ for part in parts}):
        for library, distributions in imported_libraries(module).items():
            if not known & distributions:
                raise CheckFailedError(
                    f"{module.partition('.')[0]} imports {library}, and its plugin does not "
                    f"require {min(distributions)}: an update of it would leave old features in "
                    "the cache; add it to `dependencies` in pyproject.toml"
                )


@promise("featurizer")
def shape_depends_on_length_alone(featurizer: Featurizer) -> None:
    """Clips of one length have features of one shape."""
    if not featurizer.has_steady_frames():
        raise CheckSkippedError("has_steady_frames returns False")
    names = ("noise", "silence", "a click")
    shapes = {name: _features_of(featurizer, name).shape for name in names}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{shape} for {name}" for name, shape in shapes.items())
        raise CheckFailedError(f"clips of one length have several shapes: {listed}")


@promise("featurizer")
def bins_are_the_same_for_every_length(featurizer: Featurizer) -> None:
    """The number of bins does not depend on the length of the clip."""
    bins = {n: len(_extract(featurizer, noise(n))) for n in (N_SAMPLES, 2 * N_SAMPLES)}
    if len(set(bins.values())) > 1:
        listed = ", ".join(f"{count} for {n} samples" for n, count in bins.items())
        raise CheckFailedError(f"the number of bins changes with the length: {listed}")


@promise("featurizer")
def a_batch_agrees_with_each_clip(featurizer: Featurizer) -> None:
    """`extract_many` equals `extract` of each clip, to the last bit."""
    _need_determinism(featurizer)
    for name, ys in _batches().items():
        many = featurizer.extract_many([y.copy() for y in ys], SR)
        if len(many) != len(ys):
            raise CheckFailedError(f"extract_many of {name} returned {len(many)} matrices")
        for F, y in zip(many, ys, strict=True):
            if not _same(F, _extract(featurizer, y)):
                raise CheckFailedError(f"a clip in a batch of {name} has other features than alone")


@promise("featurizer")
def windows_agree_with_each_clip(featurizer: Featurizer) -> None:
    """`extract_windows` equals `extract` of each window, to the last bit."""
    step = featurizer.shared_step(SR)
    if step is not None and (not isinstance(step, int) or step < 1):
        raise CheckFailedError(f"shared_step is {step!r}, expected a whole number of samples")
    if type(featurizer).extract_windows is Featurizer.extract_windows:
        return  # another check covers `extract_many`
    _need_determinism(featurizer)
    y, size = noise(2 * N_SAMPLES, 4), N_SAMPLES
    _need_an_untouched_waveform(featurizer, y.copy())
    y[size : size + size // 4] *= np.float32(20)
    for hop in {step or size // 3, size // 4, size // 3 + 1}:
        starts = [index * hop for index in range(4) if index * hop + size <= len(y)]
        matrices = featurizer.extract_windows(y.copy(), SR, starts, size)
        if len(matrices) != len(starts):
            raise CheckFailedError(f"{len(starts)} windows returned {len(matrices)} matrices")
        for F, start in zip(matrices, starts, strict=True):
            if not _same(F, _extract(featurizer, y[start : start + size])):
                raise CheckFailedError(
                    f"the features of a window, one every {hop} samples, differ from those of the "
                    "window alone; only frames inside of both windows can be shared"
                )


@promise("featurizer")
def samples_per_frame_is_a_number(featurizer: Featurizer) -> None:
    """`samples_per_frame` returns a whole number of samples, or None."""
    n_samples = featurizer.samples_per_frame(SR)
    if n_samples is not None and (not isinstance(n_samples, int) or n_samples < 1):
        raise CheckFailedError(f"samples_per_frame returned {n_samples!r}")


@promise("featurizer")
def views_are_alike(featurizer: Featurizer) -> None:
    """The first view equals `extract`; all views have its shape and pooling."""
    first, *others = featurizer.views()
    plain = _features_of(featurizer, "noise")
    _need_determinism(featurizer)
    if not _same(_extract(first, noise()), plain):
        raise CheckFailedError("the first view differs from extract")
    for number, view in enumerate(others, start=1):
        F = _extract(view, noise())
        _check_matrix(F, f"view {number}")
        if F.shape != plain.shape or view.pooling != featurizer.pooling:
            raise CheckFailedError(
                f"view {number} has shape {F.shape} and pooling {view.pooling}, the clip itself "
                f"{plain.shape} and {featurizer.pooling}"
            )


@promise("featurizer")
def threads_do_not_meet(featurizer: Featurizer) -> None:
    """Four threads at a time get the same features as one alone."""
    _need_determinism(featurizer)
    clips = [noise(seed=index) for index in range(_THREADS)]
    alone = [_extract(featurizer, y) for y in clips]
    together = threading.Barrier(_THREADS)

    def work(index: int) -> bool:
        together.wait()
        results = (_extract(featurizer, clips[index]) for _ in range(_ROUNDS))
        return all(_same(F, alone[index]) for F in results)

    with ThreadPoolExecutor(_THREADS) as pool:
        if not all(pool.map(work, range(_THREADS))):
            raise CheckFailedError(
                "the features depend on other threads that extract at the same time"
            )


def _extract(featurizer: Featurizer, y: NDArray[np.float32]) -> Any:
    return featurizer.extract(y.copy(), SR)


def _features_of(featurizer: Featurizer, sound: str) -> Any:
    """Return the features of one of `_SOUNDS`, which is extracted once."""
    return once(featurizer, _sound_features, sound)


def _sound_features(featurizer: Featurizer, sound: str) -> Any:
    return _extract(featurizer, _SOUNDS[sound]())


def _is_deterministic(featurizer: Featurizer) -> bool:
    return _same(_features_of(featurizer, "noise"), _extract(featurizer, noise()))


def _check_matrix(F: Any, name: str) -> None:
    if not isinstance(F, np.ndarray) or F.ndim != 2 or 0 in F.shape:
        shape = getattr(F, "shape", type(F).__name__)
        raise CheckFailedError(f"{name} gives {shape}, expected shape (n_bins, n_frames)")
    if F.dtype != np.float32:
        raise CheckFailedError(f"{name} gives {F.dtype}, expected float32")
    if not np.isfinite(F).all():
        raise CheckFailedError(f"{name} gives {np.sum(~np.isfinite(F))} NaN or infinite values")


def _same(one: Any, other: Any) -> bool:
    one, other = np.asarray(one), np.asarray(other)
    return bool(one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True))


def _need_determinism(featurizer: Featurizer) -> None:
    if not once(featurizer, _is_deterministic):
        raise CheckSkippedError("one clip alone gives different features each time")


def _need_an_untouched_waveform(featurizer: Featurizer, y: NDArray[np.float32]) -> None:
    kept = y.copy()
    featurizer.extract(y, SR)
    if not np.array_equal(y, kept):
        raise CheckSkippedError("it changes the waveform, which other windows share")


def _batches() -> dict[str, list[NDArray[np.float32]]]:
    same = [noise(seed=1), tone(), silence()]
    lengths = [noise(N_SAMPLES, 2), noise(N_SAMPLES + 700, 3), tone(N_SAMPLES - 2000), silence()]
    return {
        "clips of one length": same,
        "clips of several lengths": lengths,
        "one clip": same[:1],
        "no clips": [],
    }
