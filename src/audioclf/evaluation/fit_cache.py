"""Cache of finished fits, which later runs use and a stopped run continues from.

The key of an entry covers everything that determines its numbers: the classifier with its
configuration, source code and libraries; the design matrix, the classes, the groups, the fold and
the seed. An entry ends with its SHA-256, which is checked. Nothing in it is executed or unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, get_args

import numpy as np

from audioclf.base.machine import platform_name
from audioclf.components.code_digest import canonical, made_by
from audioclf.evaluation.predictions import ScoreKind
from audioclf.evaluation.results import FoldResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components.component import Component
    from audioclf.components.registry import Origins
    from audioclf.evaluation.splits import Fold

FORMAT = 3
"""Number of the format; part of every key."""

_DIGEST_BYTES = 32
_LENGTH_BYTES = 8
_NUMBERS = ("fit_seconds", "predict_seconds", "model_bytes", "peak_memory", "chosen")


def classifier_digest(classifier: Component, origins: Origins) -> str | None:
    """Return the SHA-256 over the code that computes a fit, or None if it is not all known."""
    ingredients = made_by(classifier, origins, libraries=("numpy", "scipy", "scikit-learn"))
    if ingredients is None:
        return None
    return hashlib.sha256(canonical(ingredients)).hexdigest()


_T = TypeVar("_T")


class Store(Protocol):
    """Entries by key on disk, as the feature cache holds them."""

    folder: Path
    written: int
    damaged: int
    failure: str | None

    def read(
        self, keys: Sequence[str], unpack: Callable[[str, bytes], _T | None], /
    ) -> dict[str, _T]:
        """Return the entries that exist and are not damaged."""

    def write(self, key: str, content: bytes, /) -> None:
        """Store an entry by the next `flush`; the reason why one cannot be is the `failure`."""

    def flush(self) -> None:
        """Write the entries to the disk, and close what `read` opened."""

    def close(self) -> None:
        """Flush, and keep the store small and quick to search."""


class FitCache:
    """The finished fits in a store; `classifiers` are results of `classifier_digest` by pipeline.

    `matrices` are SHA-256 of the design matrices by featurizer, `versions` those of all
    distributions that may take part in any fit. Errors of the disk stop nothing: an unreadable fit
    is computed again, and after a failed write `warning` holds the reason. Of the fits that were
    `found`, `earlier` ones were not written by this object.
    """

    def __init__(
        self,
        store: Store,
        classifiers: Mapping[str, str | None],
        matrices: Mapping[str, str],
        versions: Mapping[str, str],
    ) -> None:
        self.store = store
        self.found = self.earlier = 0
        self._new: set[str] = set()
        self._classifiers = classifiers
        self._matrices = matrices
        self._machine = [FORMAT, platform_name(), dict(versions)]

    @property
    def kept(self) -> int:
        """Number of fits that were found or written."""
        return self.found + self.store.written

    @property
    def warning(self) -> str | None:
        """Why fits are not kept, if they cannot be."""
        if self.store.failure is None:
            return None
        return (
            f"{self.store.folder}: finished fits are not kept: {self.store.failure}; "
            "a stopped run would do them again"
        )

    def key(
        self,
        pipeline: str,
        featurizer: str,
        fold: Fold,
        arrays: Sequence[NDArray[Any] | None],
        settings: Sequence[object],
    ) -> str | None:
        """Return the key of a fit, 64 hexadecimal digits; None for a fit that must not be kept.

        `arrays` are the classes and groups of the clips, `settings` everything else, as the seed.
        """
        classifier, matrix = self._classifiers.get(pipeline), self._matrices.get(featurizer)
        if classifier is None or matrix is None:
            return None
        parts = [_array_digest(array) for array in (fold.train, fold.test, *arrays)]
        content = [self._machine, classifier, matrix, parts, [*settings]]
        return hashlib.sha256(canonical(content)).hexdigest()

    def get(self, keys: Sequence[str | None], folds: Sequence[Fold]) -> dict[int, FoldResult]:
        """Return the kept fits by position; a damaged one counts as missing."""
        wanted = {key: fold for key, fold in zip(keys, folds, strict=True) if key is not None}
        kept = self.store.read([*wanted], lambda key, content: unpack(key, wanted[key], content))
        self.store.flush()
        results = {
            position: replace(kept[key], fold=folds[position])
            for position, key in enumerate(keys)
            if key in kept
        }
        self.found += len(results)
        self.earlier += sum(keys[position] not in self._new for position in results)
        return results

    def put(self, key: str, result: FoldResult) -> None:
        """Write a fit at once, unless an earlier write failed."""
        self._new.add(key)
        self.store.write(key, pack(key, result))
        self.store.flush()


def _array_digest(array: NDArray[Any] | None) -> str | None:
    if array is None:
        return None
    plain = np.ascontiguousarray(array, dtype=_plain(array))
    return hashlib.sha256(plain.tobytes()).hexdigest()


def _plain(array: NDArray[Any]) -> str:
    """Return the type in which an array is kept: floats of 8 bytes, else integers of 8 bytes."""
    return "<f8" if array.dtype.kind == "f" else "<i8"


def pack(key: str, result: FoldResult) -> bytes:
    """Return an entry: length of the JSON, the JSON, codes, scores, decision values, SHA-256."""
    scores = result.scores
    header = {
        "key": key,
        "clips": len(result.y_pred),
        "predicted": _plain(result.y_pred),
        "classes": None if scores is None else scores.shape[1],
        "score_kind": result.score_kind,
        "has_decision_values": result.decision_values is not None,
        "warnings": list(result.warnings),
        **{name: getattr(result, name) for name in _NUMBERS},
    }
    if result.y_pred.ndim == 2:
        thresholds = result.thresholds
        header["states"] = result.y_pred.shape[1]
        header["thresholds"] = None if thresholds is None else thresholds.tolist()
    # Not sorted: the parameters that a search chose keep their order in the results.
    text = json.dumps(header).encode("ascii")
    parts = [len(text).to_bytes(_LENGTH_BYTES, "little"), text]
    parts.append(result.y_pred.astype(_plain(result.y_pred)).tobytes())
    arrays = (scores, result.decision_values)
    parts += [array.astype("<f8").tobytes() for array in arrays if array is not None]
    body = b"".join(parts)
    return body + hashlib.sha256(body).digest()


def unpack(key: str, fold: Fold, content: bytes) -> FoldResult | None:
    """Return the fit of a fold, or None if these bytes are not from `pack` with the same key."""
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    start = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "little")
    try:
        header = json.loads(body[_LENGTH_BYTES:start])
        return _result(key, fold, header, body[start:])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _result(key: str, fold: Fold, header: Mapping[str, Any], numbers: bytes) -> FoldResult:
    n_clips, n_classes, kind = header["clips"], header["classes"], header["score_kind"]
    if header["key"] != key or n_clips != len(fold.test) or kind not in get_args(ScoreKind):
        raise ValueError("entry of another fit")
    if header["predicted"] not in ("<i8", "<f8"):
        raise ValueError("predictions of another type")
    n_states, thresholds = header.get("states"), header.get("thresholds")
    n_predicted = n_clips * (n_states or 1)
    n_arrays = (n_classes is not None) + bool(header["has_decision_values"])
    if len(numbers) != 8 * (n_predicted + n_clips * n_arrays * (n_classes or 0)):
        raise ValueError("another number of clips or classes")
    y_pred = np.frombuffer(numbers, header["predicted"], count=n_predicted)
    scores = decision_values = None
    if n_classes is not None:
        arrays = np.frombuffer(numbers, "<f8", offset=8 * n_predicted).astype(np.float64)
        scores, *rest = arrays.reshape(n_arrays, n_clips, n_classes)
        decision_values = rest[0] if rest else None
    return FoldResult(
        fold=fold,
        y_pred=y_pred.reshape(n_clips, n_states).astype(np.int8)
        if n_states
        else y_pred.astype(np.float64 if y_pred.dtype.kind == "f" else np.intp),
        scores=scores,
        score_kind=kind,
        decision_values=decision_values,
        thresholds=None if thresholds is None else np.asarray(thresholds, dtype=np.float64),
        warnings=tuple(header["warnings"]),
        **{name: header[name] for name in _NUMBERS},
    )
