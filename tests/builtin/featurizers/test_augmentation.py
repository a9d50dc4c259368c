"""Copies of training clips: what they are, and which are refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.mel import MelSpectrogram, Vtlp
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.stft import Stft
from audioclf.dsp.mel_filters import mel_bank, mel_weights, vtlp_warp
from audioclf.plugin import Featurizer
from tests.builtin.featurizers.signals import tone

Y = np.random.default_rng(0).normal(0.0, 0.1, 8000).astype(np.float32)


@pytest.mark.parametrize("cls", [MelSpectrogram, Mfcc])
def test_each_copy_is_the_featurizer_with_another_warp(cls: Any) -> None:
    augmented = cls(n_mels=20, warp=1.05, augment=Vtlp(factors=(0.9, 1.2)))
    expected = [cls(n_mels=20, warp=1.05 * factor) for factor in (1.0, 0.9, 1.2)]
    assert list(augmented.views()) == expected
    np.testing.assert_array_equal(augmented.extract(Y, 8000), expected[0].extract(Y, 8000))
    copies = [view.extract(Y, 8000) for view in augmented.views()]
    assert not np.allclose(copies[1], copies[2], atol=0.1)


def test_without_augment_there_is_one_view() -> None:
    assert [view.augment for view in Mfcc().views()] == [None]  # type: ignore[attr-defined]
    assert not Mfcc().averages_views()
    assert Mfcc(augment=Vtlp(test_time=True)).averages_views()


def parts(**named: Featurizer) -> Concat:
    return Concat.model_validate({"parts": named})


def test_concat_joins_copies_of_one_kind_and_leaves_the_rest_as_it_is() -> None:
    vtlp = Vtlp(factors=(0.9, 1.1), test_time=True)
    mel, mfcc, stft = MelSpectrogram(augment=vtlp), Mfcc(augment=vtlp), Stft()
    joined = parts(mel=mel, stft=stft, mfcc=mfcc)
    views = joined.views()
    assert len(views) == 3
    assert joined.averages_views()
    for number, view in enumerate(views):
        alone = parts(mel=mel.views()[number], stft=stft, mfcc=mfcc.views()[number])
        assert view == alone
    np.testing.assert_array_equal(views[0].extract(Y, 8000), joined.extract(Y, 8000))


@pytest.mark.parametrize("other", [Vtlp(factors=(0.9, 1.2)), Vtlp(test_time=True)])
def test_concat_refuses_copies_of_two_kinds(other: Vtlp) -> None:
    with pytest.raises(ValidationError, match="'mel' and 'mfcc' have different `augment`"):
        parts(mel=MelSpectrogram(augment=Vtlp()), mfcc=Mfcc(augment=other))


SR = 16_000


def as_in_the_paper(f: float, alpha: float, sr: float, f_hi: float) -> float:
    """Jaitly and Hinton (2013), the equation of section 3, for one frequency."""
    lower = f_hi * min(alpha, 1.0)
    if f <= lower / alpha:
        return f * alpha
    return sr / 2 - (sr / 2 - lower) / (sr / 2 - lower / alpha) * (sr / 2 - f)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    sr=st.sampled_from([8000, 16_000, 22_050, 48_000]),
    alpha=st.floats(0.5, 2.0),
    share=st.floats(0.0, 1.0),
)
def test_frequencies_move_as_in_the_paper(sr: int, alpha: float, share: float) -> None:
    f = share * sr / 2
    expected = as_in_the_paper(f, alpha, sr, min(4800.0, 0.3 * sr))
    found = vtlp_warp(np.array([f]), alpha, sr=sr)
    np.testing.assert_allclose(found, [expected], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.5, 0.9, 1.0, 1.1, 2.0])
@pytest.mark.parametrize("sr", [8000, 16_000, 48_000])
def test_the_order_and_both_ends_stay(alpha: float, sr: int) -> None:
    warped = vtlp_warp(np.linspace(0.0, sr / 2, 500), alpha, sr=sr)
    assert (np.diff(warped) > 0).all()
    np.testing.assert_allclose(warped[[0, -1]], [0.0, sr / 2], atol=1e-9)


@pytest.mark.parametrize("norm", ["slaney", None, 2.0])
def test_without_a_warp_not_a_bit_of_the_filters_changes(norm: Any) -> None:
    plain = mel_weights(sr=SR, n_fft=1024, norm=norm)
    assert np.array_equal(mel_weights(sr=SR, n_fft=1024, norm=norm, warp=1.0), plain)
    one = mel_bank(SR, 1024, 40, 0.0, None, False, norm).weights.toarray()
    other = mel_bank(SR, 1024, 40, 0.0, None, False, norm, 1.0).weights.toarray()
    assert np.array_equal(one, other)


@pytest.mark.parametrize("alpha", [0.8, 1.25])
def test_a_tone_that_moves_with_the_filters_stays_in_its_band(alpha: float) -> None:
    bands = {"n_mels": 40, "n_fft": 4096}
    for frequency in (300.0, 1000.0, 2500.0):
        plain = MelSpectrogram(**bands).extract(tone(frequency, SR, SR), SR)[:, 15].argmax()
        moved = MelSpectrogram(warp=alpha, **bands).extract(tone(alpha * frequency, SR, SR), SR)
        assert moved[:, 15].argmax() == plain
