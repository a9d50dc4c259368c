"""scikit-learn estimators in the format of skops: a zip of JSON and `.npy`, nothing pickled.

skops restores only types that it or the caller trusts. This module adds: bytes that do not depend
on memory addresses, a bound on the size before anything is restored, and checks of the restored
estimator before it runs.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any

from audioclf.base.machine import lean_imports
from audioclf.models.arrays import check_npy
from audioclf.models.bundle.container import zipped
from audioclf.models.estimators.structure import check_structure, parts_of
from audioclf.models.estimators.vectors import grow_search_trees, without_search_trees
from audioclf.models.refusal import RefusedError, refusing

SCHEMA = "schema.json"
MAX_SCHEMA_BYTES = 64 << 20
"""Each byte of the schema becomes up to 40 bytes in memory."""

TRUSTED_TYPES = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""In addition to the types that skops trusts: two plain classes, and trees, checked in `trees`."""


def dump_skops(estimator: Any) -> bytes:
    """Return a fitted estimator as bytes: equal bytes for equal estimators."""
    skops_io = _skops_io()
    with without_search_trees(parts_of(estimator)):
        return _canonical(skops_io.dumps(estimator))


def load_skops(data: bytes, trusted: Iterable[str]) -> Any:
    """Restore an untrusted estimator, and check it before it can run.

    `trusted` are full names of types in addition to those that skops trusts. `RefusedError` if
    `dump_skops` cannot have written it, it holds another type, or is unsafe to run.
    """
    skops_io = _skops_io()
    allowed = sorted(set(trusted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # another patch release of scikit-learn
        with refusing("structure", "the estimator is no file of skops"):
            _check_container(data)
        with refusing("structure", "the estimator cannot be rebuilt"):
            if foreign := unknown_types(data, allowed):
                raise _foreign(foreign)
            estimator = skops_io.loads(data, trusted=allowed)
        with refusing("structure", "the estimator is not sound"):
            check_structure(estimator)
            grow_search_trees(parts_of(estimator))
    return estimator


def unknown_types(data: bytes, trusted: Iterable[str]) -> list[str]:
    """Return the full names of the types in a stored estimator that nobody trusts, sorted."""
    return sorted(set(_skops_io().get_untrusted_types(data=data)) - set(trusted))


def _skops_io() -> ModuleType:
    """Return `skops.io`, whose first import imports all modules of scikit-learn."""
    with lean_imports():
        return import_module("skops.io")


def _check_container(data: bytes) -> None:
    """Refuse an inner zip that could unpack to more than its own size.

    Its files must be uncompressed, and all but the schema arrays of the size in their header: skops
    passes them to `numpy.load`, which would unpack a zip.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        for info in infos:
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                what = f"{info.filename!r} is compressed, which only the bundle itself is"
                raise ValueError(what)
            if info.filename == SCHEMA and info.file_size > MAX_SCHEMA_BYTES:
                raise ValueError(f"{info.file_size} bytes of {SCHEMA} (limit {MAX_SCHEMA_BYTES})")
        total = sum(info.file_size for info in infos)
        if SCHEMA not in archive.namelist() or total > len(data):
            raise ValueError(f"{total} bytes in a file of {len(data)}, or no {SCHEMA}")
        for info in infos:
            if info.filename != SCHEMA:
                check_npy(archive.read(info))


def _foreign(types: list[str]) -> RefusedError:
    shown = ", ".join(types[:5])
    return RefusedError(
        "type",
        f"the estimator holds {shown}, which a model of this classifier does not need",
        hint="Do not load this file unless you trust it: a plugin can declare `trusted_types`.",
    )


def _canonical(data: bytes) -> bytes:
    """Replace names of objects and files by numbers, where skops names them by memory addresses."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names: dict[str, str] = {}
        schema = _renumbered(json.loads(archive.read(SCHEMA)), {}, names)
        text = json.dumps(schema, separators=(",", ":"), ensure_ascii=True).encode("ascii")
        files = {new: archive.read(old) for old, new in names.items()}
    return zipped({SCHEMA: text, **files}, method=zipfile.ZIP_STORED)


def _renumbered(node: Any, ids: dict[int, int], names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renumbered(item, ids, names) for item in node]
    if not isinstance(node, dict):
        return node
    changed = dict(node)
    if node.get("__loader__") == "JsonNode":
        # Whether two equal numbers are one object is random and irrelevant.
        changed.pop("__id__", None)
    elif isinstance(node.get("__id__"), int):
        changed["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
    if isinstance(node.get("file"), str):
        suffix = node["file"].rpartition(".")[2]
        changed["file"] = names.setdefault(node["file"], f"{len(names)}.{suffix}")
    return {key: _renumbered(value, ids, names) for key, value in changed.items()}
