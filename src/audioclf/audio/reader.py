"""Reader of the samples of one file, for all formats.

`open_reader` checks the header and yields a reader. NumPy reads uncompressed WAV; libsndfile
decodes all other formats, through a stream that neither raises nor prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from audioclf.audio.container import Container, check_container, check_format
from audioclf.audio.pcm import PcmLayout, read_pcm
from audioclf.base.errors import DecodeError
from audioclf.base.limits import Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.dataset.sources import AudioSource


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Facts from the header of a file.

    Parameters
    ----------
    container : str
        "WAV", "RF64", "FLAC", "OGG", "AIFF" or "MP3", by content.
    subtype : str
        Encoding of the samples by libsndfile's name, such as "PCM_16".
    sr : int
        Native sample rate in Hz.
    channels : int
    frames : int
        Samples of each channel.
    warnings : tuple of str
        Oddities that are no reason to refuse the file.
    """

    container: str
    subtype: str
    sr: int
    channels: int
    frames: int
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of the whole file in s."""
        return self.frames / self.sr


class Reader(Protocol):
    """An open file whose header has been checked."""

    info: AudioInfo

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Return frames `start` to `start + count`, shape (n_frames, channels).

        There are fewer if the file ends early.
        """


@contextmanager
def open_reader(source: AudioSource, limits: Limits) -> Iterator[Reader]:
    """Open a file, check its header, and yield a reader of its samples.

    Raises
    ------
    DecodeError
        If the file cannot be read, is no audio, is truncated, or has an impossible header.
    """
    name = source.name
    with source.open() as stream:
        try:
            container = check_container(stream, name, limits)
            if container.pcm is not None:
                yield _PcmReader(stream, container, container.pcm)
                return
            with _SoundFileReader(stream, container, name) as reader:
                check_format(reader.info.sr, reader.info.channels, name, limits)
                yield reader
        except OSError as exc:
            raise DecodeError(f"{name}: {exc.strerror or exc}") from exc
        except MemoryError as exc:
            raise DecodeError(f"{name}: not enough memory to decode it") from exc


class _PcmReader:
    """Uncompressed samples, read without a decoder."""

    def __init__(self, stream: BinaryIO, container: Container, layout: PcmLayout) -> None:
        self.info = AudioInfo(
            container.kind,
            layout.subtype.removesuffix("_LOW"),
            layout.sr,
            layout.channels,
            layout.frames,
            container.warnings,
        )
        self._stream = stream
        self._layout = layout

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        return read_pcm(self._stream, self._layout, start, count)


class _SoundFileReader:
    """Samples decoded by libsndfile."""

    def __init__(self, stream: BinaryIO, container: Container, name: str) -> None:
        import soundfile

        self._failures = (soundfile.SoundFileError, ArithmeticError, ValueError)
        self._name = name
        self._kind = container.kind
        self._stream = _QuietStream(stream, container.start, container.size)
        self._position = 0
        with self._translated():
            self._file: Any = soundfile.SoundFile(self._stream, mode="r")
        self.info = AudioInfo(
            container.kind,
            self._file.subtype,
            self._file.samplerate,
            self._file.channels,
            self._file.frames,
            container.warnings,
        )

    def __enter__(self) -> _SoundFileReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        with self._translated():
            # A needless seek restarts the MP3 decoder, whose first samples then differ.
            if start != self._position:
                self._file.seek(start)
            frames: NDArray[np.float32] = self._file.read(count, dtype="float32", always_2d=True)
        self._position = start + len(frames)
        return frames

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._failures as exc:
            if self._kind == "FLAC" and "psf_fseek" in _reason(exc):
                # The decoder cannot go to where the header says that there is audio.
                raise DecodeError(
                    f"{self._name}: truncated: header says {self.info.frames} frames of audio, "
                    "file holds fewer"
                ) from exc
            raise DecodeError(
                f"{self._name}: {self._kind} audio that cannot be decoded: {_reason(exc)}"
            ) from exc
        finally:
            if self._stream.failure is not None:
                raise self._stream.failure


def _reason(exc: Exception) -> str:
    """Return libsndfile's reason; its reason for a file without a valid frame is misleading."""
    reason = getattr(exc, "error_string", str(exc)) or type(exc).__name__
    if reason.startswith("File does not exist"):
        return "the decoder finds no audio in it"
    return reason.removeprefix("Error : ")


class _QuietStream:
    """The part of a file that libsndfile reads, by calls from C into Python.

    An exception in such a call cannot pass through C: it would be printed and ignored. So an
    impossible position is moved into the file, and a failed read is stored and ends the file.
    """

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self.failure: OSError | MemoryError | None = None
        self._stream = stream
        self._start = start
        self._size = size - start
        self._position = 0

    def seek(self, offset: int, whence: int) -> int:
        base = (0, self._position, self._size)[whence]
        self._position = min(max(base + offset, 0), self._size)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, count: int) -> bytes:
        try:
            self._stream.seek(self._start + self._position)
            data = self._stream.read(count)
        except (OSError, MemoryError) as exc:
            self.failure = exc
            return b""
        self._position += len(data)
        return data
