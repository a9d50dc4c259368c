"""Mutants of archives, audio files and configs, fed to the readers by the thousand.

Every mutant must be read, or refused by an error of ours: one line that names the file. What is
read must be finite, within the limits, and as large as was declared. Anything else is a finding.
Mutants follow from the seed and their number alone, so a finding can be made again.

    python -m tests.hostile.fuzzing --zips 1000000 --audio 1000000 --configs 20000 --json
"""

import argparse
import faulthandler
import io
import json
import os
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import AudioclfError, ConfigError, DatasetError, DecodeError
from audioclf.base.limits import DEFAULT_LIMITS
from audioclf.components.discovery import discover
from audioclf.config.loading import load_config
from audioclf.dataset.archive import open_archive
from tests.hostile.files import (
    FLOAT,
    Entry,
    MemorySource,
    chunk,
    encoded,
    fmt,
    id3,
    noise,
    pcm16,
    rf64,
    riff,
    wav,
    zip_of,
)
from tests.hostile.recorded import record

Attempt = Callable[[bytes], bool]
"""Reads a mutant and returns whether it was accepted; raises where a promise is broken."""

HANG_SECONDS = 60
_BLOCK = 1000
"""Mutants that share a random generator."""
_KEPT = 20
_MARKED = bytes((0, 1, 0x7F, 0x80, 0xFF))
_AUDIO = AudioConfig(sr=8000)


@dataclass
class Fuzzed:
    """Counts and times of a number of mutants of one kind."""

    kind: str
    seed: int
    tried: int = 0
    accepted: int = 0
    refused: int = 0
    uncaught: int = 0
    findings: tuple[str, ...] = ()
    """The first few: number of the mutant, and the error."""
    slowest_ms: float = 0.0
    slowest: int = -1
    """Number of the mutant that took longest."""
    printed: int = 0
    """Bytes that libraries wrote to stdout and stderr."""
    seconds: float = 0.0


def fuzz(
    kind: str, count: int, *, seed: int = 0, first: int = 0, seconds: float | None = None
) -> Fuzzed:
    """Read the mutants `first` to `first + count` of one kind.

    `first` is a multiple of 1000; after `seconds` no more mutants are begun.
    """
    result = Fuzzed(kind, seed)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=_memory()) as folder, _captured() as printed:
        attempt = _ATTEMPTS[kind](Path(folder))
        for number, data in mutants(kind, count, seed=seed, first=first):
            begun = time.perf_counter()
            if seconds is not None and begun - started > seconds:
                break
            try:
                result.accepted += attempt(data)
            except Exception as exc:  # noqa: BLE001 - any of them is a finding
                result.uncaught += 1
                if len(result.findings) < _KEPT:
                    result.findings += (f"{number}: {type(exc).__name__}: {exc}",)
            result.tried += 1
            ms = round(1000 * (time.perf_counter() - begun), 3)
            if ms > result.slowest_ms:
                result.slowest_ms, result.slowest = ms, number
        result.seconds = round(time.perf_counter() - started, 3)
        result.printed = printed()
    result.refused = result.tried - result.accepted - result.uncaught
    return result


