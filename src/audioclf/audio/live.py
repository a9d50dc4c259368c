"""Sound that is used while it is recorded: samples on a pipe, or a microphone.

A thread reads it, so that the time at which sound arrives does not depend on the work that is done
with it. A pipe that is read too slowly makes its writer wait; from a microphone, sound is lost.
"""

from __future__ import annotations

import io
import queue
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from audioclf.audio.pcm import PcmLayout, read_pcm
from audioclf.audio.riff import check_wav
from audioclf.base.errors import AudioclfError, DecodeError
from audioclf.base.limits import limits_in_force

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENCODINGS = {"s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT"}
"""Kinds of samples on a pipe, all little-endian, by their names in `pcm`."""

BLOCK_SECONDS = 0.1
_WAITING_BLOCKS = 300
"""Blocks that wait to be used: 30 s of a microphone."""
_PIPE = "standard input"
_RAW = "Send raw samples, as `arecord -t raw -f S16_LE -r 16000 -c 1` does."
_CHUNK = struct.Struct("<4sI")
_TO_THE_END = 0xFFFFFFFF
_HEADER_BYTES = 1 << 20


class Block(NamedTuple):
    """Frames [shape=(n_frames, n_channels), float32], and when the last of them arrived.

    `time` is in s since 1970; before the frames, `lost` s of sound are missing.
    """

    frames: NDArray[np.float32]
    time: float
    lost: float = 0.0


@dataclass(frozen=True, eq=False)
class Incoming:
    """Sound that arrives; its blocks can be read once.

    A block is None after each `patience` s without sound.
    """

    name: str
    sr: int
    channels: int
    blocks: Iterator[Block | None]


def open_pipe(pipe: BinaryIO, encoding: str, sr: int, channels: int, patience: float) -> Incoming:
    """Return the sound on a pipe: raw samples, or a WAV file, whose header then counts.

    DecodeError for a WAV file of samples that are no key of `ENCODINGS`.
    """
    start = _read(pipe, 12)
    layout = PcmLayout(ENCODINGS[encoding], sr, channels, 0, 0)
    if start[:4] in {b"RIFF", b"RF64"} and start[8:] == b"WAVE":
        layout, start = _layout_of_wav(pipe, start), b""
    waiting = _Waiting(drops=False)
    read_some: Callable[[int], bytes] = getattr(pipe, "read1", pipe.read)  # what is there already

    def read() -> None:
        raw = start
        size = max(1, round(BLOCK_SECONDS * layout.sr)) * layout.frame_bytes
        while more := read_some(size):
            raw += more
            count = len(raw) // layout.frame_bytes
            frames = read_pcm(io.BytesIO(raw), layout, 0, count)
            raw = raw[count * layout.frame_bytes :]
            if count:
                waiting.put(frames)

    return Incoming(_PIPE, layout.sr, layout.channels, waiting.filled_by(read, patience))


def _read(pipe: BinaryIO, size: int) -> bytes:
    """Return so many bytes, or fewer at the end of the pipe."""
    raw = b""
    while len(raw) < size and (more := pipe.read(size - len(raw))):
        raw += more
    return raw


def _layout_of_wav(pipe: BinaryIO, start: bytes) -> PcmLayout:
    """Read a WAV file up to its samples; a recorder on a pipe does not know their number."""
    head = b"RIFF" + start[4:]
    while len(chunk := _read(pipe, _CHUNK.size)) == _CHUNK.size and len(head) < _HEADER_BYTES:
        ident, size = _CHUNK.unpack(chunk)
        if ident == b"data":
            head += _CHUNK.pack(ident, _TO_THE_END)
            found = check_wav(io.BytesIO(head), len(head), _PIPE, limits_in_force())
            if found.pcm is None or found.pcm.subtype not in ENCODINGS.values() or not found.sr:
                kinds = ", ".join(ENCODINGS)
                message = f"{_PIPE}: a WAV file of {found.codec} samples, which are none of {kinds}"
                raise DecodeError(message, hint=_RAW)
            return PcmLayout(found.pcm.subtype, found.sr, found.channels, 0, 0)
        head += chunk + _read(pipe, min(size + size % 2, _HEADER_BYTES))
    raise DecodeError(f"{_PIPE}: a WAV file without samples", hint=_RAW)


@contextmanager
def open_microphone(device: str, sr: int, patience: float) -> Iterator[Incoming]:
    """Open a microphone by its number, its name or a part of it; "" is the default one.

    DecodeError if sounddevice is missing, or if the device cannot be opened.
    """
    sounddevice = _sounddevice()
    waiting = _Waiting(drops=True)

    def arrived(frames: NDArray[np.float32], count: int, at: Any, status: Any) -> None:
        if status.input_overflow:  # it is unknown how much is missing
            waiting.lost += BLOCK_SECONDS
        waiting.put(frames.copy())

    try:
        stream = sounddevice.InputStream(
            samplerate=sr,
            channels=1,
            dtype="float32",
            device=int(device) if device.isdigit() else device or None,
            blocksize=max(1, round(BLOCK_SECONDS * sr)),
            callback=arrived,
        )
    except (sounddevice.PortAudioError, ValueError) as exc:
        inputs = (each for each in sounddevice.query_devices() if each["max_input_channels"])
        names = ", ".join(f"{each['index']} {each['name']}" for each in inputs) or "none"
        message = f"microphone {device or 'default'!r} at {sr} Hz: {exc}"
        hint = f"Choose another --device or --rate; there are: {names}."
        raise DecodeError(message, hint=hint) from exc
    with stream:
        yield Incoming(device or "microphone", sr, 1, waiting.filled_by(None, patience))


def _sounddevice() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as exc:  # OSError: PortAudio is missing
        raise DecodeError(
            "a microphone needs the package sounddevice with the library PortAudio",
            hint="Install audioclf[listen], or send raw samples: `arecord -t raw -f S16_LE "
            "-r 16000 -c 1 | audioclf listen MODEL -`.",
        ) from exc
    return sounddevice


class _Waiting:
    """Blocks that have arrived and are not used yet; with `drops`, sound is lost if it is full."""

    def __init__(self, *, drops: bool) -> None:
        self.lost = 0.0
        self._drops = drops
        self._blocks: queue.Queue[Block | AudioclfError | OSError | None] = queue.Queue(
            _WAITING_BLOCKS
        )

    def put(self, frames: NDArray[np.float32]) -> None:
        """Add frames that arrived now."""
        try:
            self._blocks.put(Block(frames, time.time(), self.lost), block=not self._drops)
            self.lost = 0.0
        except queue.Full:
            self.lost += BLOCK_SECONDS

    def filled_by(self, read: Callable[[], None] | None, patience: float) -> Iterator[Block | None]:
        """Yield each block, or None after `patience` s without one, while a thread reads."""
        if read is not None:
            threading.Thread(target=self._fill, args=(read,), daemon=True).start()
        while True:
            try:
                block = self._blocks.get(timeout=patience)
            except queue.Empty:
                yield None
                continue
            if block is None:
                return
            if not isinstance(block, Block):
                raise block
            yield block

    def _fill(self, read: Callable[[], None]) -> None:
        end: AudioclfError | OSError | None = None
        try:
            read()
        except (AudioclfError, OSError) as exc:
            end = exc
        self._blocks.put(end)
