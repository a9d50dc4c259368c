"""The base class of pre-trained featurizers."""

from typing import Any, Literal

import numpy as np
import pytest

from audioclf.audio.settings import AudioConfig
from audioclf.builtin.featurizers.concat import Concat
from audioclf.features.worker import plan_featurizer
from audioclf.plugin import Embedding, FeatureError, resample

Y = np.random.default_rng(0).normal(0.0, 0.1, 8000).astype(np.float32)


class Blocks(Embedding):
    """Blocks of 100 samples at 4 kHz."""

    type: Literal["blocks"] = "blocks"

    def model_rate(self) -> int:
        return 4000

    def embed(self, y: Any) -> Any:
        if len(y) < 100:
            raise self.too_short(len(y), 100)
        return y[: len(y) // 100 * 100].reshape(-1, 100).T


def test_a_clip_is_resampled_and_padded_at_both_ends() -> None:
    features = Blocks(pad=0.05).extract(Y, 8000)
    assert features.shape == (100, 44)
    assert not features[:, [0, 1, -2, -1]].any()
    np.testing.assert_array_equal(features[:, 2:-2].T.ravel(), resample(Y, 8000, 4000))


def test_frames_are_averaged_and_the_rest_too() -> None:
    single, means = Blocks().extract(Y, 8000), Blocks(average=16).extract(Y, 8000)
    parts = [single[:, start : start + 16].mean(axis=1) for start in (0, 16, 32)]
    np.testing.assert_allclose(means.T, parts, rtol=1e-5, atol=1e-7)


def test_a_short_clip_is_refused_with_the_padding_that_suffices() -> None:
    with pytest.raises(FeatureError) as caught:
        Blocks().extract(Y[:100], 8000)
    assert caught.value.message == (
        "the clip has 0.0125 s with its padding, and the model needs at least 0.025 s"
    )
    assert caught.value.hint == "Set pad to 0.0063 or more."
    assert Blocks(pad=0.0063).extract(Y[:100], 8000).shape == (100, 1)


def test_a_rate_below_that_of_the_model_is_a_note_of_the_run() -> None:
    joined = Concat.model_validate({"parts": {"a": Blocks()}})
    for featurizer, part in ((Blocks(), ""), (joined, "part 'a': ")):
        plan = plan_featurizer("x", featurizer, AudioConfig(sr=2000), "blocks", None)
        assert plan.note == (
            f"featurizer 'x' (blocks): {part}the model expects sound at 4000 Hz, and audio.sr: "
            "2000 keeps nothing above 1000 Hz; set audio.sr: 4000 if the recordings have more"
        )
        assert not plan_featurizer("x", featurizer, AudioConfig(sr=4000), "blocks", None).note
