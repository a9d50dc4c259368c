"""The cache in a run: never decoded twice, never stale, never in the way."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import soundfile

import audioclf
from audioclf.audio import decode as audio
from audioclf.audio.settings import AudioConfig
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.loaders.class_folders import FolderDataset
from audioclf.features.cache import FeatureCache
from audioclf.features.extraction import Extraction, extract
from audioclf.features.waveform import cached_in, own_origin
from tests.conftest import WHOLE, damage_entries

PREDICTIONS = "predictions.csv"


@pytest.fixture(scope="module")
def first(shared_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a `cache` and the `run` that has filled it; to be copied from only."""
    folder = tmp_path_factory.mktemp("first")
    run = partial(audioclf.run, shared_config, overrides=WHOLE, jobs=1)
    run(out=folder / "run", cache_dir=folder / "cache")
    return folder


@pytest.fixture
def again(first: Path, shared_config: Path, tmp_path: Path) -> Callable[..., audioclf.RunResult]:
    """Return a function that runs the same config on a copy of the cache."""
    shutil.copytree(first / "cache", tmp_path / "cache")

    def run(*overrides: str) -> audioclf.RunResult:
        out = tmp_path / f"run {len(list(tmp_path.iterdir()))}"
        return go(shared_config, out, tmp_path / "cache", *overrides)

    return run


def go(config: Path, out: Path, cache_dir: Path, *overrides: str) -> audioclf.RunResult:
    return audioclf.run(config, overrides=overrides, out=out, cache_dir=cache_dir, jobs=1)


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    decoded: list[str] = []
    real = audio.decode

    def spy(source: Any, audio: Any) -> Any:
        if source.name != "array":  # noise by which a bundle checks its features
            decoded.append(source.name)
        return real(source, audio)

    for place in ("audioclf.features.worker.decode", "audioclf.features.waveform.decode"):
        monkeypatch.setattr(place, spy)
    return decoded


def n_entries(cache: Path) -> int:
    return FeatureCache(cache).stats().entries


@pytest.mark.slow
def test_a_second_run_decodes_nothing_and_finds_the_same(
    first: Path, again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = count_decodes(monkeypatch)
    result = again(*WHOLE)
    assert decoded == []
    for name in (PREDICTIONS, "ledger.csv", "plots/examples.png"):
        assert (first / "run" / name).read_bytes() == (result.folder / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "n_decoded"),
    [
        (("audio.sr=7000",), 16),
        (("featurizers.mel.n_mels=15",), 16),
        (("featurizers.mel.pooling={type: flatten}", "classifiers.logreg.type=knn", "seed=9"), 0),
    ],
)
def test_only_what_comes_before_the_features_makes_new_ones(
    again: Any, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...], n_decoded: int
) -> None:
    decoded = count_decodes(monkeypatch)
    again(*overrides)
    assert len(set(decoded)) == n_decoded


@pytest.mark.slow
def test_damaged_entries_are_rebuilt_and_counted(first: Path, again: Any, tmp_path: Path) -> None:
    assert damage_entries(tmp_path / "cache", n_rows=16, count=3) == 16
    result = again()
    assert "3 damaged cache entries rebuilt" in result.notes
    assert (result.folder / PREDICTIONS).read_text() == (first / "run" / PREDICTIONS).read_text()
    assert not any("cache" in note for note in again().notes)


def extracted(folder: Path, cache: Path) -> Extraction:
    """Return the features of a folder, of which only a cache can save the decoding."""
    mel = MelSpectrogram(n_fft=512, n_mels=16)
    return extract(
        FolderDataset(path=folder).load(),
        AudioConfig(sr=8000),
        {"mel": mel},
        cache_folder=cache,
        origins={"mel": own_origin()},
    )


