"""Featurizers that do what they should not: named, with what to do."""

import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import FeatureError
from audioclf.builtin.loaders.class_folders import FolderDataset
from audioclf.components.featurizer import Featurizer
from audioclf.features.extraction import extract, make_plans

AUDIO = AudioConfig(sr=8000, duration=0.5)


class Leaving(Featurizer):
    """Ends the interpreter."""

    type: Literal["leaving"] = "leaving"

    def extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
        sys.exit(3)


def test_a_failure_on_the_first_noise_is_named_with_the_next_step() -> None:
    with pytest.raises(FeatureError) as caught:
        make_plans(AUDIO, {"mine": Leaving()}, {})
    assert caught.value.message == (
        "featurizer 'mine' (leaving, not from a plugin) raised SystemExit: 3, on 0.5 s of noise at "
        "8000 Hz that every run tries first"
    )
    assert caught.value.hint == (
        "Run `audioclf plugins check leaving`, which says what a featurizer has to do."
    )


class Moody(Featurizer):
    """Returns fewer frames for loud clips."""

    type: Literal["moody"] = "moody"

    def extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
        return np.ones((2, 3 if y[0] == np.float32(0.25) else 9), dtype=np.float32)


def test_frames_that_change_between_clips_of_one_length_cost_the_clip(tmp_path: Path) -> None:
    import soundfile

    for number in range(4):
        y = np.full(4000, 0.25 if number == 2 else 0.1)
        folder = tmp_path / "sounds" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number}.wav", y, 8000)
    dataset = FolderDataset(path=tmp_path / "sounds").load()
    (failed,) = extract(dataset, AUDIO, {"mine": Moody()}).failed
    assert failed.clip.id.endswith("2.wav")
    assert "returned 3 frames for 4000 samples, before it was 9" in failed.message
