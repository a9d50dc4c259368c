"""Headers of MPEG audio frames, layer III (ISO 11172-3, 2.4.1.3; ISO 13818-3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER_BYTES = 4

_BITRATES_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""kbit/s of MPEG-1 and of MPEG-2 and 2.5, layer III, from index 1 on."""
_SAMPLE_RATES = (44_100, 48_000, 32_000)


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The header of one frame: its four bytes, bytes of the frame, sample rate in Hz."""

    raw: bytes
    size: int
    sr: int

    @classmethod
    def of(cls, raw: bytes) -> FrameHeader | None:
        """Return the header in these bytes, or None if they are none of MPEG audio, layer III."""
        if len(raw) < HEADER_BYTES or raw[0] != 0xFF or raw[1] & 0xE0 != 0xE0:
            return None
        version, layer = raw[1] >> 3 & 3, raw[1] >> 1 & 3
        bitrate, rate = raw[2] >> 4, raw[2] >> 2 & 3
        if version == 1 or layer != 1 or bitrate in {0, 15} or rate == 3:
            return None
        kbits = (_BITRATES_1 if version == 3 else _BITRATES_2)[bitrate - 1]
        sr = _SAMPLE_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
        size = (144_000 if version == 3 else 72_000) * kbits // sr + (raw[2] >> 1 & 1)
        return cls(bytes(raw[:HEADER_BYTES]), size, sr)

    @property
    def is_mpeg_1(self) -> bool:
        """Whether the frame is of MPEG-1, not of MPEG-2 or 2.5."""
        return self.raw[1] & 0x08 != 0

    @property
    def mono(self) -> bool:
        """Whether the frame has one channel."""
        return self.raw[3] >> 6 == 3

    @property
    def samples(self) -> int:
        """Samples of each channel."""
        return 1152 if self.is_mpeg_1 else 576

    @property
    def side_bytes(self) -> int:
        """Bytes of the side information."""
        if self.is_mpeg_1:
            return 17 if self.mono else 32
        return 9 if self.mono else 17

    @property
    def side_at(self) -> int:
        """Where the side information begins, behind a checksum."""
        return HEADER_BYTES if self.raw[1] & 1 else HEADER_BYTES + 2

    @property
    def main_bytes(self) -> int:
        """Bytes behind the side information, of this frame or of some that follow."""
        return self.size - self.side_at - self.side_bytes

    def is_like(self, other: FrameHeader) -> bool:
        """Return whether both may be of one stream."""
        same = self.raw[1] | 1 == other.raw[1] | 1 and self.sr == other.sr
        return same and self.mono == other.mono

    def sizes(self) -> dict[bytes, int]:
        """Return the sizes of frames of this version and rate, by their first three bytes."""
        sizes = {}
        for protection in (0, 1):
            for third in range(256):
                raw = bytes([0xFF, self.raw[1] & 0xFE | protection, third, self.raw[3]])
                header = FrameHeader.of(raw)
                if header is not None and header.sr == self.sr:
                    sizes[raw[:3]] = header.size
        return sizes


@dataclass(frozen=True, slots=True)
class InfoFrame:
    """Contents of a Xing, Info or VBRI frame, which holds no audio.

    `frames` of audio and bytes of the file with this frame (`size`), samples of the encoder before
    and after the sound (`delay`, `padding`). libmpg123 takes a VBRI frame for silent audio.
    """

    frames: int | None = None
    size: int | None = None
    delay: int = 0
    padding: int = 0
    is_vbri: bool = False

    @classmethod
    def of(cls, frame: bytes) -> InfoFrame | None:
        """Return the contents of this frame, or None if it is audio."""
        if frame[36:40] == b"VBRI" and len(frame) >= 54:
            return cls(size=int.from_bytes(frame[46:50], "big"), is_vbri=True)
        at = max(frame.find(b"Xing", 0, 64), frame.find(b"Info", 0, 64))
        if at < 0:
            return None
        if len(frame) < at + 16:
            return cls()
        flags, *fields = struct.unpack_from(">3I", frame, at + 4)
        frames = fields.pop(0) if flags & 1 else None
        size = fields.pop(0) if flags & 2 else None
        lame = at + 8 + 4 * (flags & 1) + 2 * (flags & 2) + 25 * (flags & 4) + (flags & 8) // 2
        delays = frame[lame + 21 : lame + 24]
        if frames is None or len(delays) < 3 or not frame[lame]:
            return cls(frames, size)
        both = int.from_bytes(delays, "big")
        return cls(frames, size, both >> 12, both & 0xFFF)
