"""Copies of training clips: what they are, and which are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.mel import MelSpectrogram, Vtlp
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.stft import Stft
from audioclf.plugin import Featurizer

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
