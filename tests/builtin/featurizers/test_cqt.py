import warnings
from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.base.errors import FeatureError
from audioclf.builtin.featurizers.clip_options import TrimSilence
from audioclf.builtin.featurizers.cqt import Cqt
from tests.builtin.featurizers.signals import SR, Matrix, noise, tone

SMALL = Cqt(fmin=220.0, n_bins=36)


def librosa_cqt(y: Matrix, sr: int = SR, **arguments: Any) -> Matrix:
    return np.asarray(np.abs(librosa.cqt(y, sr=sr, **arguments)))


@pytest.mark.parametrize("y", [noise(66_150), tone(440.0, 40_000), noise(16_384)])
def test_defaults_equal_those_of_librosa(y: Matrix) -> None:
    expected = librosa.amplitude_to_db(librosa_cqt(y))
    found = Cqt().extract(y, SR)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-3)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(
    hop_length=st.sampled_from([256, 512, 300]),
    fmin=st.floats(150.0, 300.0),
    n_bins=st.integers(1, 40),
    bins_per_octave=st.sampled_from([12, 24]),
    tuning=st.floats(-0.5, 0.5),
    filter_scale=st.sampled_from([0.5, 1.0]),
    norm=st.sampled_from([None, 1.0, 2.0]),
    sparsity=st.sampled_from([0.0, 0.01, 0.1]),
    window=st.sampled_from(["hann", "hamming"]),
    scale=st.booleans(),
    pad_mode=st.sampled_from(["constant", "edge", "reflect"]),
)
def test_any_parameters_are_those_of_librosa(**arguments: Any) -> None:
    y = noise(9000)
    expected = librosa_cqt(y, **arguments)
    found = Cqt(db=None, **arguments).extract(y, SR)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-6 * float(expected.max()))


@pytest.mark.parametrize(("frequency", "bin_"), [(440.0, 45), (261.63, 36), (65.41, 12)])
def test_a_tone_is_loudest_at_its_note(frequency: float, bin_: int) -> None:
    features = Cqt().extract(tone(frequency, 44_100), SR)
    assert (features[:, 20:60].argmax(axis=0) == bin_).all()


def test_a_short_clip_is_refused_with_what_to_do() -> None:
    with pytest.raises(FeatureError) as caught:
        Cqt().extract(noise(16_383), SR)
    assert caught.value.message == (
        "the clip has 16383 samples (0.74 s), fewer than the 16384 (0.74 s) that the filter at "
        "32.7 Hz needs"
    )
    assert caught.value.hint == (
        "Raise fmin and lower n_bins, or lower filter_scale: halving filter_scale halves what is "
        "needed."
    )
    assert Cqt(filter_scale=0.5).extract(noise(8192), SR).shape == (84, 17)


def test_a_clip_too_short_without_its_silence_is_named() -> None:
    y = np.concatenate([noise(4000), np.zeros(30_000, dtype=np.float32)])
    assert Cqt().extract(y, SR).shape[0] == 84
    with pytest.raises(FeatureError, match="samples without its silence"):
        Cqt(trim_silence=TrimSilence()).extract(y, SR)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    fmin=st.floats(40.0, 2000.0),
    n_bins=st.integers(1, 60),
    hop_length=st.sampled_from([512, 500, 64, 333]),
    filter_scale=st.floats(0.2, 1.5),
    sr=st.sampled_from([8000, 22_050, 48_000]),
    extra=st.integers(0, 50),
)
def test_a_clip_that_is_long_enough_gives_no_warning(extra: int, sr: int, **fields: Any) -> None:
    featurizer = Cqt(**fields)
    try:
        featurizer.extract(noise(1), sr)
    except FeatureError as exc:
        words = exc.message.split()
    if words[0] == "the":
        needed = int(words[words.index("fewer") + 3])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.isfinite(featurizer.extract(noise(needed + extra), sr)).all()


def test_frequencies_beyond_half_the_sample_rate_are_refused() -> None:
    with pytest.raises(FeatureError) as caught:
        Cqt().extract(noise(30_000), 4000)
    assert caught.value.message == (
        "n_bins=84 frequencies from 32.7 Hz reach up to 4122 Hz, above 2000 Hz, half the sample "
        "rate of 4000 Hz"
    )
    assert caught.value.hint == "Lower n_bins or fmin, or raise audio.sr."


def test_options_come_after_the_transform() -> None:
    y = noise(20_000)
    assert SMALL.model_copy(update={"n_steps": 5}).extract(y, SR).shape == (36, 5)