def mutants(kind: str, count: int, *, seed: int = 0, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield numbered mutants; number n is the same whatever `first` and `count` are."""
    seeds = list(seeds_of(kind).values())
    for start in range(first, first + count, _BLOCK):
        rng = random.Random(f"{kind} {seed} {start}")
        for number in range(start, min(start + _BLOCK, first + count)):
            whole = rng.choice(seeds)
            # Most of what can lie stands at the beginning, or in a zip's directory at the end.
            head = len(whole) if rng.random() < 0.4 else min(len(whole), 96)
            if kind == "zip":
                yield number, mutated(whole, rng)
            else:
                yield number, mutated(whole[:head], rng) + whole[head:]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return the data with one to six bytes changed, and sometimes a piece cut, doubled or lost."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        mark = rng.randrange(10)
        out[rng.randrange(len(out))] = _MARKED[mark] if mark < 5 else rng.randrange(256)
    action = rng.randrange(8)
    low, high = sorted((rng.randrange(len(out)), rng.randrange(len(out))))
    if action == 0:
        del out[low:]
    elif action == 1:
        del out[low:high]
    elif action == 2:
        out[low:low] = out[low:high]
    return bytes(out)


def attempt_zip(folder: Path) -> Attempt:
    """Return what reads an archive and all its members."""
    path = folder / "data.zip"

    def attempt(data: bytes) -> bool:
        path.write_bytes(data)
        try:
            members = open_archive(path).members
        except DatasetError as exc:
            _check_message(exc, str(path))
            return False
        sound = not members
        for member in members:
            try:
                assert len(member.read()) == member.size, "another size than declared"
                sound = True
            except DecodeError as exc:
                _check_message(exc, f"{path}!")
        return sound

    return attempt


def attempt_audio(folder: Path) -> Attempt:
    """Return what decodes an audio file."""

    def attempt(data: bytes) -> bool:
        try:
            decoded = decode(MemorySource(data), _AUDIO)
        except DecodeError as exc:
            _check_message(exc, "clip.wav: ")
            return False
        y, limits = decoded.y, DEFAULT_LIMITS
        assert y.dtype == np.float32, f"dtype {y.dtype}"
        assert y.ndim == 1, f"{y.ndim} dimensions"
        assert 1 <= len(y) <= limits.max_samples, f"{len(y)} samples"
        assert np.isfinite(y).all(), "samples that are not finite"
        assert limits.min_sr <= decoded.info.sr <= limits.max_sr, f"{decoded.info.sr} Hz"
        return True

    return attempt


def attempt_config(folder: Path) -> Attempt:
    """Return what loads a config; what is accepted must be written and read back equal."""
    path, again = folder / "c.yaml", folder / "again.yaml"
    registry = discover()

    def attempt(data: bytes) -> bool:
        path.write_bytes(data)
        try:
            config = load_config(path, registry=registry)
        except ConfigError as exc:
            return _names(exc, path)
        again.write_text(config.to_yaml(), encoding="utf-8")
        assert load_config(again, registry=registry) == config, "written and read back: another"
        return True

    return attempt


def _names(error: ConfigError, path: Path) -> bool:
    assert error.message.startswith(str(path)), error.message
    assert "pydantic" not in error.message, error.message
    return False


def _check_message(error: AudioclfError, begins: str) -> None:
    assert error.message.startswith(begins), f"does not name the file: {error.message[:200]!r}"
    assert "\n" not in error.message, f"more than a line: {error.message!r}"
    assert len(error.message) < 1000, "a message without end"


_ATTEMPTS: dict[str, Callable[[Path], Attempt]] = {
    "zip": attempt_zip,
    "audio": attempt_audio,
    "config": attempt_config,
}
KINDS = tuple(_ATTEMPTS)


@cache
def seeds_of(kind: str) -> Mapping[str, bytes]:
    """Return sound files of a kind, by name."""
    return {"zip": _zip_seeds, "audio": _audio_seeds, "config": _config_seeds}[kind]()


def _zip_seeds() -> dict[str, bytes]:
    entries = [Entry(b"dog/%d.wav" % n, wav(b"12345678" * n), method=8 * (n % 2)) for n in range(4)]
    names = Entry("caf\u00e9.wav".encode(), flags=0x800), Entry(b".hidden"), Entry(b"a\\b.wav")
    plain = zip_of(*entries, *names)
    return {
        "plain": plain,
        "streamed": _streamed(),
        "zip64": _zip64(),
        "self-extracting": b"MZ" + bytes(60) + plain,
        "with a comment": plain[:-2] + b"\x16\0" + b"PK\5\6" + bytes(18),
    }


def _streamed() -> bytes:
    """Return an archive whose sizes stand behind the data, as a pipe leaves it."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dog/1.wav", wav(b"12345678"))
        archive.writestr("cat/2.wav", wav(b"87654321"))
    return pipe.getvalue()


def _zip64() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("dog/1.wav", "cat/2.wav"):
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(wav(b"12345678"))
    return buffer.getvalue()


