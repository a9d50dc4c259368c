"""Recordings of any length, read in blocks at the rate of the model.

The samples are those of `decode` of the whole recording, bit for bit at the rate of the file, and
within 1e-6 if resampled. Memory does not grow with the length of a file on disk; a member of a zip
archive and a remote file are held in memory as they are stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audio.decode import Mono, check_frames_known, checked_length, locate_part
from audioclf.audio.reader import AudioInfo, Reader, open_reader
from audioclf.base.limits import limits_in_force

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.sources import AudioSource

    Block = NDArray[np.float32]

BLOCK_SAMPLES = 1 << 18
"""Frames times channels that are read at once: 1 MiB as float32."""


@dataclass(frozen=True, eq=False)
class Stream:
    """An open recording, `offset` s behind the start of its file.

    Blocks are mono [shape=(n_samples,), float32] and can be read once; `warnings` are complete
    after the last. The `frames` of `info` are those of the part, if it is one.
    """

    info: AudioInfo
    offset: float
    blocks: Iterator[Block]
    warnings: list[str] = field(default_factory=list)


@contextmanager
def open_stream(source: AudioSource, sr: int, *, channel: str | int = "mix") -> Iterator[Stream]:
    """Open a recording, or a part of one, to be read in blocks at `sr` Hz.

    The channel is as in `AudioConfig`, unless the source is one. The length has no limit, unlike in
    `decode`; all other limits hold for each block. DecodeError as in `decode`, also from a block
    whose samples are at fault.
    """
    limits = limits_in_force()
    with open_reader(source.file, limits) as reader:
        first, info = locate_part(reader.info, source.span, source.name)
        check_frames_known(info, source.name)
        warnings = list(info.warnings)
        mono = Mono(source.name, source.channel or channel, limits)
        blocks = _mono_blocks(reader, first, info, mono, warnings)
        offset = first / info.sr
        yield Stream(info, offset, resampled_blocks(blocks, info.sr, sr), warnings)


def _mono_blocks(
    reader: Reader, first: int, info: AudioInfo, mono: Mono, warnings: list[str]
) -> Iterator[Block]:
    size = max(1, BLOCK_SAMPLES // info.channels)
    done = 0
    while done < info.frames:
        wanted = min(size, info.frames - done)
        frames = reader.read(first + done, wanted)
        if len(frames):
            yield mono.of(frames)
        done += len(frames)
        if len(frames) < wanted:
            break
    warnings += mono.warnings()
    warnings += checked_length(info, done, info.frames, mono.name).warnings[len(info.warnings) :]


def resampled_blocks(blocks: Iterator[Block], orig_sr: int, target_sr: int) -> Iterator[Block]:
    """Yield mono blocks at another rate in Hz, each one after the block that follows it."""
    if orig_sr == target_sr:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(orig_sr, target_sr, 1, dtype="float32", quality="HQ")
    taken = made = 0
    for block, last in _with_last(blocks):
        taken += len(block)
        y: Block = stream.resample_chunk(block, last=last)
        if last:
            # The length that `librosa.resample(fix=True)` gives the whole.
            left = math.ceil(taken * (float(target_sr) / orig_sr)) - made
            y = np.pad(y[:left], (0, max(0, left - len(y))))
        made += len(y)
        yield y


def _with_last(blocks: Iterable[Block]) -> Iterator[tuple[Block, bool]]:
    """Yield each block, and whether it is the last one."""
    waiting: Block | None = None
    for block in blocks:
        if waiting is not None:
            yield waiting, False
        waiting = block
    if waiting is not None:
        yield waiting, True
