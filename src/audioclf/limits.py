"""How much of a stranger's file is believed.

Each limit is far above what recordings for a classifier need and far below what harms a machine.
They hold before anything is allocated: a header's claim is compared, never trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper and lower bounds for zip archives and audio files.

    Parameters
    ----------
    max_entries : int
        Entries of one archive, folders and junk included.
    max_entry_bytes : int
        Size of one entry in bytes, as stored and unpacked.
    max_total_bytes : int
        Size of all entries of one archive in bytes, unpacked.
    max_ratio : int
        Unpacked size over stored size, of one entry and of an archive, where the unpacked size
        exceeds `ratio_floor_bytes`. One second of silence alone packs 341:1.
    ratio_floor_bytes : int
        Unpacked size in bytes up to which no ratio is refused.
    max_name_bytes : int
        Length of an entry's name in bytes, as UTF-8.
    max_depth : int
        Folders above an entry.
    min_sr, max_sr : int
        Sample rate of a file in Hz.
    max_channels : int
        Channels of a file.
    max_seconds : float
        Length in s of the part of a file that is decoded.
    max_samples : int
        Frames times channels of the part that is decoded, and samples after resampling.
    max_chunks : int
        Chunks of one RIFF or AIFF file.
    max_amplitude : float
        Absolute value of a sample; full scale is 1.
    """

    max_entries: int = 200_000
    max_entry_bytes: int = 512 * MIB
    max_total_bytes: int = 64 * GIB
    max_ratio: int = 250
    ratio_floor_bytes: int = 256 * MIB
    max_name_bytes: int = 1024
    max_depth: int = 32
    min_sr: int = 1_000
    max_sr: int = 768_000
    max_channels: int = 64
    max_seconds: float = 1800.0
    max_samples: int = 1 << 28
    max_chunks: int = 1000
    max_amplitude: float = 1e4


DEFAULT_LIMITS = Limits()
"""The limits that hold unless a caller passes others."""
