"""Facts of clips: finite, in their units, and what they say they are."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audioclf.audio.settings import AudioConfig
from audioclf.audit import TABLE, with_table
from audioclf.audit.inputs import FileFormat
from audioclf.audit.shortcuts.facts import (
    COLUMN,
    FACTS,
    FLOOR_DB,
    AuditFacts,
    _tenths,
    file_formats,
)
from audioclf.audit.table import facts_in
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.features.extraction import extract
from tests.audit.make import extracted
from tests.conftest import tone, write_wav, zip_folder

SR = 8000


def facts_of(y: np.ndarray, sr: int = SR) -> dict[str, float]:
    found = AuditFacts().extract(y.astype(np.float32), sr)
    return {name: float(found[column, 0]) for name, column in COLUMN.items()}


def noise(seconds: float, sr: int = SR, level: float = 0.1) -> np.ndarray:
    return np.random.default_rng(1).normal(0.0, level, round(seconds * sr))


@pytest.mark.parametrize(
    "y",
    [np.zeros(4000), np.zeros(1), np.ones(1), np.full(600, -1.0), np.array([1e-30, -1e-30])],
    ids=["silence", "one zero", "one sample", "constant", "tiny"],
)
def test_facts_of_odd_clips_are_finite(y: np.ndarray) -> None:
    found = AuditFacts().extract(y.astype(np.float32), SR)
    assert found.shape == (len(FACTS), 1)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_silence_lies_at_the_floor() -> None:
    found = facts_of(np.zeros(4000))
    assert found["peak_db"] == found["level_db"] == found["noise_floor_db"] == FLOOR_DB
    assert (found["zeros"], found["flat"], found["bandwidth_hz"]) == (1.0, 1.0, 0.0)


def test_levels_are_in_db_of_full_scale() -> None:
    found = facts_of(0.5 * np.sin(2 * np.pi * 500 * np.arange(SR) / SR))
    assert found["peak_db"] == pytest.approx(-6.02, abs=0.01)
    assert found["level_db"] == pytest.approx(-9.03, abs=0.01)


def test_the_noise_floor_is_that_of_the_quiet_parts() -> None:
    loud_start = np.concatenate([noise(0.5, level=0.3), noise(0.5, level=0.001)])
    assert facts_of(loud_start)["noise_floor_db"] == pytest.approx(-60.0, abs=1.0)


def test_the_noise_floor_is_the_quantile_of_numpy() -> None:
    rng = np.random.default_rng(3)
    clips = [rng.random(n).astype(np.float32) for n in (*range(1, 30), 1000)]
    ends = np.cumsum([len(levels) for levels in clips])
    starts = ends - [len(levels) for levels in clips]
    expected = [float(np.quantile(levels, 0.1)) for levels in clips]
    assert _tenths(np.concatenate(clips), starts, ends) == pytest.approx(expected, rel=1e-6)


def test_a_batch_gives_what_each_clip_gives_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioclf.dsp.blocks._TOGETHER", 9000)
    ys = [noise(seconds).astype(np.float32) for seconds in (0.01, 0.4, 0.8, 0.3, 2.0, 0.06)]
    for one, many in zip(ys, AuditFacts().extract_many(ys, SR), strict=True):
        assert np.array_equal(AuditFacts().extract(one, SR), many)


def test_clipping_is_the_share_of_samples_at_full_scale() -> None:
    y = 0.2 * np.ones(1000)
    y[:100], y[100:150] = 1.0, -1.0
    assert facts_of(y)["clipped"] == pytest.approx(0.15)


def test_an_offset_is_seen_and_is_no_bandwidth() -> None:
    found = facts_of(np.full(4000, 0.25))
    assert found["dc_offset"] == pytest.approx(0.25)
    assert found["flat"] == 1.0
    assert found["bandwidth_hz"] == 0.0


def test_bandwidth_of_a_recording_at_8_khz_stays_when_it_is_upsampled() -> None:
    y = soxr.resample(noise(2.0), SR, 22050, "soxr_hq")
    assert facts_of(y, 22050)["bandwidth_hz"] == pytest.approx(4000, abs=150)
    assert facts_of(noise(2.0, 22050), 22050)["bandwidth_hz"] > 10_900


def test_times_before_and_after_a_sound() -> None:
    quiet = noise(1.0, level=0.0005)
    y = np.concatenate([quiet[:4000], noise(1.0), quiet[:2400]])
    found = facts_of(y)
    assert found["lead_s"] == pytest.approx(0.5, abs=0.07)
    assert found["tail_s"] == pytest.approx(0.3, abs=0.07)
    assert found["duration_s"] == pytest.approx(1.8)


@pytest.mark.parametrize(("seconds", "sr"), [(0.3, 8000), (0.9, 8000), (0.3, 22050)])
def test_the_decay_of_a_sound_that_dies_away_is_its_reverberation_time(
    seconds: float, sr: int
) -> None:
    times = np.arange(sr // 2) / sr
    dying = 10 ** (-3 / seconds * times) * np.sin(2 * np.pi * 500 * times)
    assert facts_of(dying, sr)["decay_s"] == pytest.approx(seconds, rel=0.05)


def test_no_decay_is_measured_in_steady_sound_noise_or_a_short_clip() -> None:
    falls = noise(0.5) * 10 ** (-10 * np.arange(4000) / SR)
    for y in (noise(1.0), falls + noise(0.5, level=0.02), falls[:1300]):
        assert facts_of(y)["decay_s"] == 0


def test_facts_come_with_the_features_in_one_pass_and_from_the_cache(
    sounds_zip: Path, tmp_path: Path
) -> None:
    featurizers, origins = with_table({}, {})
    dataset, audio = ZipDataset(path=sounds_zip).load(), AudioConfig(sr=SR, duration=0.5)
    once = extract(dataset, audio, featurizers, cache_folder=tmp_path / "c", origins=origins)
    again = extract(dataset, audio, featurizers, cache_folder=tmp_path / "c", origins=origins)
    facts = facts_in(once.matrices[TABLE])
    assert facts.shape == (16, len(FACTS))
    assert (once.cache.hits, again.cache.hits) == (0, 16)
    assert np.array_equal(once.matrices[TABLE], again.matrices[TABLE])
    assert facts[:, COLUMN["duration_s"]].max() == pytest.approx(0.5)


def test_formats_hold_what_the_header_says(tmp_path: Path) -> None:
    y = tone(300.0, 0.2, SR, 0)
    write_wav(tmp_path / "s" / "a" / "x.wav", y)
    write_wav(tmp_path / "s" / "b" / "y.WAV", np.column_stack([y, y]), 16000, "PCM_24")
    soundfile.write(tmp_path / "s" / "b" / "z.flac", y, SR)
    found = file_formats(extracted(tmp_path / "s").ledger)
    assert found["a/x.wav"] == FileFormat("WAV", "PCM_16", SR, 1, ".wav", "fmt data")
    stereo = found["b/y.WAV"]
    assert (stereo.subtype, stereo.sr, stereo.channels) == ("PCM_24", 16000, 2)
    assert stereo.suffix == ".WAV"
    assert (found["b/z.flac"].container, found["b/z.flac"].chunks) == ("FLAC", "")


def test_formats_of_zip_members_are_those_of_the_files(sounds: Path, tmp_path: Path) -> None:
    zipped = ZipDataset(path=zip_folder(sounds, tmp_path / "again.zip")).load()
    ledger = extract(zipped, AudioConfig(sr=SR), {"": AuditFacts()}).ledger
    assert file_formats(ledger) == file_formats(extracted(sounds).ledger)


def test_formats_out_of_the_cache_are_those_of_the_files(sounds: Path, tmp_path: Path) -> None:
    featurizers, origins = with_table({}, {})
    dataset, audio = FolderDataset(path=sounds).load(), AudioConfig(sr=SR)
    for _ in range(2):
        found = extract(dataset, audio, featurizers, cache_folder=tmp_path, origins=origins)
        assert file_formats(found.ledger) == file_formats(extracted(sounds).ledger)
    assert found.cache.written == 0
