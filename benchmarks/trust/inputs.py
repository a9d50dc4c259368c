"""Malformed archives, sound files and configs: mutants with fixed seeds, in this process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from table import Row, Size
from toys import CONFIG

from tests.hostile.files import (
    Entry,
    MemorySource,
    encoded,
    mutated,
    noise,
    pcm16,
    rf64,
    wav,
    zip_of,
)

Try = Callable[[bytes], object]


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    for what, attempt, seeds, count in _readers(size, scratch):
        yield _row(what, attempt, seeds, count)


def _readers(size: Size, scratch: Path) -> Iterator[tuple[str, Try, list[bytes], int]]:
    from audioclf.archive import open_archive
    from audioclf.audio import AudioConfig, decode
    from audioclf.config import load_config
    from audioclf.discovery import discover

    audio, registry = AudioConfig(sr=8000), discover()
    archive, config = scratch / "data.zip", scratch / "c.yaml"

    def read_zip(data: bytes) -> None:
        archive.write_bytes(data)
        for member in open_archive(archive).members:
            member.read()

    def read_sound(data: bytes) -> None:
        decoded = decode(MemorySource(data), audio)
        if not (len(decoded.y) and np.isfinite(decoded.y).all()):
            raise AssertionError("a clip that is empty or not finite was let through")

    def read_config(data: bytes) -> None:
        config.write_bytes(data)
        load_config(config, registry=registry)

    entries = [Entry(b"dog/%d.wav" % n, wav(b"12345678" * n), method=8 * (n % 2)) for n in range(4)]
    sounds = [
        wav(pcm16(300)),
        encoded("WAV", "IMA_ADPCM", noise(500)),
        encoded("WAVEX", "PCM_24", noise(60, 3)),
        encoded("AIFF", "PCM_16", noise(200)),
        encoded("FLAC", "PCM_16", noise(200)),
        encoded("OGG", "VORBIS", noise(200)),
        rf64(400, pcm16(200)),
    ]
    text = CONFIG.format(sounds="sounds", repeats=2).encode()
    yield "zip archives", read_zip, [zip_of(*entries)], size.pick(2000, 20_000)
    yield "sound files", read_sound, sounds, size.pick(2000, 20_000)
    yield "configs", read_config, [text], size.pick(300, 3000)


def _row(what: str, attempt: Try, seeds: list[bytes], count: int) -> Row:
    from audioclf.errors import AudioclfError

    rng = np.random.default_rng(2026)
    refused = accepted = 0
    slowest, said = 0.0, 0
    uncaught: list[str] = []
    with _streams() as written:
        for number in range(count):
            data = mutated(seeds[number % len(seeds)], rng)
            started = time.perf_counter()
            try:
                attempt(data)
                accepted += 1
            except AudioclfError as exc:
                refused += 1
                uncaught += [] if exc.message.strip() else ["an empty message"]
            except Exception as exc:  # noqa: BLE001  what this looks for
                uncaught.append(f"{type(exc).__name__}: {exc}")
            slowest = max(slowest, time.perf_counter() - started)
        said = written()
    measured = (
        f"{count:,} tried: {refused:,} refused, {accepted:,} read, {len(uncaught)} uncaught, "
        f"{said} bytes printed by libraries, slowest {1000 * slowest:.0f} ms"
    )
    if uncaught:
        measured += f"; the first: {uncaught[0][:200]}"
    return Row(f"malformed {what}", measured, "0 uncaught", not uncaught)


@contextmanager
def _streams() -> Iterator[Callable[[], int]]:
    """Count what C libraries write on stdout and stderr."""
    import tempfile

    sys.stdout.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1), os.dup(2)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: os.fstat(file.fileno()).st_size
        finally:
            sys.stdout.flush()
            for number, descriptor in enumerate(kept, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
