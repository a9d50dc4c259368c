"""Recordings and a model for the tests of predictions."""

from pathlib import Path

import numpy as np
import soundfile

from audioclf.models.bundle.reading import load
from audioclf.models.model import Model
from tests.conftest import write_wav
from tests.models.making import made


def noise(seconds: float, sr: int = 8000, seed: int = 0, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (round(seconds * sr), channels) if channels > 1 else round(seconds * sr)
    loudness = rng.uniform(0.01, 0.3)
    return (loudness * rng.normal(size=shape)).clip(-1, 1).astype(np.float32)


def recording(path: Path, seconds: float, sr: int = 8000, seed: int = 0, channels: int = 1) -> Path:
    return write_wav(path, noise(seconds, sr, seed, channels), sr)


def written_in_blocks(path: Path, y: np.ndarray, sr: int) -> Path:
    # libsndfile's Vorbis encoder overflows its stack on long blocks.
    with soundfile.SoundFile(path, "w", sr, 1) as file:
        for start in range(0, len(y), 4096):
            file.write(y[start : start + 4096])
    return path


def model(folder: Path) -> Model:
    return load(made(folder / "m.audioclf"))


def many(folder: Path, number: int, seconds: float = 0.3) -> Path:
    for index in range(number):
        recording(folder / f"{index:03}.wav", seconds + 0.01 * (index % 7), seed=index)
    return folder
