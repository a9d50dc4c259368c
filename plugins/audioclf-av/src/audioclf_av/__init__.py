"""M4A, AAC, WebM and the sound of videos for audioclf, decoded by PyAV (FFmpeg)."""

from __future__ import annotations

from typing import BinaryIO

from typing_extensions import override

from audioclf.plugin import DecodedFile, Decoder

DEMUXERS = {
    "MP4": "mov",
    "MATROSKA": "matroska",
    "AAC": "aac",
    "AVI": "avi",
    "ASF": "asf",
    "FLV": "flv",
    "CAF": "caf",
    "WAVPACK": "wv",
    "AMR": "amr",
    "AC3": "ac3",
}
"""FFmpeg's demuxers by format. No other is tried: playlists, for example, would open more files."""

_MAGIC = (
    (b"\x1a\x45\xdf\xa3", "MATROSKA"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF"),
    (b"FLV\1", "FLV"),
    (b"caff", "CAF"),
    (b"wvpk", "WAVPACK"),
    (b"#!AMR", "AMR"),
    (b"\x0b\x77", "AC3"),
    (b"\xff\xf0", "AAC"),
    (b"\xff\xf1", "AAC"),
    (b"\xff\xf8", "AAC"),
    (b"\xff\xf9", "AAC"),
)


class AvDecoder(Decoder):
    """The audio of ten containers, with any codec that FFmpeg decodes."""

    suffixes = frozenset(
        [
            *(".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".mka", ".aac"),
            *(".avi", ".wma", ".wmv", ".flv", ".caf", ".wv", ".amr", ".ac3"),
        ]
    )

    @override
    def kind(self, head: bytes) -> str | None:
        if head[4:8] == b"ftyp":
            return "MP4"
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return "AVI"
        return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)

    @override
    def open(self, stream: BinaryIO, kind: str) -> DecodedFile:
        from audioclf_av.reader import AvFile

        return AvFile(stream, DEMUXERS[kind])
