"""scikit-learn estimators in the format of skops: a zip of JSON and `.npy`, nothing pickled.

skops rebuilds objects only of types that it or the caller trusts. What it leaves to the caller is
done here: the bytes do not depend on memory addresses, the size is bounded before anything is
built, and what was built is checked before it runs.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

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
"""Beyond what skops trusts of itself: two plain classes, and the trees that `trees` checks."""

_ARRAY_LIBRARIES = ("cupy", "dask", "torch")
"""What scikit-learn has adapters for, each of which imports its library whole."""


def dump_skops(estimator: Any) -> bytes:
    """Return a fitted estimator as bytes that depend on nothing but what it is."""
    skops_io = _skops_io()
    with without_search_trees(parts_of(estimator)):
        return _canonical(skops_io.dumps(estimator))


def load_skops(data: bytes, trusted: Iterable[str]) -> Any:
    """Rebuild an estimator that a stranger stored, and check it before it can run.

    Parameters
    ----------
    data : bytes
    trusted : iterable of str
        Full names of the types that may be in it, beyond those that skops trusts.

    Raises
    ------
    RefusedError
        If it cannot be what `dump_skops` wrote, holds another type, or would not be safe to run.
    """
    skops_io = _skops_io()
    allowed = sorted(set(trusted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # another patch release of scikit-learn
        with refusing("structure", "the estimator is no file of skops"):
            _check_container(data)
        with refusing("structure", "the estimator cannot be rebuilt"):
            foreign = set(skops_io.get_untrusted_types(data=data)) - set(allowed)
            if foreign:
                raise _foreign(sorted(foreign))
            estimator = skops_io.loads(data, trusted=allowed)
        with refusing("structure", "the estimator is not sound"):
            check_structure(estimator)
            grow_search_trees(parts_of(estimator))
    return estimator


def _skops_io() -> ModuleType:
    """Return `skops.io`, whose first import walks through all modules of scikit-learn.

    Array libraries are kept out of that walk where they are not imported already: no estimator
    stands there, and PyTorch alone takes longer than the rest of a prediction.
    """
    finder = _Absent()
    sys.meta_path.insert(0, finder)
    try:
        return import_module("skops.io")
    finally:
        sys.meta_path.remove(finder)


class _Absent(MetaPathFinder):
    """Says of array libraries that they are not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname in _ARRAY_LIBRARIES:
            raise ModuleNotFoundError(fullname, name=fullname)


def _check_container(data: bytes) -> None:
    """Refuse an inner zip that could unpack to more than it is.

    Its files must be stored plain, and but for the schema be arrays of the size that they claim:
    skops hands them to `numpy.load`, which would unpack a zip in turn.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        _check_sizes(infos, len(data))
        for info in infos:
            if info.filename != SCHEMA:
                check_npy(archive.read(info))


def _check_sizes(infos: Iterable[zipfile.ZipInfo], size: int) -> None:
    total, names = 0, set()
    for info in infos:
        total += info.file_size
        names.add(info.filename)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"{info.filename!r} is compressed, which only the bundle itself is")
        if info.filename == SCHEMA and info.file_size > MAX_SCHEMA_BYTES:
            raise ValueError(f"{info.file_size} bytes of {SCHEMA} (limit {MAX_SCHEMA_BYTES})")
    if SCHEMA not in names or total > size:
        raise ValueError(f"{total} bytes in a file of {size}, or no {SCHEMA}")


def _foreign(types: list[str]) -> RefusedError:
    shown = ", ".join(types[:5])
    return RefusedError(
        "type",
        f"the estimator holds {shown}, which a model of this classifier does not need",
        hint="Do not load this file, unless you know why: a plugin can declare `trusted_types`.",
    )


def _canonical(data: bytes) -> bytes:
    """Name objects and files by their order in the schema, where skops uses memory addresses."""
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
        # Whether two equal numbers are one object is chance, and of no matter.
        changed.pop("__id__", None)
    elif isinstance(node.get("__id__"), int):
        changed["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
    if isinstance(node.get("file"), str):
        suffix = node["file"].rpartition(".")[2]
        changed["file"] = names.setdefault(node["file"], f"{len(names)}.{suffix}")
    return {key: _renumbered(value, ids, names) for key, value in changed.items()}
