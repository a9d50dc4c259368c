"""Ranges of level, noise floor and the like of training clips, and recordings outside."""

from pathlib import Path

import numpy as np
import pytest

from audioclf.base.errors import ModelError
from audioclf.models.arrays import to_npy
from audioclf.models.bundle.reading import load
from audioclf.models.bundle.sound_range import SOUND, SoundRange
from tests.conftest import run_cli, write_wav
from tests.models.making import classifier, fitted, forged, written


def facts(n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    level = rng.uniform(-30, -20, n)
    decay = np.where(np.arange(n) % 4, rng.uniform(0.2, 0.3, n), 0)  # 0: not measurable
    return np.column_stack([level, level - 40, rng.uniform(3200, 3400, n), decay]).astype("f4")


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ((-25, -65, 3300, 0.25), []),
        ((-40, -75, 3300, 0.25), []),
        ((-60, -65, 3300, 0.25), ["quieter"]),
        ((-2, -65, 3300, 0.25), ["louder"]),
        ((-25, -30, 3300, 0.25), ["with more background noise"]),
        ((-25, -120, 3300, 0.25), ["with less background noise"]),
        ((-25, -65, 7900, 0.25), ["with more bandwidth"]),
        ((-25, -65, 2000, 0.25), ["with less bandwidth"]),
        ((-25, -65, 3300, 0.5), ["with more reverberation"]),
        ((-25, -65, 3300, 0.1), ["with less reverberation"]),
        ((-25, -65, 3300, 0), []),
    ],
)
def test_recordings_far_outside_of_the_training_are_named(
    recording: tuple[float, ...], expected: list[str]
) -> None:
    assert list(SoundRange.of(facts()).outside(np.array(recording, float))) == expected


def test_digital_silence_and_a_faint_hiss_are_equal() -> None:
    silent = facts()
    silent[:, 1] = -120
    assert not list(SoundRange.of(silent).outside(np.array([-25, -85, 3300.0, 0])))


def test_reverberation_is_not_compared_if_few_training_clips_have_it_or_the_bundle_is_old() -> None:
    few, recording = facts(), np.array([-25, -65, 3300, 0.9])
    few[:30, 3] = 0
    old = SoundRange.from_files({SOUND: to_npy(SoundRange.of(facts()).percentiles[:3])})
    assert old is not None
    assert not [*SoundRange.of(few).outside(recording), *old.outside(recording)]


def test_predict_says_once_what_lies_outside(tmp_path: Path) -> None:
    model = written(tmp_path / "m.audioclf", fitted(classifier("dummy")), facts=facts())
    loaded = load(model)
    assert loaded.clips is not None
    assert loaded.clips.sound is not None
    rng = np.random.default_rng(0)
    for number in range(3):  # noise up to 4 kHz, of the level of the training
        write_wav(tmp_path / "new" / f"{number}.wav", rng.normal(0, 0.05, 4000))
    done = run_cli("predict", model, tmp_path / "new", "--out", tmp_path / "out.csv", code=0)
    assert done.stderr.count("differ from the training clips") == 1
    assert "3 of 3 with more background noise (training: -70 to -61 dBFS)" in done.stderr


def test_a_damaged_range_is_refused(tmp_path: Path) -> None:
    model = written(tmp_path / "m.audioclf", fitted(classifier("dummy")), facts=facts())
    falling = np.tile([3.0, 2.0, 1.0], (4, 1))
    for damaged in (falling, falling[:2] * 0, falling * np.nan):
        with pytest.raises(ModelError, match="record of the training clips"):
            load(forged(model, {SOUND: to_npy(damaged)}))
