"""Checks of loaders."""

# ruff: noqa: D401  docstrings here are the promises that a user reads
from __future__ import annotations

import pickle
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import AudioclfError, DatasetError, DecodeError
from audioclf.dataset.dataset import Dataset
from audioclf.testing.check import CheckFailedError, CheckSkippedError, no_error, promise

if TYPE_CHECKING:
    from audioclf.components.loader import Loader

_SHOWN = 3


@promise("loader")
def loads_a_dataset(loader: Loader) -> None:
    """`load` returns a `Dataset`."""
    dataset: Any = loader.load()
    if not isinstance(dataset, Dataset):
        raise CheckFailedError(f"load returned a {type(dataset).__name__} instead of a Dataset")


@promise("loader")
def ids_are_unique(loader: Loader) -> None:
    """No two clips have one id."""
    counts = Counter(clip.id for clip in loader.load().clips)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise CheckFailedError(f"more than one clip has the id {twice[0]!r}")


@promise("loader")
def labels_are_words(loader: Loader) -> None:
    """Every label is a string that is not blank."""
    dataset = loader.load()
    for clip in dataset.clips:
        label: object = clip.label
        if not isinstance(label, str) or not (label.strip() or dataset.is_several):
            raise CheckFailedError(f"the label of {clip.id!r} is {label!r}, expected a name")


@promise("loader")
def two_loads_are_equal(loader: Loader) -> None:
    """The same source gives the same clips in the same order."""
    first, second = loader.load().clips, loader.load().clips
    if len(first) != len(second):
        raise CheckFailedError(f"one load gave {len(first)} clips, the next one {len(second)}")
    for one, other in zip(first, second, strict=True):
        if _facts(one) != _facts(other):
            raise CheckFailedError(f"one load gave {_facts(one)}, the next one {_facts(other)}")


@promise("loader")
def every_clip_decodes(loader: Loader) -> None:
    """Every clip is audio that can be read."""
    refused = []
    for clip in loader.load().clips:
        try:
            decode(clip.source, AudioConfig())
        except DecodeError as exc:
            refused.append(exc.message)
    if refused:
        shown = "; ".join(refused[:_SHOWN])
        raise CheckFailedError(f"{len(refused)} clips cannot be decoded: {shown}")


@promise("loader")
def clips_travel(loader: Loader) -> None:
    """Clips pickle, so that worker processes can read them."""
    clips = loader.load().clips
    with no_error("clips do not pickle:"):
        again = pickle.loads(pickle.dumps(clips))  # noqa: S301  written a moment ago
    for one, other in zip(clips, again, strict=True):
        if one.source.digest() != other.source.digest():
            raise CheckFailedError(f"the pickled clip {one.id!r} reads other bytes")


@promise("loader")
def a_missing_source_is_named(loader: Loader) -> None:
    """A path that does not exist is a `DatasetError` that names the path."""
    for field, path in _paths(loader).items():
        with tempfile.TemporaryDirectory() as folder:
            gone = Path(folder, f"nothing_here{path.suffix}")
            _expect_refusal(loader, field, gone, (DatasetError,), "does not exist")


@promise("loader")
def a_corrupt_source_is_named(loader: Loader) -> None:
    """A path to a file of random bytes is an error that names the path."""
    for field, path in _paths(loader).items():
        with tempfile.TemporaryDirectory() as folder:
            damaged = Path(folder, f"damaged{path.suffix}")
            damaged.write_bytes(np.random.default_rng(0).bytes(4096))
            errors = (DatasetError, DecodeError)
            _expect_refusal(loader, field, damaged, errors, "is a file of random bytes")


def _facts(clip: Any) -> tuple[Any, ...]:
    return clip.id, clip.label, clip.group, clip.fold, clip.source.name


def _paths(loader: Loader) -> dict[str, Path]:
    paths = {name: value for name, value in loader if isinstance(value, Path)}
    if not paths:
        raise CheckSkippedError("it has no field that is a path on disk")
    return paths


def _expect_refusal(
    loader: Loader, field: str, path: Path, errors: tuple[type[AudioclfError], ...], what: str
) -> None:
    try:
        loader.model_copy(update={field: path}).load()
    except errors as exc:
        if path.name in str(exc):
            return
        raise CheckFailedError(
            f"`{field}` {what}, and the error does not name it: {exc.message}"
        ) from exc
    except Exception as exc:
        raise CheckFailedError(
            f"`{field}` {what}: it raised {type(exc).__name__}, expected a DatasetError: {exc}"
        ) from exc
    raise CheckFailedError(f"`{field}` {what}, and load does not report it")