def _audio_seeds() -> dict[str, bytes]:
    ogg = encoded("OGG", "VORBIS", noise(200))
    return {
        "pcm": riff(fmt(), chunk(b"LIST", b"odd"), chunk(b"data", pcm16(200)), chunk(b"LIST", b"")),
        "float": wav(noise(200).astype("<f4").tobytes(), tag=FLOAT, bits=32),
        "double": wav(noise(200).astype("<f8").tobytes(), tag=FLOAT, bits=64),
        "24 bits": encoded("WAVEX", "PCM_24", noise(60, 3)),
        "rf64": rf64(400, pcm16(200)),
        "rifx": encoded("WAV", "PCM_16", noise(200), endian="BIG"),
        "wave64": encoded("W64", "PCM_16", noise(200)),
        "ima adpcm": encoded("WAV", "IMA_ADPCM", noise(500)),
        "ms adpcm": encoded("WAV", "MS_ADPCM", noise(500)),
        "gsm": encoded("WAV", "GSM610", noise(640), sr=8000),
        "u-law": encoded("WAV", "ULAW", noise(200)),
        "aiff": encoded("AIFF", "PCM_16", noise(200)),
        "aiff float": encoded("AIFF", "FLOAT", noise(200)),
        "flac": id3(b"tag") + encoded("FLAC", "PCM_16", noise(200)),
        "vorbis": ogg,
        "chained": ogg + ogg,
        "opus": encoded("OGG", "OPUS", noise(960), sr=48_000),
        "mp3": encoded("MP3", "MPEG_LAYER_III", noise(2000)),
    }


def _config_seeds() -> dict[str, bytes]:
    text = """\
name: toy
seed: 1
dataset: {type: zip, path: sounds.zip, label_pattern: '(?P<label>\\d)_'}
audio: {sr: 8000, duration: 0.5}
featurizers:
  mel: {type: mel, n_fft: 512, hop_length: 256, n_mels: 16, pooling: {type: stats}}
split: {type: stratified_kfold, n_splits: 4}
classifiers:
  logreg: {type: logistic_regression, C: 1e-3}
metrics: [accuracy, f1]
allow: [on, no, "1:30"]
limits: {max_seconds: 60}
"""
    return {"flow": text.encode(), "marked": text.encode("utf-8-sig").replace(b"\n", b"\r\n")}


def _memory() -> str | None:
    """Return a folder in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@contextmanager
def _captured() -> Iterator[Callable[[], int]]:
    """Catch what C libraries write to stdout and stderr, and count it."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 1)
        os.dup2(caught.fileno(), 2)
        try:
            yield lambda: os.fstat(caught.fileno()).st_size
        finally:
            for number, copy in enumerate(kept, 1):
                os.dup2(copy, number)
                os.close(copy)


def main() -> int:
    """Fuzz from the command line; return 1 if anything was found."""
    parser = argparse.ArgumentParser(description="Feed mutants to the readers.")
    parser.add_argument("--zips", type=int, default=0)
    parser.add_argument("--audio", type=int, default=0)
    parser.add_argument("--configs", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--seconds", type=float, help="most seconds of each kind")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, help="JSON file to which the counts are added")
    args = parser.parse_args()
    faulthandler.enable()
    results = []
    for kind, count in (("zip", args.zips), ("audio", args.audio), ("config", args.configs)):
        if count:
            faulthandler.dump_traceback_later(HANG_SECONDS + (args.seconds or 3600), exit=True)
            found = fuzz(kind, count, seed=args.seed, first=args.first, seconds=args.seconds)
            results.append(found)
            if args.write:
                record(args.write, kind, asdict(found))
            if not args.json:
                sys.stdout.write(_sentence(found) + "\n")
    faulthandler.cancel_dump_traceback_later()
    if args.json:
        sys.stdout.write(json.dumps([asdict(found) for found in results], indent=2) + "\n")
    return int(any(found.uncaught for found in results))


def _sentence(found: Fuzzed) -> str:
    counts = f"{found.accepted} read, {found.refused} refused, {found.uncaught} uncaught"
    slowest = f"slowest {found.slowest_ms:.1f} ms (number {found.slowest})"
    said = f"{found.kind}: {found.tried} mutants in {found.seconds:.1f} s, {counts}, {slowest}"
    lines = [f"{said}, {found.printed} bytes printed", *found.findings]
    return "\n  ".join(lines)


if __name__ == "__main__":
    sys.exit(main())
