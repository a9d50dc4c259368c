"""Example data for the checks: sounds, rows of features and a folder of clips."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import wave
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]
    Matrix = NDArray[np.float32]
    Labels = NDArray[np.intp]

SR = 22050
"""Sample rate of the sounds, in Hz."""

N_SAMPLES = 22050
"""Samples of a sound: 1 s, because low tones need long filters."""

N_FRAMES = 8
"""Frames that a row of `toy` holds for a classifier that needs a shape."""

SEED = 3
"""`random_state` of every classifier."""


def noise(n_samples: int = N_SAMPLES, seed: int = 0) -> Waveform:
    """Return white noise, y [shape=(n_samples,)], float32."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.3, 0.3, n_samples).astype(np.float32)


def tone(n_samples: int = N_SAMPLES, frequency: float = 440.0, level: float = 0.5) -> Waveform:
    """Return a sine, y [shape=(n_samples,)], float32."""
    times = np.arange(n_samples) / SR
    return (level * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def silence(n_samples: int = N_SAMPLES) -> Waveform:
    """Return zeros, y [shape=(n_samples,)], float32."""
    return np.zeros(n_samples, dtype=np.float32)


def click(n_samples: int = N_SAMPLES) -> Waveform:
    """Return a single sample of full scale in silence, y [shape=(n_samples,)], float32."""
    y = silence(n_samples)
    y[n_samples // 2] = 1.0
    return y


def toy(
    n_classes: int = 2,
    *,
    spread: float = 1.0,
    per_class: int = 60,
    seed: int = 0,
    n_frames: int = 1,
) -> tuple[Matrix, Labels]:
    """Return rows and labels, sorted by class as the clips of a folder are.

    Each class adds four columns, or bins. At a `spread` of 1 the classes lie far apart, at 8 they
    overlap. `seed` is that of the rows; the centers are fixed. `X` is float32 [shape=(n_classes *
    per_class, n_frames * 4 * n_classes)], the frames of a row with different noise.
    """
    y = np.repeat(np.arange(n_classes), per_class)
    centers = np.tile(np.repeat(8.0 * np.eye(n_classes), 4, axis=1), n_frames)
    rng = np.random.default_rng(seed)
    X = centers[y] + rng.normal(scale=spread, size=(len(y), centers.shape[1]))
    return X.astype(np.float32), y


@cache
def example_sounds() -> Path:
    """Return a folder of two classes with four clips each; it is made once and removed at exit.

    The files are `low/low_0.wav` to `low/low_3.wav` and `high/high_0.wav` to `high/high_3.wav`:
    mono, 16 bits, 8000 Hz, 0.3 s.
    """
    aside = Path(tempfile.mkdtemp(prefix="audioclf-example-"))
    atexit.register(shutil.rmtree, aside, ignore_errors=True)
    root = aside / "sounds"
    for label, frequency in (("low", 300.0), ("high", 1800.0)):
        (root / label).mkdir(parents=True)
        for index in range(4):
            _write(root / label / f"{label}_{index}.wav", frequency * (1 + 0.02 * index))
    return root


def _write(path: Path, frequency: float) -> None:
    times = np.arange(2400) / 8000
    samples = np.round(16000 * np.sin(2 * np.pi * frequency * times)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
