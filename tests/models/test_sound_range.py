"""Ranges of level, noise floor and bandwidth of training clips, and recordings outside."""

from __future__ import annotations

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
    return np.column_stack([level, level - 40, rng.uniform(3200, 3400, n)]).astype(np.float32)


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ((-25, -65, 3300), []),
        ((-40, -75, 3300), []),
        ((-60, -65, 3300), ["quieter"]),
        ((-2, -65, 3300), ["louder"]),
        ((-25, -30, 3300), ["with more background noise"]),
        ((-25, -120, 3300), ["with less background noise"]),
        ((-25, -65, 7900), ["with more bandwidth"]),
        ((-25, -65, 2000), ["with less bandwidth"]),
    ],
)
def test_recordings_far_outside_of_the_training_are_named(
    recording: tuple[float, ...], expected: list[str]
) -> None:
    assert list(SoundRange.of(facts()).outside(np.array(recording, float))) == expected


def test_digital_silence_and_a_faint_hiss_are_equal() -> None:
    silent = facts()
    silent[:, 1] = -120
    assert not list(SoundRange.of(silent).outside(np.array([-25, -85, 3300.0])))


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
    falling = np.tile([3.0, 2.0, 1.0], (3, 1))
    for damaged in (falling, falling[:2], falling * np.nan):
        with pytest.raises(ModelError, match="record of the training clips"):
            load(forged(model, {SOUND: to_npy(damaged)}))
