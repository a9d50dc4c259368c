from __future__ import annotations

import subprocess
import sys

import pytest

from audioclf.builtin.featurizers.stft import Stft
from audioclf.components.fields import validate_component

EXTRACT = """
import sys
import numpy as np
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.stft import Stft
y = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
for featurizer in (MelSpectrogram(), Stft(window="hamming"), Mfcc(deltas=2)):
    featurizer.extract(y, 22050)
"""


def modules_after(code: str) -> set[str]:
    """Return the names of all modules that a new interpreter has after running the code."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_featurizing_needs_neither_librosa_nor_numba_nor_scipy_signal() -> None:
    assert not {"librosa", "numba", "scipy.signal"} & modules_after(EXTRACT)


def test_a_window_with_a_parameter_can_be_given_in_yaml() -> None:
    fields = {"type": "stft", "window": ["kaiser", 8.0]}
    assert validate_component(Stft, fields) == Stft(window=("kaiser", 8.0))


@pytest.mark.parametrize(
    ("win_length", "hop_length", "expected"), [(None, None, 512), (400, None, 100), (400, 7, 7)]
)
def test_the_default_hop_is_a_quarter_of_the_window(
    win_length: int | None, hop_length: int | None, expected: int
) -> None:
    assert Stft(win_length=win_length, hop_length=hop_length).framing().hop_length == expected
