"""Synthetic waveforms for the tests of featurizers."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
SR = 22050


def noise(n_samples: int, seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(n_samples)).astype(np.float32)


def tone(frequency: float, n_samples: int, sr: int = SR) -> Matrix:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(n_samples) / sr)).astype(np.float32)
