"""Decoders of plugins, for audio formats that audioclf does not read itself.

A distribution names its subclass of `Decoder` in the entry-point group `audioclf.decoders`. Only
files that no built-in reader accepts are offered to decoders, so an installed decoder changes no
number of other files.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROUP = "audioclf.decoders"
"""The group of entry points."""

DISABLE_VARIABLE = "AUDIOCLF_DISABLE_PLUGINS"
"""Environment variable: comma-separated identities, names or distributions of plugins to ignore."""


class DecodedFile(Protocol):
    """An open file of a `Decoder`.

    Attributes
    ----------
    subtype : str
        Encoding of the samples, such as "AAC".
    sr : int
        Native sample rate in Hz.
    channels, frames : int
        Channels, and samples of each channel without the priming of an encoder.
    warnings : tuple of str
        Oddities that are no reason to refuse the file.
    """

    subtype: str
    sr: int
    channels: int
    frames: int
    warnings: tuple[str, ...]

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Return frames `start` to `start + count` [shape=(n_frames, channels)].

        There are fewer if the file ends early. Full scale is 1. The samples of a part are those of
        the whole, bit for bit, whatever was read before.
        """

    def close(self) -> None:
        """Release what `open` took; the stream is closed by the caller."""


class Decoder(ABC):
    """Base class of decoders.

    Any exception that it raises refuses the file with the text of the exception, so texts are short
    and do not name the file. Nothing may be printed. Heavy libraries are imported in `open`.
    """

    suffixes: frozenset[str] = frozenset()
    """Endings of file names with audio for this decoder, in lower case, such as ".m4a"."""

    @abstractmethod
    def kind(self, head: bytes) -> str | None:
        """Return the format by the first 512 bytes of a file, such as "MP4"; None if unknown."""

    @abstractmethod
    def open(self, stream: BinaryIO, kind: str) -> DecodedFile:
        """Open a file of that kind, decoding no more than its header needs.

        Parameters
        ----------
        stream : binary stream
            Seekable, open until after `DecodedFile.close`.
        kind : str
            As returned by `kind`.
        """


@dataclass(frozen=True, slots=True)
class InstalledDecoder:
    """A decoder and its entry point; without a decoder, `reason` says why."""

    distribution: str
    version: str
    entry_point: str
    decoder: Decoder | None
    reason: str = ""
    disabled: bool = False


def installed_decoders() -> tuple[InstalledDecoder, ...]:
    """Return all installed decoders, sorted by distribution, also broken and disabled ones."""
    return _installed(os.environ.get(DISABLE_VARIABLE, ""))


def decoder_suffixes() -> frozenset[str]:
    """Return the endings of file names of all decoders that work."""
    return frozenset().union(*(decoder.suffixes for decoder in _working()))


def decoder_for(head: bytes) -> tuple[Decoder, str] | None:
    """Return the first decoder that knows a file by its first bytes, and the format; or None."""
    for decoder in _working():
        kind = decoder.kind(head)
        if kind is not None:
            return decoder, kind
    return None


def decoder_distributions() -> frozenset[str]:
    """Return the distributions of the decoders that work."""
    return frozenset(i.distribution for i in installed_decoders() if i.decoder is not None)


def _working() -> tuple[Decoder, ...]:
    return tuple(i.decoder for i in installed_decoders() if i.decoder is not None)


@lru_cache(maxsize=4)
def _installed(disabled: str) -> tuple[InstalledDecoder, ...]:
    entry_points = metadata.entry_points(group=GROUP)
    names = frozenset(map(str.strip, disabled.split(",")))
    found = (_load(entry_point, names) for entry_point in entry_points)
    return tuple(sorted(found, key=lambda i: (i.distribution, i.entry_point)))


def _load(entry_point: metadata.EntryPoint, disabled: frozenset[str]) -> InstalledDecoder:
    dist, name = entry_point.dist, entry_point.name
    origin = (dist.name, dist.version, name) if dist else ("unknown", "0", name)
    if disabled & {f"{origin[0]}:{name}", origin[0], name}:
        return InstalledDecoder(*origin, None, f"named in {DISABLE_VARIABLE}", disabled=True)
    try:
        cls = entry_point.load()
        if not (isinstance(cls, type) and issubclass(cls, Decoder)):
            raise TypeError(f"{entry_point.value} is no subclass of Decoder")
        return InstalledDecoder(*origin, cls())
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # noqa: BLE001  such as a SystemExit at import
        return InstalledDecoder(*origin, None, f"{type(exc).__name__}: {exc}")
