"""Index of the frames of an MP3 file, and streams of frames from any of them.

Headers of MP3 files give the number of frames seldom, and sometimes wrong; decoders then estimate
it from the bit rate of the first frame. The index follows the headers of all frames instead
(ISO 11172-3, 2.4.1.3; ISO 13818-3). Tags and other bytes before, between and after the frames are
passed over.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from audioclf.audio.mpeg_headers import HEADER_BYTES, FrameHeader, InfoFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RUN_UP = 2
"""Frames to decode before the one that is wanted, whose sound overlaps that of the frame before."""
_REACH = 511
"""Bytes before a frame at which its bits may begin; the side information does not count."""
_PATCHED = 32
"""Frames at the start of a stream that may lack bits: the smallest have 13 bytes of them."""
_PHASES = 8
"""Frames after which the filter bank of libmpg123 rounds in the same way again."""

_DECODER_DELAY = 529
"""Samples by which libmpg123 takes its own delay into account when it removes an encoder's."""

_JUNK_BYTES = 1 << 17
"""Bytes before the first frame that are searched for it."""
_IN_A_ROW = 4
"""Frames in a row that are needed for a beginning within other bytes."""
_BLOCK_BYTES = 1 << 22
_LONGEST_FRAME = 1500


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """The frames of audio in a file, and the `info` in its first frame if that holds no audio.

    `starts` [shape=(n_frames,), int64] are their first bytes, `runs` the first and last byte of
    frames in a row. The file may be `cut` inside a frame; from `others` on, frames have another
    rate or number of channels and are not in the index.
    """

    first: FrameHeader
    info: InfoFrame | None
    starts: NDArray[np.int64]
    runs: tuple[tuple[int, int], ...]
    cut: bool
    others: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether libmpg123 finds these frames and no others, if it begins with the first."""
        if len(self.runs) > 1 or (self.info is not None and self.info.is_vbri):
            return False
        return self.declared is None or self.samples_for(self.declared) == self.declared

    @property
    def is_complete(self) -> bool:
        """Whether the file holds as many bytes of frames as its header says."""
        held = self.runs[-1][1] - self.runs[0][0]
        return not self.cut and self.info is not None and 0 < (self.info.size or 0) <= held

    @property
    def delay(self) -> int:
        """Samples at the start that libmpg123 drops: not part of the sound."""
        has_number = self.info is not None and self.info.frames is not None
        return self.info.delay + _DECODER_DELAY if self.info is not None and has_number else 0

    @cached_property
    def samples(self) -> int:
        """Samples of each channel, without those that are dropped at the start and at the end."""
        padding = 0 if self.info is None else max(0, self.info.padding - _DECODER_DELAY)
        return max(0, len(self.starts) * self.first.samples - self.delay - padding)

    @property
    def declared(self) -> int | None:
        """Number of samples by the file's header, counted in the same way."""
        if self.info is None or self.info.frames is None:
            return None
        missing = len(self.starts) - self.info.frames
        return self.samples - missing * self.first.samples

    def samples_for(self, decoder: int | None) -> int:
        """Return the number of samples, for a decoder that says `decoder`.

        A header that counts more frames than there are is left as it is: the file was cut off,
        unless it is complete and the header counts itself. So is one that counts a frame too few.
        """
        if decoder is None or decoder != self.declared:
            return self.samples
        more = (self.samples - decoder) // self.first.samples
        return self.samples if more > 1 or (more == -1 and self.is_complete) else decoder

    def warnings(self) -> Iterator[str]:
        """Yield sentences on sound that the file lacks, or that is not read."""
        if self.cut and (self.declared is None or self.declared > self.samples):
            yield "the file ends inside an MP3 frame: it may be cut off"
        if self.others is not None:
            seconds = len(self.starts) * self.first.samples / self.first.sr
            yield (
                f"another sample rate or number of channels begins after {seconds:.1f} s: "
                "only the sound before it is read"
            )

    def stream(self, file: BinaryIO, sample: int) -> tuple[FrameStream, int]:
        """Return a stream that a decoder can begin with, and where in its sound a sample is.

        It begins some frames before the sample, behind a header with the number of frames. Frames
        whose bits begin before the stream are silent in it.
        """
        at, per_frame = sample + self.delay, self.first.samples
        frame = self._reached(min(at // per_frame, len(self.starts) - 1))
        frame -= frame % _PHASES
        position = at + (_PHASES - frame) * per_frame - _DECODER_DELAY
        return self._stream(file, frame), position

    def _reached(self, frame: int) -> int:
        """Return the last frame to begin with, so that this one is decoded with all its bits."""
        frame = max(0, frame - _RUN_UP)
        held, side = 0, self.first.size - self.first.main_bytes
        while frame and held < _REACH:
            frame -= 1
            held += int(self.starts[frame + 1] - self.starts[frame]) - side
        return frame

    def _stream(self, file: BinaryIO, frame: int) -> FrameStream:
        begin = int(self.starts[frame])
        first_run = bisect_right(self.runs, (begin, 1 << 62)) - 1
        runs = [(max(start, begin), end) for start, end in self.runs[first_run:]]
        front = _silent_frames(self.first, len(self.starts) - frame)
        behind = frame + _PATCHED
        stop = int(self.starts[behind]) if behind < len(self.starts) else runs[-1][1]
        patched = bytearray()
        while runs and runs[0][0] < stop:
            start, end = runs.pop(0)
            file.seek(start)
            patched += file.read(min(end, stop) - start)
            if end > stop:
                runs.insert(0, (stop, end))
        _silence_incomplete(patched)
        return FrameStream(file, front + bytes(patched), runs)


class FrameStream:
    """Bytes in memory, and runs of bytes of a file behind them: read as a file."""

    def __init__(self, file: BinaryIO, front: bytes, runs: list[tuple[int, int]]) -> None:
        self._file = file
        self._front = front
        self._runs = runs
        self.size = len(front) + sum(end - start for start, end in runs)
        self._position = 0

    def seek(self, offset: int) -> None:
        """Go to this byte."""
        self._position = offset

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes."""
        data = self._front[self._position : self._position + count]
        at = len(self._front)
        for start, end in self._runs:
            skip = self._position + len(data) - at
            if len(data) < count and skip < end - start:
                self._file.seek(start + skip)
                data += self._file.read(min(count - len(data), end - start - skip))
            at += end - start
        self._position += len(data)
        return data


def find_first_frame(
    stream: BinaryIO, start: int, size: int, *, behind_junk: bool = False
) -> int | None:
    """Return where the first frame begins, or None.

    At `start`, one frame is enough that is followed by another or by the end. Behind other bytes,
    there must be several in a row.
    """
    stream.seek(start)
    head = stream.read(HEADER_BYTES)
    header = FrameHeader.of(head)
    if header is not None and start + header.size <= size:
        if start + header.size + HEADER_BYTES > size:
            return start
        stream.seek(start + header.size)
        if FrameHeader.of(stream.read(HEADER_BYTES)) is not None:
            return start
    if not behind_junk:
        return None
    stream.seek(start)
    block = stream.read(_JUNK_BYTES + _IN_A_ROW * _LONGEST_FRAME)
    at = block.find(b"\xff", 0, _JUNK_BYTES)
    while at >= 0:
        if _in_a_row(block, at):
            return start + at
        at = block.find(b"\xff", at + 1, _JUNK_BYTES)
    return None


def index_frames(stream: BinaryIO, start: int, size: int) -> FrameIndex:
    """Return the index of the frames from `start`, where one begins, up to the end of the file."""
    stream.seek(start)
    head = stream.read(_LONGEST_FRAME)
    first = FrameHeader.of(head)
    if first is None:
        raise ValueError(f"no MPEG frame at byte {start}")
    starts, ends = _all_frames(stream, start, size, first)
    others = None
    if ends[-1] < size:
        others = find_first_frame(stream, ends[-1], size, behind_junk=True)
    cut = ends[-1] > size
    if cut:
        del starts[-1], ends[-1]
    gaps = [at for at in range(1, len(starts)) if starts[at] != ends[at - 1]]
    bounds = zip([0, *gaps], [*gaps, len(starts)], strict=True)
    runs = tuple((starts[a], ends[b - 1]) for a, b in bounds if b > a)
    info = InfoFrame.of(head[: first.size])
    audio = np.array(starts if info is None else starts[1:], np.int64)
    return FrameIndex(first, info, audio, runs, cut, others)


def _all_frames(
    stream: BinaryIO, at: int, size: int, first: FrameHeader
) -> tuple[list[int], list[int]]:
    """Return where each frame begins and ends; the last one may end behind the file."""
    sizes, mono = first.sizes(), first.mono
    starts: list[int] = []
    ends: list[int] = []
    while at + HEADER_BYTES <= size:
        stream.seek(at)
        block = stream.read(_BLOCK_BYTES)
        if len(block) < HEADER_BYTES:
            break
        base, i, last = at, 0, len(block) - HEADER_BYTES
        while i <= last:
            length = sizes.get(block[i : i + 3])
            if length is None or (block[i + 3] >= 0xC0) != mono:
                break
            starts.append(base + i)
            i += length
            ends.append(base + i)
        at = base + i
        if i > last:
            continue
        following = _next_frame(stream, at, size, first)
        if following is None:
            break
        at = following
    return starts, ends


def _next_frame(stream: BinaryIO, at: int, size: int, first: FrameHeader) -> int | None:
    """Return where the frames of this kind go on behind other bytes, or None."""
    while at < size:
        stream.seek(at)
        block = stream.read(_BLOCK_BYTES)
        i = block.find(b"\xff")
        while i >= 0:
            if _in_a_row(block, i, first):
                return at + i
            i = block.find(b"\xff", i + 1)
        # Frames in a row may lie across two blocks.
        at += max(len(block) - _IN_A_ROW * _LONGEST_FRAME, 1) if at + len(block) < size else size
    return None


def _in_a_row(block: bytes, at: int, like: FrameHeader | None = None) -> bool:
    """Return whether frames of one kind follow each other, up to the end if there are few."""
    for count in range(_IN_A_ROW):
        if at == len(block) and count > 1:
            return True
        header = FrameHeader.of(block[at : at + HEADER_BYTES])
        if header is None or (like is not None and not header.is_like(like)):
            return False
        like = header
        at += header.size
    return True


def _silent_frames(like: FrameHeader, following: int) -> bytes:
    """Return a frame that says how many frames follow, and silent frames behind it.

    The decoder drops as many samples as its own delay has, which are those of a silent frame.
    """
    # 128 or 64 kbit/s, without a checksum: there is room for the number.
    third = (0x90 if like.is_mpeg_1 else 0x80) | like.raw[2] & 0x0C
    raw = bytes([0xFF, like.raw[1] | 1, third, like.raw[3]])
    header = FrameHeader.of(raw)
    assert header is not None
    silent = raw + bytes(header.size - len(raw))
    info = b"Info" + struct.pack(">2I", 1, _PHASES + following)
    at = header.side_at + header.side_bytes
    return silent[:at] + info + silent[at + len(info) :] + _PHASES * silent


def _silence_incomplete(frames: bytearray) -> None:
    """Remove the sound of the frames whose bits begin before these bytes, in place."""
    at = held = 0
    while (header := FrameHeader.of(bytes(frames[at : at + HEADER_BYTES]))) is not None:
        side, shift = at + header.side_at, 7 if header.is_mpeg_1 else 8
        reach = int.from_bytes(frames[side : side + 2], "big") >> shift
        if reach > held:
            frames[side : side + header.side_bytes] = bytes(header.side_bytes)
            # The decoder hands on to the next frame only those bytes that this one reaches.
            frames[side : side + 2] = (held << shift).to_bytes(2, "big")
        held += header.main_bytes
        at += header.size
