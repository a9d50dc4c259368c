import warnings
from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.pcen import Pcen
from audioclf.builtin.featurizers.short_time_options import Decibels
from audioclf.components.fields import validate_component
from tests.builtin.featurizers.signals import SR, Matrix, noise


def librosa_pcen(y: Matrix, scale: float, hop_length: int = 512, **arguments: Any) -> Matrix:
    mel = librosa.feature.melspectrogram(y=y, sr=SR, hop_length=hop_length, power=1.0)
    found = librosa.pcen(mel * scale, sr=SR, hop_length=hop_length, **arguments)
    return np.asarray(found)


def test_defaults_are_those_that_librosa_advises() -> None:
    y = noise(40_000)
    features = MelSpectrogram(power=1.0, pcen=Pcen()).extract(y, SR)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, librosa_pcen(y, 2**31), rtol=1e-4, atol=1e-5)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(
    hop_length=st.sampled_from([200, 512]),
    gain=st.floats(0.0, 1.5),
    bias=st.sampled_from([0.0, 0.5, 2.0, 10.0]),
    power=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    time_constant=st.floats(0.01, 2.0),
    eps=st.sampled_from([1e-9, 1e-6, 1e-2]),
    scale=st.sampled_from([1.0, 2.0**31]),
)
def test_any_parameters_are_those_of_librosa(hop_length: int, scale: float, **fields: Any) -> None:
    y = noise(9000)
    expected = librosa_pcen(y, scale, hop_length, **fields)
    featurizer = MelSpectrogram(power=1.0, hop_length=hop_length, pcen=Pcen(scale=scale, **fields))
    found = featurizer.extract(y, SR)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_the_hop_is_the_resolved_one() -> None:
    y = noise(9000)
    one = MelSpectrogram(hop_length=None, win_length=800, pcen=Pcen())
    other = MelSpectrogram(hop_length=200, win_length=800, pcen=Pcen())
    assert np.array_equal(one.extract(y, SR), other.extract(y, SR))


def test_a_steady_level_is_taken_out() -> None:
    loud, soft = noise(66_150), 0.01 * noise(66_150)
    featurizer = MelSpectrogram(power=1.0, pcen=Pcen())
    levels = [featurizer.extract(y, SR)[:, 60:].mean() for y in (loud, soft)]
    assert levels[0] / levels[1] < 1.2


@pytest.mark.parametrize("n_samples", [1, 5000])
@pytest.mark.parametrize("bias", [0.0, 2.0])
@pytest.mark.parametrize("power", [0.0, 0.5])
def test_silence_is_0_without_a_warning(n_samples: int, bias: float, power: float) -> None:
    featurizer = MelSpectrogram(pcen=Pcen(bias=bias, power=power))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = featurizer.extract(np.zeros(n_samples, dtype=np.float32), SR)
    assert (features == 0.0).all()


def test_db_and_pcen_together_are_refused() -> None:
    with pytest.raises(ValidationError, match="`pcen` replaces `db`: remove one"):
        MelSpectrogram(db=Decibels(), pcen=Pcen())
    with pytest.raises(ValidationError, match="`pcen` replaces `db`: remove one"):
        validate_component(MelSpectrogram, {"type": "mel", "db": {"ref": "max"}, "pcen": {}})


def test_with_pcen_db_is_null_and_reads_back_so() -> None:
    featurizer = validate_component(MelSpectrogram, {"type": "mel", "pcen": {"gain": 0.8}})
    assert featurizer == MelSpectrogram(db=None, pcen=Pcen(gain=0.8))
    dumped = featurizer.model_dump(mode="json")
    assert dumped["db"] is None
    assert validate_component(MelSpectrogram, dumped) == featurizer
