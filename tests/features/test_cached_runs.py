"""The cache in a run: never decoded twice, never stale, never in the way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audioclf
from audioclf.audio import decode as audio
from audioclf.base.errors import DecodeError
from tests.conftest import WHOLE, run_cli

PREDICTIONS = "predictions.csv"


def go(config: Path, out: Path, *overrides: str, **arguments: Any) -> audioclf.RunResult:
    cache_dir = config.parent / "cache"
    return audioclf.run(
        config, overrides=overrides, out=out, cache_dir=cache_dir, jobs=1, **arguments
    )


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


def entries(config: Path) -> list[Path]:
    return sorted((config.parent / "cache").rglob("*.npy"))


def test_a_second_run_decodes_nothing_and_finds_the_same(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(toy_config, tmp_path / "a", *WHOLE)
    decoded = count_decodes(monkeypatch)
    go(toy_config, tmp_path / "b", *WHOLE)
    assert decoded == []
    for name in (PREDICTIONS, "ledger.csv", "plots/examples.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    "override",
    [
        "featurizers.mel.pooling={type: flatten}",
        "classifiers.logreg.type=knn",
        "split.n_splits=3",
        "seed=9",
    ],
)
def test_what_comes_after_the_features_costs_no_decoding(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    go(toy_config, tmp_path / "a")
    decoded = count_decodes(monkeypatch)
    go(toy_config, tmp_path / "b", override)
    assert decoded == []


@pytest.mark.parametrize(
    "override", ["audio.sr=7000", "audio.duration=0.4", "featurizers.mel.n_mels=15"]
)
def test_what_comes_before_the_features_makes_them_anew(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    go(toy_config, tmp_path / "a")
    decoded = count_decodes(monkeypatch)
    go(toy_config, tmp_path / "b", override)
    assert len(set(decoded)) == 16


def test_without_the_cache_nothing_is_kept(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(toy_config, tmp_path / "a", cache=False)
    assert entries(toy_config) == []


def test_damaged_entries_are_rebuilt_and_counted(toy_config: Path, tmp_path: Path) -> None:
    go(toy_config, tmp_path / "a")
    spectrograms = [path for path in entries(toy_config) if len(np.load(path)) == 16]
    for path in spectrograms[:3]:
        path.write_bytes(path.read_bytes()[:-7])
    result = go(toy_config, tmp_path / "b")
    assert "3 damaged cache entries rebuilt" in result.notes
    first, second = ((tmp_path / run / PREDICTIONS).read_text() for run in "ab")
    assert first == second
    assert not any("cache" in note for note in go(toy_config, tmp_path / "c").notes)


def test_a_clip_whose_bytes_change_under_its_name_is_read_anew(
    sounds: Path, toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = (f"dataset={{type: folder, path: {sounds}}}",)
    go(toy_config, tmp_path / "a", *overrides)
    one, other = sounds / "low" / "low_0.wav", sounds / "high" / "high_0.wav"
    stamp = one.stat()
    one.write_bytes(other.read_bytes())
    os.utime(one, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    decoded = count_decodes(monkeypatch)
    go(toy_config, tmp_path / "b", *overrides)
    # The same bytes are in the cache already, as another clip.
    assert decoded == []
    first, second = ((tmp_path / run / PREDICTIONS).read_text() for run in "ab")
    assert first != second


def test_a_file_that_changes_while_it_is_read_is_a_failure_of_that_clip(
    sounds: Path, toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = audio.decode

    def change(source: Any, audio: Any) -> Any:
        found = real(source, audio)
        if source.name.endswith("low_3.wav"):
            Path(source.name).write_bytes(b"other")
        return found

    monkeypatch.setattr("audioclf.features.worker.decode", change)
    with pytest.raises(audioclf.AudioclfError, match=r"low_3\.wav: changed while it was read"):
        go(toy_config, tmp_path / "a", f"dataset={{type: folder, path: {sounds}}}")


def test_a_cache_that_cannot_be_written_is_a_note_and_no_more(
    toy_config: Path, tmp_path: Path
) -> None:
    (toy_config.parent / "cache").write_text("a file stands where the folder should")
    result = go(toy_config, tmp_path / "a")
    assert result.exit_code == 0
    assert any("features are not cached" in note for note in result.notes)


def test_an_interrupted_extraction_resumes(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        go(toy_config, tmp_path / "a")
    before = len(entries(toy_config))
    assert before >= 8
    monkeypatch.setattr("audioclf.features.worker.decode", real)
    decoded = count_decodes(monkeypatch)
    go(toy_config, tmp_path / "b")
    # The pictures of a run show the waveform of one clip of each class.
    assert 16 - before <= len(set(decoded)) <= 16 - before + 2


def test_the_command_line_chooses_the_folder(toy_config: Path, tmp_path: Path) -> None:
    cache = tmp_path / "elsewhere"
    args = ("run", toy_config, "--cache-dir", cache, "--jobs", "1")
    assert run_cli(*args, "--out", tmp_path / "a").returncode == 0
    assert len(list(cache.rglob("*.npy"))) == 18
    assert run_cli(*args, "--no-cache", "--out", tmp_path / "b").returncode == 0


def test_a_failed_clip_is_not_cached(sounds: Path, toy_config: Path, tmp_path: Path) -> None:
    (sounds / "low" / "low_3.wav").write_bytes(b"RIFF")
    overrides = (f"dataset={{type: folder, path: {sounds}}}", "on_error=skip")
    for out in ("a", "b"):
        assert go(toy_config, tmp_path / out, *overrides).n_failed == 1
    assert issubclass(DecodeError, audioclf.AudioclfError)
