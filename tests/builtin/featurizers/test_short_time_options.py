from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

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


def problem(**fields: object) -> str:
    """Return where and why a `stft` config with these fields is refused."""
    with pytest.raises(ValidationError) as caught:
        validate_component(Stft, {"type": "stft", **fields})
    first = caught.value.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def test_featurizing_needs_neither_librosa_nor_numba_nor_scipy_signal() -> None:
    assert not {"librosa", "numba", "scipy.signal"} & modules_after(EXTRACT)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"n_fft": 3}, "n_fft: Input should be greater than or equal to 4"),
        ({"hop_length": 0}, "hop_length: Input should be greater than or equal to 1"),
        ({"win_length": 0}, "win_length: Input should be greater than or equal to 1"),
        (
            {"n_fft": 512, "win_length": 513},
            "win_length: Value error, win_length=513 must not exceed n_fft=512",
        ),
        (
            {"win_length": 3},
            "win_length: Value error, win_length=3 is too short for a default hop_length",
        ),
        ({"power": 0.0}, "power: Input should be greater than 0"),
        ({"db": {"top_db": "80"}}, "db.top_db: Input should be a valid number"),
        ({"db": {"top_db": -1.0}}, "db.top_db: Input should be greater than or equal to 0"),
        ({"db": {"top": 80.0}}, "db.top: Extra inputs are not permitted"),
    ],
)
def test_impossible_parameters_are_refused(fields: dict[str, object], expected: str) -> None:
    assert problem(**fields) == expected


def test_amin_cannot_be_too_small_for_single_precision() -> None:
    assert problem(db={"amin": 1e-38}).startswith("db.amin: Input should be greater than")


def test_an_unknown_window_is_refused_at_its_field() -> None:
    assert problem(window="hanning").startswith("window: Value error, window 'hanning' is not one")


def test_an_unknown_pad_mode_lists_the_known_ones() -> None:
    message = problem(pad_mode="wrap")
    assert message.startswith("pad_mode: ")
    assert all(mode in message for mode in ("constant", "edge", "linear_ramp", "reflect"))


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
