"""From files to features in a warm process: decode, resample, end to end, cores, zip, cache."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soxr
from measure import Row, cpu, unpacked, wall

from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.components.registry import Origin
from audioclf.dataset.dataset import Dataset
from audioclf.engines.local import ThreadEngine
from audioclf.features.extraction import extract

SMALL = {"n_fft": 512, "hop_length": 128, "n_mels": 64}
BATCH = 32


def load(folder: Path) -> Dataset:
    """Return the digits, labelled by the first character of their name."""
    return FolderDataset(path=folder, label_pattern=r"(?P<label>\d)_").load()


def rows(folder: Path, archive: Path, digits: Path | None) -> Iterator[Row]:
    recordings = FolderDataset(path=folder).load()
    paths = sorted(folder.rglob("*.wav"))
    audio = AudioConfig(sr=22050, duration=3.0)
    seconds = sum(len(decode(clip.source, audio).y) for clip in recordings) / audio.sr
    sound = {"clips": len(paths), "seconds": seconds}
    yield Row(
        "decode at 48 kHz",
        lambda: cpu(lambda: _decode(recordings, AudioConfig(sr=48000, duration=3.0))),
        lambda: cpu(lambda: [librosa.load(path, sr=None, duration=3.0) for path in paths]),
        "librosa.load",
        **sound,
    )
    yield Row(
        "decode and resample, 48 to 22.05 kHz",
        lambda: cpu(lambda: _decode(recordings, audio)),
        lambda: cpu(lambda: [librosa.load(path, sr=22050, duration=3.0) for path in paths]),
        "librosa.load",
        **sound,
    )
    ys = [decode(clip.source, AudioConfig(sr=48000, duration=3.0)).y for clip in recordings]
    yield Row(
        "resample, 48 to 22.05 kHz",
        lambda: cpu(lambda: [soxr.resample(y, 48000, 22050, quality="soxr_hq") for y in ys]),
        lambda: cpu(lambda: [librosa.resample(y, orig_sr=48000, target_sr=22050) for y in ys]),
        "librosa.resample",
        **sound,
    )
    yield from _end_to_end("recordings, 48 to 22.05 kHz", recordings, paths, 22050, {}, 3.0)
    if digits is not None:
        names = sorted(path.name for path in digits.rglob("*.wav"))[::5]
        part, few = load(digits).subset(names), [digits / name for name in names]
        few = [next(digits.rglob(path.name)) for path in few]
        yield from _end_to_end("digits, 8 to 22.05 kHz", part, few, 22050, {}, 4.5)
        yield from _end_to_end("digits, native 8 kHz", part, few, 8000, SMALL, 10.0)
        yield _two_threads(load(digits))
    yield _zip(archive)
    yield _cached(archive)


def _decode(dataset: Dataset, audio: AudioConfig) -> Any:
    return [decode(clip.source, audio).y for clip in dataset]


def _end_to_end(
    name: str, dataset: Dataset, paths: Sequence[Path], sr: int, small: dict[str, int], goal: float
) -> Iterator[Row]:
    """Yield file to dB mel, and the same as a run does it: digest, pooling and ledger besides."""
    mel = MelSpectrogram(db={"ref": "max"}, **small)
    audio = AudioConfig(sr=sr, duration=3.0)

    def loop() -> None:
        for path in paths:
            y, _ = librosa.load(path, sr=sr, duration=3.0)
            power = librosa.feature.melspectrogram(y=y, sr=sr, **small)
            librosa.power_to_db(power, ref=np.max)

    def ours() -> None:
        clips = dataset.clips
        for i in range(0, len(clips), BATCH):
            mel.extract_many([decode(c.source, audio).y for c in clips[i : i + BATCH]], sr)

    sound = {
        "clips": len(paths),
        "seconds": sum(len(decode(clip.source, audio).y) for clip in dataset) / sr,
    }
    yield Row(
        f"file to dB mel, {name}", lambda: cpu(ours), lambda: cpu(loop), "librosa", goal, **sound
    )
    yield Row(
        f"the same in a run, {name}",
        lambda: cpu(lambda: extract(dataset, audio, {"mel": mel})),
        lambda: cpu(loop),
        "librosa",
        **sound,
    )


def _two_threads(dataset: Dataset) -> Row:
    def go(jobs: int) -> None:
        with ThreadEngine(jobs) as engine:
            extract(dataset, AudioConfig(duration=3.0), {"mel": MelSpectrogram()}, engine=engine)

    return Row(
        "two threads, 3,000 digits (wall)",
        lambda: wall(lambda: go(2)),
        lambda: wall(lambda: go(1)),
        "one thread",
        1.7,
        clips=len(dataset),
    )


def _zip(archive: Path) -> Row:
    zipped = ZipDataset(path=archive).load()

    def go(dataset: Dataset) -> None:
        extract(dataset, AudioConfig(duration=3.0), {"mel": MelSpectrogram()})

    def unpack_first() -> None:
        with tempfile.TemporaryDirectory() as target:
            go(FolderDataset(path=unpacked(archive, Path(target))).load())

    return Row(
        "zip members in memory",
        lambda: cpu(lambda: _read(zipped)),
        lambda: cpu(lambda: _read_unpacked(archive)),
        "unpacked first",
        1.25,
        note=lambda: "bytes only; with features " + _ratio(lambda: go(zipped), unpack_first),
    )


def _read(dataset: Dataset) -> None:
    for clip in dataset:
        with clip.source.open() as stream:
            stream.read()


def _read_unpacked(archive: Path) -> None:
    with tempfile.TemporaryDirectory() as target:
        for path in unpacked(archive, Path(target)).rglob("*.wav"):
            path.read_bytes()


def _ratio(ours: Any, other: Any) -> str:
    pairs = sorted(cpu(other).seconds / cpu(ours).seconds for _ in range(5))
    return f"{pairs[2]:.1f}"


def _cached(archive: Path) -> Row:
    dataset = ZipDataset(path=archive).load()

    def go(cache: str) -> None:
        extract(
            dataset,
            AudioConfig(duration=3.0),
            {"mfcc": Mfcc(n_mfcc=40)},
            cache_folder=Path(cache),
            origins={"mfcc": (Origin("audioclf", "0", "builtin"),)},
        )

    def fresh() -> None:
        with tempfile.TemporaryDirectory() as cache:
            go(cache)

    cache = tempfile.mkdtemp()
    go(cache)
    return Row(
        "extraction from the cache (wall)",
        lambda: wall(lambda: go(cache)),
        lambda: wall(fresh),
        "an empty cache",
        6.7,
        clips=len(dataset),
    )
