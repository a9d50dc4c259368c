"""The extraction engine: order, jobs, failures that name the clip, foreign featurizers."""

import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DatasetError, FeatureError
from audioclf.builtin.featurizers.clip_options import TrimSilence
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.loaders.class_folders import FolderDataset
from audioclf.engines.base import Engine
from audioclf.engines.local import SerialEngine, ThreadEngine
from audioclf.features.extraction import Extraction, extract
from audioclf.plugin import Featurizer, Flatten, Stats
from tests.conftest import tone, write_wav

AUDIO = AudioConfig(sr=8000, duration=0.5)


class Odd(Featurizer):
    """Breaks one promise, on clips whose first sample is above a threshold or on all."""

    type: Literal["odd"] = "odd"
    deed: str = "nothing"
    only_long: bool = False

    def extract(self, y: Any, sr: int) -> Any:
        if self.only_long and len(y) != 3040:
            return np.ones((2, 5), dtype=np.float32)
        match self.deed:
            case "raises":
                raise ValueError("no\nluck")
            case "nan":
                return np.full((2, 5), np.nan, dtype=np.float32)
            case "bins":
                return np.ones((3, 5), dtype=np.float32)
            case "flat":
                return np.ones(5, dtype=np.float32)
            case "empty":
                return np.ones((2, 0), dtype=np.float32)
            case "ints":
                return np.ones((2, 5), dtype=np.int64)
            case "list":
                return [[1.0]]
            case "writes":
                y[0] = 1.0
        return np.ones((2, 5), dtype=np.float32)


class MiscountingBatch(Featurizer):
    """Returns one matrix too few from a batch."""

    type: Literal["miscounting"] = "miscounting"

    def extract(self, y: Any, sr: int) -> Any:
        return MelSpectrogram(n_fft=512, n_mels=8).extract(y, sr)

    def extract_many(self, ys: Any, sr: int) -> Any:
        return [self.extract(y, sr) for y in ys][1:]


def go(folder: Path, featurizer: Featurizer, engine: Engine | None = None) -> Extraction:
    return extract(FolderDataset(path=folder).load(), AUDIO, {"f": featurizer}, engine=engine)


def test_rows_are_the_pooled_features_in_the_order_of_the_clips(sounds: Path) -> None:
    mel = MelSpectrogram(n_fft=512, hop_length=256, n_mels=16, pooling=Stats())
    found = go(sounds, mel)
    for clip, row in zip(found.dataset, found.matrices["f"], strict=True):
        y = decode(clip.source, AUDIO).y
        np.testing.assert_array_equal(row, mel.pooling.pool(mel.extract(y, 8000), 0))


def test_clips_of_one_length_may_differ_in_what_silence_leaves(tmp_path: Path) -> None:
    y = tone(300.0, 0.5, 8000, 1)
    for n in (500, 1000, 3500):
        faded = y.copy()
        faded[:n] = 0.0
        write_wav(tmp_path / ("a" if n < 1000 else "b") / f"{n}.wav", faded)
    mel = MelSpectrogram(n_fft=256, hop_length=64, n_mels=8, trim_silence=TrimSilence(top_db=20))
    found = go(tmp_path, mel)
    assert found.failed == ()
    assert (
        len({mel.extract(decode(clip.source, AUDIO).y, 8000).shape for clip in found.dataset}) > 1
    )


