"""Weights: files of trained numbers that a featurizer reads, identified by their digest."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from audioclf.base.errors import ConfigError

FOLDER_VARIABLE = "AUDIOCLF_MODELS_DIR"
"""Environment variable: the folder of `models_folder`."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of trained numbers that a featurizer reads.

    Runs and models record the digest, size and licence. A model finds its weights by the digest,
    on any computer.

    Parameters
    ----------
    name : str
        Name of the file.
    path : Path
        Its place on this computer.
    sha256 : str
        SHA-256 of its content, 64 hexadecimal digits in lower case.
    size : int
        Bytes.
    license : str
        Licence of the weights, such as `Apache-2.0` or `CC BY-NC-SA 4.0, no commercial use`; empty
        if unknown.
    field, digest_field : str
        Fields of the featurizer that hold the path and the digest; empty for a file of an installed
        package that can be read from nowhere else.
    redistributable : bool
        Whether their licence lets anybody pass them on. Then a model holds them, if they are small.
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
        """Return the weights in a file, which may have to have a digest; nothing is parsed.

        Raises
        ------
        ConfigError
            If the file cannot be read, or has another digest.
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
        try:
            content = self.path.read_bytes()
        except OSError as exc:
            raise _unreadable(self.path, exc.strerror or str(exc)) from exc
        _compare(self.path, hashlib.sha256(content).hexdigest(), self.sha256)
        return content


def models_folder() -> Path:
    """Return the folder in which models look for their weights, whatever the names of the files.

    It is that of `AUDIOCLF_MODELS_DIR`, or `models` where this system keeps the data of programs.
    """
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("audioclf", appauthor=False) / "models"


def digest_of(path: Path) -> tuple[str, int]:
    """Return the SHA-256 and the bytes of a regular file; `ConfigError` if there is none."""
    try:
        stat = path.stat()
        if not path.is_file():
            raise _unreadable(path, "it is no file")
        return _digest(path, stat.st_size, stat.st_mtime_ns), stat.st_size
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
            hint="Give the file with that digest, or set the digest of this file.",
        )
