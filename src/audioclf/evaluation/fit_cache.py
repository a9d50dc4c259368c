"""Fits that are done, kept until their run is: the same command then goes on where it stopped.

An entry is one file, `<key>.fit`, found by all that decides about its numbers: the classifier with
its configuration, origin, source code and libraries; the design matrix, the classes, the groups
and the fold; the seed. It is written aside and renamed, and its SHA-256 is checked when it is read,
so a killed run leaves it whole or not at all. The digest finds damage, not forgery. Nothing in an
entry is executed or unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

import numpy as np

from audioclf.base.machine import platform_name
from audioclf.components.code_digest import canonical, made_by
from audioclf.evaluation.predictions import ScoreKind
from audioclf.evaluation.results import FoldResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components.component import Component
    from audioclf.components.registry import Origin
    from audioclf.evaluation.splits import Fold

FORMAT = 1
"""Number of the format; it stands in every key."""

_DIGEST_BYTES = 32
_LENGTH_BYTES = 8
_NUMBERS = ("fit_seconds", "predict_seconds", "model_bytes", "peak_memory", "chosen")


def classifier_digest(classifier: Component, origin: Origin | None) -> str | None:
    """Return the SHA-256 over what computes a fit, or None where that cannot all be known."""
    ingredients = made_by(classifier, origin, libraries=("numpy", "scipy", "scikit-learn"))
    if ingredients is None:
        return None
    return hashlib.sha256(canonical(ingredients)).hexdigest()


class FitCache:
    """A folder of finished fits.

    The disk makes neither `get` nor `put` fail: what cannot be read is fitted again, and where
    nothing can be written, `warning` says so and the run goes on.

    Parameters
    ----------
    folder : Path
        Made by the first `put`.
    classifiers : mapping of str to str or None
        What `classifier_digest` gave, by name of the pipeline; fits of the others are not kept.
    matrices : mapping of str to str
        SHA-256 of each design matrix, by name of the featurizer.
    versions : mapping of str to str
        Of all that may compute; what is kept by others is not taken.

    Attributes
    ----------
    found, written, damaged : int
        Fits that were kept from before, fits that were added, and entries that were not what was
        written.
    warning : str or None
        Why nothing more is kept.
    """

    def __init__(
        self,
        folder: Path,
        classifiers: Mapping[str, str | None],
        matrices: Mapping[str, str],
        versions: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self.found = self.written = self.damaged = 0
        self.warning: str | None = None
        self._classifiers = classifiers
        self._matrices = matrices
        self._machine = [FORMAT, platform_name(), dict(versions)]

    def key(
        self,
        pipeline: str,
        featurizer: str,
        fold: Fold,
        arrays: Sequence[NDArray[Any] | None],
        settings: Sequence[object],
    ) -> str | None:
        """Return the key of one fit, 64 hexadecimal digits; None if it must not be kept.

        Parameters
        ----------
        pipeline, featurizer : str
        fold : Fold
        arrays : sequence of np.ndarray or None
            Classes and groups of the clips.
        settings : sequence of JSON
            Whatever else decides, as the seed.
        """
        classifier, matrix = self._classifiers.get(pipeline), self._matrices.get(featurizer)
        if classifier is None or matrix is None:
            return None
        parts = [_array_digest(each) for each in (fold.train, fold.test, *arrays)]
        told = [self._machine, classifier, matrix, parts, [*settings]]
        return hashlib.sha256(canonical(told)).hexdigest()

    def get(self, key: str, fold: Fold) -> FoldResult | None:
        """Return a fit that is kept, or None; a damaged one is removed."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        result = unpack(key, fold, content)
        if result is None:
            self.damaged += 1
            with suppress(OSError):
                path.unlink()
            return None
        self.found += 1
        return result

    def put(self, key: str, result: FoldResult) -> None:
        """Keep a fit, whole or not at all."""
        if self.warning is not None:
            return
        aside = self.folder / f".{key}.{os.getpid()}.{uuid4().hex}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(pack(key, result))
            aside.replace(self._path(key))
            self.written += 1
        except OSError as exc:
            self.warning = (
                f"{self.folder}: finished fits are not kept: {exc.strerror or exc}; "
                "a run that is stopped would do them again"
            )
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the folder: its run is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.fit"


def _array_digest(array: NDArray[Any] | None) -> str | None:
    if array is None:
        return None
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<i8").tobytes()).hexdigest()


def pack(key: str, result: FoldResult) -> bytes:
    """Return the bytes of an entry: length of the JSON, the JSON, codes, scores, SHA-256."""
    scores = result.scores
    told = {
        "key": key,
        "clips": len(result.y_pred),
        "classes": None if scores is None else scores.shape[1],
        "score_kind": result.score_kind,
        "warnings": list(result.warnings),
        **{name: getattr(result, name) for name in _NUMBERS},
    }
    # Not sorted: what a search chose keeps its order in the results.
    text = json.dumps(told).encode("ascii")
    parts = [len(text).to_bytes(_LENGTH_BYTES, "little"), text]
    parts.append(result.y_pred.astype("<i8").tobytes())
    if scores is not None:
        parts.append(scores.astype("<f8").tobytes())
    body = b"".join(parts)
    return body + hashlib.sha256(body).digest()


def unpack(key: str, fold: Fold, content: bytes) -> FoldResult | None:
    """Return the fit of a fold, or None if these bytes are not what `pack` makes for the key."""
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    start = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "little")
    try:
        told = json.loads(body[_LENGTH_BYTES:start])
        return _result(key, fold, told, body[start:])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _result(key: str, fold: Fold, told: Mapping[str, Any], numbers: bytes) -> FoldResult:
    n_clips, n_classes, kind = told["clips"], told["classes"], told["score_kind"]
    if told["key"] != key or n_clips != len(fold.test) or kind not in get_args(ScoreKind):
        raise ValueError("the entry of another fit")
    if len(numbers) != 8 * n_clips * (1 + (n_classes or 0)):
        raise ValueError("another number of clips or classes")
    scores = None
    if n_classes is not None:
        scores = np.frombuffer(numbers, "<f8", offset=8 * n_clips).reshape(n_clips, n_classes)
        scores = scores.astype(np.float64)
    return FoldResult(
        fold=fold,
        y_pred=np.frombuffer(numbers, "<i8", count=n_clips).astype(np.intp),
        scores=scores,
        score_kind=kind,
        warnings=tuple(told["warnings"]),
        **{name: told[name] for name in _NUMBERS},
    )
