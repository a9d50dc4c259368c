"""Reader of the samples of one file, for all formats.

`open_reader` checks the header and yields a reader. NumPy reads uncompressed WAV; libsndfile
decodes all other formats, through a stream that neither raises nor prints.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from typing_extensions import override

from audioclf.audio.container import Container, check_container, check_format
from audioclf.audio.ogg import OggPages
from audioclf.audio.pcm import PcmLayout, read_pcm
from audioclf.base.errors import DecodeError
from audioclf.base.limits import Limits
from audioclf.base.pickling import by_fields
from audioclf.dataset.decoders import Decoder
from audioclf.dataset.sources import RemoteSource

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
        "WAV", "RF64", "FLAC", "OGG", "AIFF" or "MP3" by content, or the format of a decoder.
    subtype : str
        Encoding of the samples by libsndfile's name, such as "PCM_16".
    sr : int
        Native sample rate in Hz.
    channels : int
    frames : int
        Samples of each channel.
    warnings : tuple of str
        Oddities that are no reason to refuse the file.
    chunks : str
        Identifiers of the chunks of a WAV or AIFF file, in order, with spaces between.
    """

    container: str
    subtype: str
    sr: int
    channels: int
    frames: int
    warnings: tuple[str, ...] = ()
    chunks: str = ""

    __reduce__ = by_fields

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

    A file that cannot be read, is no audio, is truncated, or has an impossible header is a
    DecodeError.
    """
    name = source.name
    with source.open() as stream:
        try:
            container = _checked(source, stream, limits)
            if container.pcm is not None:
                yield _PcmReader(stream, container, container.pcm)
                return
            with closing(_decoding(stream, container, name)) as reader:
                check_format(reader.info.sr, reader.info.channels, name, limits)
                yield reader
        except OSError as exc:
            raise DecodeError(f"{name}: {exc.strerror or exc}") from exc
        except MemoryError as exc:
            raise DecodeError(f"{name}: not enough memory to decode it") from exc


class _PcmReader:
    """Uncompressed samples, read without a decoder."""

    def __init__(self, stream: BinaryIO, container: Container, layout: PcmLayout) -> None:
        subtype = layout.subtype.removesuffix("_LOW")
        facts = (subtype, layout.sr, layout.channels, layout.frames)
        self.info = AudioInfo(container.kind, *facts, container.warnings, container.chunks)
        self._stream = stream
        self._layout = layout

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        return read_pcm(self._stream, self._layout, start, count)


class _SoundFileReader:
    """Samples decoded by libsndfile."""

    def __init__(self, stream: BinaryIO, container: Container, name: str) -> None:
        import soundfile

        self._position = 0
        self._open = soundfile.SoundFile
        self._failures = (soundfile.SoundFileError, ArithmeticError, ValueError)
        self._name = name
        self._kind, self._codec = container.kind, container.codec
        self._begin(self._whole(stream, container))
        file = self._file
        facts = (file.subtype, file.samplerate, file.channels, file.frames)
        self.info = AudioInfo(container.kind, *facts, container.warnings, container.chunks)

    def close(self) -> None:
        self._file.close()

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        count = max(0, min(count, self.info.frames - start))
        if start != self._position:
            self._go_to(start)
        frames = self._next(count)
        self._position = start + len(frames)
        return frames

    def _whole(self, stream: BinaryIO, container: Container) -> _QuietStream:
        """Return the stream that is decoded first."""
        return _QuietStream(stream, container.start, container.size)

    def _begin(self, stream: _QuietStream) -> None:
        """Decode this stream from its start."""
        self._stream = stream
        self._position = 0
        with self._translated():
            self._file: Any = self._open(stream, mode="r")
        # SoundFile seeks to where it is after each read, which restarts decoders.
        self._file.seekable = lambda: False

    def _go_to(self, start: int) -> None:
        with self._translated():
            self._file.seek(start)

    def _next(self, count: int) -> NDArray[np.float32]:
        with self._translated():
            frames: NDArray[np.float32] = self._file.read(count, dtype="float32", always_2d=True)
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
            message, hint = f"{self._kind} audio that cannot be decoded: {_reason(exc)}", None
            if self._codec:
                message = f"a WAV file with {self._codec} audio that cannot be decoded"
                message += "" if _NO_CODEC in _reason(exc) else f": {_reason(exc)}"
                hint = _CONVERT
            raise DecodeError(f"{self._name}: {message}", hint=hint) from exc
        finally:
            if self._stream.failure is not None:
                raise self._stream.failure


class _OggReader(_SoundFileReader):
    """Samples of an Ogg file: libsndfile seeks to a wrong place in the last page of Vorbis."""

    def __init__(self, stream: BinaryIO, container: Container, name: str) -> None:
        super().__init__(stream, container, name)
        self._safe = 0 if container.pages is None else self._last_safe(container.pages)

    def _last_safe(self, pages: OggPages) -> int:
        """Return the last position to seek to; 0 where libsndfile seeks to wrong places."""
        opus = self.info.subtype == "OPUS"
        ticks = _OPUS_RATE / self.info.sr if opus else 1.0
        before = pages.samples / ticks - self.info.frames
        if not pages.from_zero or (opus and before > _OGG_MARGIN):
            return 0
        return max(0, int(self.info.frames - pages.last_samples / ticks) - _OGG_MARGIN)

    @override
    def _go_to(self, start: int) -> None:
        position = min(start, self._safe)
        if not position <= self._position <= start:
            super()._go_to(position)
            self._position = position
        while self._position < start:
            frames = len(self._next(min(start - self._position, _DROPPED_AT_ONCE)))
            self._position += frames
            if not frames:
                break


class _Mp3Reader(_SoundFileReader):
    """Samples of an MP3 file, from any frame of its index.

    libsndfile estimates the length of files without a Xing header, and begins behind a seek
    without the bits of the frames before.
    """

    def __init__(self, stream: BinaryIO, container: Container, name: str) -> None:
        index = container.frames
        self._bytes = stream
        self._index = index if index is not None and len(index.starts) else None
        super().__init__(stream, container, name)
        if self._index is None:
            return
        declared, direct = self._index.declared, self._index.is_plain
        frames = self._index.samples_for(self.info.frames if direct else declared)
        if not direct or frames > self.info.frames:
            self._position = -1  # Not from the start of the file.
        warnings = self.info.warnings
        if declared is not None and frames > declared:
            warnings += (f"header says {declared} frames of audio, file holds {frames}",)
        self.info = replace(self.info, frames=frames, warnings=warnings)

    @override
    def _whole(self, stream: BinaryIO, container: Container) -> _QuietStream:
        if self._index is None:
            return super()._whole(stream, container)
        if self._index.is_plain:
            # A tag behind the frames makes libmpg123 print that there is more than it expects.
            end = container.size if self._index.cut else self._index.runs[-1][1]
            return _QuietStream(stream, container.start, end)
        return self._from(0)[0]

    @override
    def _go_to(self, start: int) -> None:
        if self._index is None:
            super()._go_to(start)
            return
        stream, position = self._from(start)
        self._file.close()
        self._begin(stream)
        self._next(position)

    def _from(self, start: int) -> tuple[_QuietStream, int]:
        """Return a stream of frames, and where in its sound a sample of the file is."""
        assert self._index is not None
        frames, position = self._index.stream(self._bytes, start)
        return _QuietStream(frames, 0, frames.size), position


class _PluginReader:
    """Samples of a format that the decoder of a plugin reads."""

    def __init__(self, stream: BinaryIO, container: Container, decoder: Decoder, name: str) -> None:
        self._name, self._kind = name, container.kind
        stream.seek(0)
        with self._translated():
            self._file = file = decoder.open(stream, container.kind)
            facts = (str(file.subtype), int(file.sr), int(file.channels), int(file.frames))
            self.info = AudioInfo(container.kind, *facts, (*container.warnings, *file.warnings))

    def close(self) -> None:
        with self._translated():
            self._file.close()

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        count = max(0, min(count, self.info.frames - start))
        with self._translated():
            frames = self._file.read(start, count)
            if frames.dtype != "float32" or frames.shape[1:] != (self.info.channels,):
                raise TypeError(f"the decoder gave {frames.dtype} {frames.shape}")
        return frames[:count]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DecodeError, MemoryError, OSError):
            raise
        except Exception as exc:
            reason = " ".join(str(exc).split()) or type(exc).__name__
            raise DecodeError(
                f"{self._name}: {self._kind} audio that cannot be decoded: {reason}"
            ) from exc


def _decoding(
    stream: BinaryIO, container: Container, name: str
) -> _SoundFileReader | _PluginReader:
    if container.decoder is not None:
        return _PluginReader(stream, container, container.decoder, name)
    return _READERS.get(container.kind, _SoundFileReader)(stream, container, name)


_READERS = {"MP3": _Mp3Reader, "OGG": _OggReader}
_NO_CODEC = "Malformed 'fmt ' chunk"
"""Words of libsndfile about a codec that it does not know."""
_CONVERT = "Convert it, for example with `ffmpeg -i in.wav out.flac`."
_DROPPED_AT_ONCE = 1 << 18
_OPUS_RATE = 48_000
_OGG_MARGIN = 4096
"""Samples before the last page from which it is decoded; a block of Vorbis has at most 8192."""


_containers: dict[object, Container] = {}
_CONTAINERS_KEPT = 8


def _checked(source: AudioSource, stream: BinaryIO, limits: Limits) -> Container:
    """Check the container, once for all parts of a long MP3 or Ogg file."""
    stamp = _stamp(source, stream)
    key = (source.name, repr(stamp), limits)
    container = _containers.get(key)
    if container is None:
        container = check_container(stream, source.name, limits)
        if container.kind in _READERS and stamp is not None:
            while len(_containers) >= _CONTAINERS_KEPT:
                _containers.pop(next(iter(_containers), None), None)
            _containers[key] = container
    return container


def _stamp(source: AudioSource, stream: BinaryIO) -> object:
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return None if isinstance(source, RemoteSource) else source.stamp()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _reason(exc: Exception) -> str:
    """Return libsndfile's reason; its reason for a file without a valid frame is misleading."""
    reason = getattr(exc, "error_string", str(exc)) or type(exc).__name__
    if reason.startswith("File does not exist"):
        return "the decoder finds no audio in it"
    return reason.removeprefix("Error : ")


class _Bytes(Protocol):
    def seek(self, offset: int, /) -> object: ...

    def read(self, count: int, /) -> bytes: ...


class _QuietStream:
    """The part of a file that libsndfile reads, by calls from C into Python.

    An exception in such a call cannot pass through C: it would be printed and ignored. So an
    impossible position is moved into the file, and a failed read is stored and ends the file.
    """

    def __init__(self, stream: _Bytes, start: int, size: int) -> None:
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
            data = self._stream.read(min(count, self._size - self._position))
        except (OSError, MemoryError) as exc:
            self.failure = exc
            return b""
        self._position += len(data)
        return data
