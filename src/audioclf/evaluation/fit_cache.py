"""Cache of finished fits, from which the same command resumes a stopped run.

An entry is one file, `<key>.fit`. The key covers everything that determines its numbers: the
classifier with its configuration, source code and libraries; the design matrix, the classes, the
groups, the fold and the seed. Files are written under another name and renamed, and their SHA-256
is checked. Nothing in an entry is executed or unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
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
    from audioclf.components.registry import Origins
    from audioclf.evaluation.splits import Fold

FORMAT = 2
"""Number of the format; part of every key."""

FILE = re.compile(r"[0-9a-f]{64}\.fit|\.[0-9a-f]{64}\.[0-9]+\.[0-9a-f]{32}\.tmp")
"""Names of the files in the folder, whole or not yet."""

_DIGEST_BYTES = 32
_LENGTH_BYTES = 8
_NUMBERS = ("fit_seconds", "predict_seconds", "model_bytes", "peak_memory", "chosen")


def classifier_digest(classifier: Component, origins: Origins) -> str | None:
    """Return the SHA-256 over the code that computes a fit, or None if it is not all known."""
    ingredients = made_by(classifier, origins, libraries=("numpy", "scipy", "scikit-learn"))
    if ingredients is None:
        return None
    return hashlib.sha256(canonical(ingredients)).hexdigest()


class FitCache:
    """A folder of finished fits; `classifiers` are results of `classifier_digest` by pipeline.

    The first `put` creates the folder. `matrices` are SHA-256 of the design matrices by featurizer,
    `versions` those of all distributions that may take part in a fit. Errors of the disk stop
    nothing: an unreadable fit is computed again, and after a failed write `warning` holds the
    reason.
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
        """Return the key of a fit, 64 hexadecimal digits; None for a fit that must not be kept.

        `arrays` are the classes and groups of the clips, `settings` everything else, as the seed.
        """
        classifier, matrix = self._classifiers.get(pipeline), self._matrices.get(featurizer)
        if classifier is None or matrix is None:
            return None
        parts = [_array_digest(array) for array in (fold.train, fold.test, *arrays)]
        content = [self._machine, classifier, matrix, parts, [*settings]]
        return hashlib.sha256(canonical(content)).hexdigest()

    def get(self, key: str, fold: Fold) -> FoldResult | None:
        """Return a kept fit, or None; a damaged one is removed."""
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
        """Write a fit, unless an earlier write failed."""
        if self.warning is not None:
            return
        temporary = self.folder / f".{key}.{os.getpid()}.{uuid4().hex}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(pack(key, result))
            temporary.replace(self._path(key))
            self.written += 1
        except OSError as exc:
            self.warning = (
                f"{self.folder}: finished fits are not kept: {exc.strerror or exc}; "
                "a stopped run would do them again"
            )
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the fits, and the folder if nothing else is in it: its run is finished."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if FILE.fullmatch(path.name):
                    path.unlink()
            self.folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.fit"


def _array_digest(array: NDArray[Any] | None) -> str | None:
    if array is None:
        return None
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<i8").tobytes()).hexdigest()


def pack(key: str, result: FoldResult) -> bytes:
    """Return an entry: length of the JSON, the JSON, codes, scores, decision values, SHA-256."""
    scores = result.scores
    header = {
        "key": key,
        "clips": len(result.y_pred),
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
    parts.append(result.y_pred.astype("<i8").tobytes())
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
    n_states, thresholds = header.get("states"), header.get("thresholds")
    n_predicted = n_clips * (n_states or 1)
    n_arrays = (n_classes is not None) + bool(header["has_decision_values"])
    if len(numbers) != 8 * (n_predicted + n_clips * n_arrays * (n_classes or 0)):
        raise ValueError("another number of clips or classes")
    y_pred = np.frombuffer(numbers, "<i8", count=n_predicted)
    scores = decision_values = None
    if n_classes is not None:
        arrays = np.frombuffer(numbers, "<f8", offset=8 * n_predicted).astype(np.float64)
        scores, *rest = arrays.reshape(n_arrays, n_clips, n_classes)
        decision_values = rest[0] if rest else None
    return FoldResult(
        fold=fold,
        y_pred=y_pred.reshape(n_clips, n_states).astype(np.int8)
        if n_states
        else y_pred.astype(np.intp),
        scores=scores,
        score_kind=kind,
        decision_values=decision_values,
        thresholds=None if thresholds is None else np.asarray(thresholds, dtype=np.float64),
        warnings=tuple(header["warnings"]),
        **{name: header[name] for name in _NUMBERS},
    )
