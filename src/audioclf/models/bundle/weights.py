"""Weights of a bundle, in it or on this computer, found by digest before anything parses them."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from audioclf.base.errors import AudioclfError, ConfigError
from audioclf.components.featurizer import Featurizer
from audioclf.components.pinned import fields_at, weights_inside
from audioclf.components.weights import HUB_NAME, digest_of, models_folder, size_of
from audioclf.models.bundle.manifest import WEIGHTS, StoredWeights
from audioclf.models.refusal import RefusedError, refusing

MAX_EMBEDDED_BYTES = 5_000_000
"""Largest weights that a bundle holds."""


def embedded(featurizer: Featurizer) -> dict[str, bytes]:
    """Return the weights that a bundle holds, by member: small files that may be passed on."""
    return {
        f"{WEIGHTS}{weights.sha256}": weights.read()
        for _, weights in weights_inside(featurizer)
        if weights.field and weights.redistributable and weights.size <= MAX_EMBEDDED_BYTES
        if not weights.path.is_dir()
    }


def located(
    fields: Mapping[str, Any],
    stored: Sequence[StoredWeights],
    given: Sequence[Path],
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    """Return the fields of a featurizer with the paths of its weights on this computer.

    A file with the digest is looked for among those that are given, in the bundle (`files` are its
    members), in `models_folder`, and where the fields say; if they name no file, the featurizer
    knows it, such as one of an installed package. `RefusedError` if there is none, `ConfigError` if
    a given file is not needed.
    """
    _check_needed(stored, given)
    data: dict[str, Any] = deepcopy(dict(fields))
    for weights in stored:
        if weights.field:
            with refusing("weights", f"the featurizer has no part {weights.place!r}"):
                part = fields_at(data, weights.place)
            inside = _unpacked(weights.sha256, files.get(weights.member))
            own = part.get(weights.field)
            path = _found(weights, [*given, *inside], own)
            part[weights.field] = own if path is None else str(path)
            if weights.digest_field:
                part[weights.digest_field] = weights.sha256
    return data


def check_weights(featurizer: Featurizer, stored: Sequence[StoredWeights]) -> None:
    """Check that a featurizer reads the stored weights and no others; nothing is parsed yet."""
    names = " and ".join(map(_named, stored)) or "its weights"
    with refusing("weights", f"{names} cannot be used"):
        try:
            actual = dict.fromkeys((place, item) for place, item in weights_inside(featurizer))
        except AudioclfError as exc:
            if any(item.field for item in stored):
                exc.hint = _how_to_give()
            raise
    expected = {(item.place, item.sha256): item for item in stored}
    for place, item in actual:
        if expected.pop((place, item.sha256), None) is None:
            needed = ", ".join(_named(other) for other in stored if other.place == place)
            what = f"the weights {item.path} have SHA-256 {item.sha256}, and the model names "
            hint = "Install the version of the plugin that the model names."
            raise RefusedError("weights", f"{what}{needed or 'no digest for them'}", hint=hint)
    for missing in expected.values():
        raise RefusedError("weights", f"its featurizer does not read {_named(missing)}")


def _check_needed(stored: Sequence[StoredWeights], given: Sequence[Path]) -> None:
    needed = ", ".join(map(_named, stored))
    for path in given:
        digest, _ = digest_of(path)
        if digest not in {item.sha256 for item in stored}:
            raise ConfigError(
                f"{path}: has SHA-256 {digest}, and the model needs {needed or 'no weights'}",
                hint="Give the file with that digest, or leave --weights out.",
            )


def _unpacked(sha256: str, content: bytes | None) -> list[Path]:
    """Write a member to a folder that is removed at the end, for featurizers that read a path."""
    if content is None or hashlib.sha256(content).hexdigest() != sha256:
        return []
    path = _folder() / sha256
    if not path.exists():
        part = path.with_suffix(f".{threading.get_ident()}")
        part.write_bytes(content)
        part.replace(path)
    return [path]


@cache
def _folder() -> Path:
    atexit.register(remove_unpacked)
    return Path(tempfile.mkdtemp(prefix="audioclf-weights-"))


def remove_unpacked() -> None:
    """Remove the unpacked weights of this process."""
    if _folder.cache_info().currsize:
        shutil.rmtree(_folder(), ignore_errors=True)
        _folder.cache_clear()


def _found(weights: StoredWeights, given: Sequence[Path], path: object) -> Path | None:
    own = [Path(path)] if isinstance(path, str) and path else []
    for candidate in (*given, *_kept(weights.size), *own):
        with suppress(OSError, AudioclfError):
            if size_of(candidate) == weights.size and digest_of(candidate)[0] == weights.sha256:
                return candidate.absolute()
    if path is None:
        return None
    other = own and own[0].exists()
    problem = f"are missing: {own[0]} is another file" if other else "are missing"
    hint = _how_to_give()
    if HUB_NAME.fullmatch(weights.name):
        hint = f"Run `audioclf weights fetch {weights.name}`, or name the folder with --weights."
    raise RefusedError("weights", f"{_named(weights)} {problem}", hint=hint)


def _how_to_give() -> str:
    return f"Name the file with --weights FILE, or copy it to {models_folder()}."


def _kept(size: int) -> Iterator[Path]:
    """Yield the files and folders of weights of this size in the folder of models."""
    with suppress(OSError):
        for path in sorted(models_folder().iterdir()):
            with suppress(OSError, ConfigError):
                if size_of(path) == size:
                    yield path


def _named(weights: StoredWeights) -> str:
    return f"the weights {weights.name!r} with SHA-256 {weights.sha256}"