def test_a_clip_whose_bytes_change_under_its_name_is_read_again(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = extracted(sounds, tmp_path / "cache")
    one, other = sounds / "low" / "low_0.wav", sounds / "high" / "high_0.wav"
    stamp = one.stat()
    one.write_bytes(other.read_bytes())
    os.utime(one, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    decoded = count_decodes(monkeypatch)
    after = extracted(sounds, tmp_path / "cache")
    assert after.feature_hashes != before.feature_hashes
    # The same bytes are in the cache already, as another clip.
    assert decoded == []


def test_a_remark_about_the_name_of_a_file_follows_its_name(sounds: Path, tmp_path: Path) -> None:
    flac, wav = sounds / "low" / "low_0.flac", sounds / "low" / "low_0.wav"
    y, sr = soundfile.read(wav)
    soundfile.write(flac, y, sr)
    flac.replace(wav)
    messages = []
    for path in (wav, flac, wav):
        next((sounds / "low").glob("low_0.*")).rename(path)
        (row,) = (
            row for row in extracted(sounds, tmp_path / "cache").ledger if "low_0" in row.clip.id
        )
        messages.append(row.message)
    assert messages == ["FLAC data in a file named .wav", "", "FLAC data in a file named .wav"]


@pytest.mark.parametrize("is_large", [True, False])
def test_a_large_file_that_changes_while_it_is_read_is_a_failure_of_that_clip(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_large: bool
) -> None:
    real = audio.decode

    def change(source: Any, audio: Any) -> Any:
        decoded = real(source, audio)
        if source.name.endswith("low_3.wav"):
            Path(source.name).write_bytes(b"other")
        return decoded

    monkeypatch.setattr("audioclf.features.worker.decode", change)
    if is_large:  # a small file is read once, before that
        monkeypatch.setattr("audioclf.dataset.snapshot.SMALL_BYTES", 0)
    failed = extracted(sounds, tmp_path / "cache").failed
    names = [row.message.removeprefix(f"{sounds}/low/") for row in failed]
    assert names == ["low_3.wav: changed while it was read"] * is_large
    assert b"other" in [path.read_bytes() for path in sounds.rglob("low_3.wav")]


def test_a_failed_clip_is_not_cached(sounds: Path, tmp_path: Path) -> None:
    (sounds / "low" / "low_3.wav").write_bytes(b"RIFF")
    for _ in range(2):
        assert len(extracted(sounds, tmp_path / "cache").failed) == 1
    assert n_entries(tmp_path / "cache") == 15


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_a_note_and_no_more(
    shared_config: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file stands where the folder should")
    result = go(shared_config, tmp_path / "a", tmp_path / "cache")
    assert result.exit_code == 0
    assert any("features are not cached" in note for note in result.notes)


@pytest.mark.slow
def test_an_interrupted_extraction_resumes(
    shared_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audioclf.features.extraction.CHUNK", 4)
    real = audio.decode
    calls = []

    def stop_late(source: Any, audio: Any) -> Any:
        calls.append(source.name)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return real(source, audio)

    monkeypatch.setattr("audioclf.features.worker.decode", stop_late)
    with pytest.raises(KeyboardInterrupt):
        go(shared_config, tmp_path / "a", tmp_path / "cache")
    before = n_entries(tmp_path / "cache")
    assert before >= 8
    monkeypatch.setattr("audioclf.features.worker.decode", real)
    decoded = count_decodes(monkeypatch)
    go(shared_config, tmp_path / "b", tmp_path / "cache")
    # The pictures of a run show the waveform of one clip of each class.
    assert 16 - before <= len(set(decoded)) <= 16 - before + 2


@pytest.mark.parametrize(("suffix", "n_packs"), [(".flac", 1), (".wav", 0)])
def test_clips_that_are_decoded_one_by_one_share_a_pack_unless_they_are_wav(
    sounds: Path, tmp_path: Path, suffix: str, n_packs: int
) -> None:
    for path in list(sounds.rglob("*.wav")):
        y, sr = soundfile.read(path)
        path.unlink()
        soundfile.write(path.with_suffix(suffix), y, sr)
    clips, audio_config = FolderDataset(path=sounds).load(), AudioConfig(sr=8000)
    with cached_in(tmp_path / "cache") as decoder:
        for clip in clips:
            decoder(clip, audio_config)
    assert len(list((tmp_path / "cache").rglob("*.pack"))) == n_packs
    assert FeatureCache(tmp_path / "cache").stats().entries == n_packs * len(clips)
