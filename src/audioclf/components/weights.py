"""Weights: files of trained numbers that a featurizer reads, identified by their digest.

Weights may be a folder in the layout of Hugging Face. Only the files that describe and hold a model
count, `IN_FOLDER`: a readme or a tokenizer beside them does not change the digest.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from audioclf.base.errors import ConfigError

FOLDER_VARIABLE = "AUDIOCLF_MODELS_DIR"
"""Environment variable: the folder of `models_folder`."""

IN_FOLDER = re.compile(r"((pre)?processor_)?config\.json|model(-\d+-of-\d+)?\.safetensors")
"""Names of the files in a folder that belong to its weights."""

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", re.ASCII)
"""A model that `audioclf weights fetch` downloads: `org/name@revision`."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of trained numbers that a featurizer reads, or a folder of such files.

    Runs and models record the digest, size and licence. A model finds its weights by the digest,
    on any computer.

    Parameters
    ----------
    name : str
        Name of the file or folder, or `org/name@revision` of a model that `audioclf weights fetch`
        downloads.
    path : Path
        Its place on this computer.
    sha256 : str
        SHA-256 of its content, 64 hexadecimal digits in lower case. That of a folder is the SHA-256
        of the output of `sha256sum` for `config.json`, `preprocessor_config.json` and the files of
        `model*.safetensors`, sorted by name.
    size : int
        Bytes, of a folder those of the same files.
    license : str
        Licence of the weights, such as `Apache-2.0` or `CC BY-NC-SA 4.0, no commercial use`; empty
        if unknown.
    field, digest_field : str
        Fields of the featurizer that hold the path and the digest; empty for a file of an installed
        package that can be read from nowhere else.
    redistributable : bool
        Whether their licence lets anybody pass them on. Then a model holds them, if they are one
        small file.
    """

    name: str
    path: Path
    sha256: str
    size: int
    license: str = ""
    field: str = ""
    digest_field: str = ""
    redistributable: bool = False

    @classmethod
    def of(
        cls,
        path: Path,
        *,
        sha256: str | None = None,
        license: str = "",  # noqa: A002  the word of package metadata
        field: str = "",
        digest_field: str = "",
        redistributable: bool = False,
    ) -> Weights:
        """Return the weights in a file or folder, which may have to have a digest.

        Nothing is parsed.

        Raises
        ------
        ConfigError
            If a file cannot be read, or the digest is another one.
        """
        digest, size = digest_of(path)
        _compare(path, digest, sha256)
        words = (license, field, digest_field)
        return cls(path.name, path, digest, size, *words, redistributable=redistributable)

    def read(self) -> bytes:
        """Return the content, after its digest was compared: parse these bytes, not the file.

        Raises
        ------
        ConfigError
            If the file cannot be read, or has another digest.
        """
        content = _content(self.path)
        _compare(self.path, hashlib.sha256(content).hexdigest(), self.sha256)
        return content

    def read_folder(self) -> dict[str, bytes]:
        """Return the content of each file of a folder by its name, after the digest was compared.

        Parse these bytes, not the files.

        Raises
        ------
        ConfigError
            If a file cannot be read, or the digest is another one.
        """
        contents = {path.name: _content(path) for path in _files(self.path)}
        digests = {name: hashlib.sha256(each).hexdigest() for name, each in contents.items()}
        _compare(self.path, _joined(digests), self.sha256)
        return contents


def models_folder() -> Path:
    """Return the folder in which models look for their weights, whatever the names of the files.

    It is that of `AUDIOCLF_MODELS_DIR`, or `models` where this system keeps the data of programs.
    """
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("audioclf", appauthor=False) / "models"


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of the weights in a folder; `OSError` if it is neither."""
    return sum(file.stat().st_size for file in (_files(path) if path.is_dir() else [path]))


def digest_of(path: Path) -> tuple[str, int]:
    """Return the SHA-256 and the bytes of weights; `ConfigError` if there are none."""
    try:
        if path.is_dir():
            digests = {file.name: digest_of(file)[0] for file in _files(path)}
            return _joined(digests), size_of(path)
        stat = path.stat()
        if not path.is_file():
            raise _unreadable(path, "it is no file")
        return _digest(path, stat.st_size, stat.st_mtime_ns), stat.st_size
    except OSError as exc:
        raise _unreadable(path, exc.strerror or str(exc)) from exc


def _files(folder: Path) -> list[Path]:
    """Return the files in a folder that belong to its weights, sorted; `ConfigError` if none do."""
    try:
        files = sorted(file for file in folder.iterdir() if IN_FOLDER.fullmatch(file.name))
    except OSError as exc:
        raise _unreadable(folder, exc.strerror or str(exc)) from exc
    if not files:
        raise _unreadable(folder, "it has no config.json and no model.safetensors")
    return files


def _joined(digests: Mapping[str, str]) -> str:
    """Return the SHA-256 of the output of `sha256sum` for these files."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise _unreadable(path, exc.strerror or str(exc)) from exc


def _unreadable(path: Path, reason: str) -> ConfigError:
    message = f"{path}: the weights cannot be read: {reason}"
    return ConfigError(message, hint="Check the path.")


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """Return the SHA-256 of a file; size and time of the change are part of the key."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _compare(path: Path, actual: str, expected: str | None) -> None:
    if expected is not None and actual != expected.lower():
        raise ConfigError(
            f"{path}: the SHA-256 of the weights is {actual}, and {expected.lower()} was expected",
            hint="Give the weights with that digest, or set the digest of these.",
        )