@pytest.mark.parametrize("pooling", [Flatten(), Stats()])
def test_any_engine_gives_the_same_bits(
    sounds: Path, pooling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audioclf.features.extraction.CHUNK", 3)
    mel = MelSpectrogram(n_fft=512, hop_length=256, n_mels=16, pooling=pooling)
    alone = go(sounds, mel)
    with ThreadEngine(3) as engine:
        together = go(sounds, mel, engine)
    np.testing.assert_array_equal(alone.matrices["f"], together.matrices["f"])
    assert alone.feature_hashes == together.feature_hashes
    assert alone.fingerprint == together.fingerprint


def test_the_width_follows_from_the_config_not_from_the_clips(sounds: Path) -> None:
    mel = MelSpectrogram(n_fft=512, hop_length=256, n_mels=16, pooling=Flatten())
    found = extract(
        FolderDataset(path=sounds).load(), AudioConfig(sr=8000, duration=2.0), {"f": mel}
    )
    assert found.matrices["f"].shape == (16, 16 * (1 + 16000 // 256))


def test_a_clip_that_cannot_be_read_is_a_row_of_the_ledger_only(sounds: Path) -> None:
    (sounds / "low" / "low_3.wav").write_bytes(b"RIFF")
    found = go(sounds, MelSpectrogram(n_fft=512, n_mels=8))
    assert len(found.ledger) == 16
    assert [row.clip.id for row in found.failed] == ["low/low_3.wav"]
    assert "low_3.wav" in found.failed[0].message
    assert len(found.dataset) == len(found.matrices["f"]) == 15


def test_no_readable_clip_at_all_is_an_error(sounds: Path) -> None:
    for path in sounds.rglob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"none of 16 clips could be read; the first: .*high_0"):
        go(sounds, Odd())


BROKEN = [
    ("raises", "raised ValueError: no"),
    ("nan", "returned 10 NaN or inf values"),
    ("flat", "returned (5,), not an array of shape (n_bins, n_frames)"),
    ("empty", "returned (2, 0), not an array"),
    ("ints", "returned int64 instead of float32"),
    ("list", "returned list, not an array"),
    ("writes", "raised ValueError: assignment destination is read-only"),
]


@pytest.mark.parametrize(("deed", "words"), BROKEN)
def test_a_featurizer_that_never_works_is_named_before_any_clip_is_read(
    sounds: Path, deed: str, words: str
) -> None:
    with pytest.raises(FeatureError) as caught:
        go(sounds, Odd(deed=deed))
    assert "featurizer 'f' (odd, not from a plugin)" in caught.value.message
    assert words in caught.value.message


@pytest.mark.parametrize(("deed", "words"), [*BROKEN, ("bins", "returned 3 bins, before it was 2")])
def test_a_featurizer_that_fails_on_one_clip_names_that_clip(
    sounds: Path, deed: str, words: str
) -> None:
    found = go(sounds, Odd(deed=deed, only_long=True))
    assert [row.clip.id for row in found.failed] == ["high/high_2.wav", "low/low_2.wav"]
    message = found.failed[0].message
    assert str(sounds / "high" / "high_2.wav") in message
    assert words in message
    assert "\n" not in message


def test_a_batch_of_the_wrong_length_falls_back_to_one_by_one(sounds: Path) -> None:
    odd, plain = MiscountingBatch(), MelSpectrogram(n_fft=512, n_mels=8)
    np.testing.assert_array_equal(go(sounds, odd).matrices["f"], go(sounds, plain).matrices["f"])


def test_the_fingerprint_follows_the_bytes_of_the_clips(sounds: Path) -> None:
    before = go(sounds, Odd()).fingerprint
    path = sounds / "low" / "low_0.wav"
    path.write_bytes(path.read_bytes()[:-2] + b"\x01\x01")
    assert go(sounds, Odd()).fingerprint != before


class Remembering(MelSpectrogram):
    """Remembers how many clips each batch has."""

    type: Literal["remembering"] = "remembering"  # type: ignore[assignment]

    def extract_many(self, ys: Any, sr: int) -> Any:
        BATCHES.append(len(ys))
        return super().extract_many(ys, sr)


BATCHES: list[int] = []


@pytest.mark.parametrize(("held", "batches"), [(2**25, [7]), (30_000, [2, 2, 2]), (1, [])])
def test_memory_of_a_chunk_is_bounded_and_changes_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, batches: list[int]
) -> None:
    for index in range(7):
        path = tmp_path / "xy"[index // 4] / f"{index}.wav"
        write_wav(path, tone(300.0 + 50 * index, 0.5, 8000, seed=index))
    dataset = FolderDataset(path=tmp_path).load()
    featurizer = Remembering(n_mels=16, n_fft=256, hop_length=128)
    whole = extract(dataset, AUDIO, {"mel": featurizer}, cache_folder=tmp_path / "cache")
    monkeypatch.setattr("audioclf.features.worker.BATCH_BYTES", held)
    BATCHES.clear()
    parts = extract(dataset, AUDIO, {"mel": featurizer})
    assert [n_clips for n_clips in BATCHES if n_clips > 1] == batches
    assert parts.ledger == whole.ledger
    np.testing.assert_array_equal(parts.matrices["mel"], whole.matrices["mel"])


class SharingEngine(SerialEngine):
    has_processes = True


@pytest.mark.skipif(sys.platform != "linux", reason="needs files in memory")
def test_many_featurizers_need_few_file_descriptors(sounds: Path) -> None:
    import resource

    dataset = FolderDataset(path=sounds).load()
    featurizers = {f"f{number}": Odd() for number in range(200)}
    n_open = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 64, limits[1]))
    try:
        found = extract(dataset, AUDIO, featurizers, engine=SharingEngine())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(found.matrices) == 200
