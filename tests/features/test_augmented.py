"""Changed copies of clips: the same for any batch and last bits, others for each copy and seed."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest

from audioclf.base.errors import FeatureError
from audioclf.builtin.augmenters.level import Gain
from audioclf.builtin.augmenters.noise import Noise
from audioclf.builtin.featurizers.mel import MelSpectrogram, Vtlp
from audioclf.components.augmenter import Augmenter
from audioclf.evaluation.views import Views
from audioclf.features.augmented import Changed, WithCopies, changed

SR = 8000
MEL = MelSpectrogram(n_fft=256, n_mels=8)
CHANGES = (Noise(), Gain())


def clip(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, 2000).astype(np.float32)


def copy_of(y: np.ndarray, seed: int = 1, number: int = 1) -> np.ndarray:
    return Changed.of(MEL, CHANGES, seed, number).change(y, SR)


def test_each_clip_copy_and_seed_has_its_own_numbers() -> None:
    noises = [copy_of(clip()), copy_of(clip(1)), copy_of(clip(), number=2), copy_of(clip(), seed=2)]
    assert len({round(float(np.std(y)), 6) for y in noises}) == 4


def test_a_batch_and_the_last_bits_do_not_matter() -> None:
    featurizer = Changed.of(MEL, CHANGES, 1, 1)
    ys = [clip(seed) for seed in range(3)]
    for matrix, y in zip(featurizer.extract_many(ys, SR), ys, strict=True):
        assert np.array_equal(matrix, featurizer.extract(y, SR))
    y = clip()
    nudged = np.nextafter(y, np.float32(1))
    np.testing.assert_allclose(copy_of(nudged), copy_of(y), atol=1e-6)


def test_copies_stand_behind_the_views_of_the_featurizer() -> None:
    featurizer = MelSpectrogram(n_fft=256, n_mels=8, augment=Vtlp(test_time=True))
    views = WithCopies.of(featurizer, CHANGES, copies=2, seed=1).views()
    assert [view.type_name() for view in views] == ["mel"] * 3 + ["changed"] * 2
    assert np.array_equal(views[0].extract(clip(), SR), MEL.extract(clip(), SR))


@pytest.mark.parametrize(
    ("views", "predicted"),
    [
        (Views(), [0]),
        (Views(3, False, 2), [0]),
        (Views(4, True, 1), [0, 1, 2]),
        (Views(3, True), [0, 1, 2]),
    ],
)
def test_no_prediction_sees_a_copy(views: Views, predicted: list[int]) -> None:
    rows = np.repeat(np.arange(views.count, dtype=np.float32), 5)[None, :]
    assert views.to_predict(rows)[0, ::5].tolist() == predicted
    assert len(views.stacked(rows)) == views.count


class Bad(Augmenter):
    """Breaks its promise."""

    type: Literal["bad"] = "bad"
    how: str
    """In which way."""

    def augment(self, y: np.ndarray, sr: int, rng: Any) -> Any:
        if self.how == "error":
            raise ZeroDivisionError
        results: dict[str, Any] = {"short": y[1:], "nan": y * np.nan, "list": list(y)}
        return results[self.how]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("short", "expected shape"),
        ("nan", "NaN"),
        ("list", "returned list"),
        ("error", "raised Zero"),
    ],
)
def test_a_broken_augmenter_is_named(how: str, message: str) -> None:
    with pytest.raises(FeatureError, match=f"augmenter 'bad'.*{message}"):
        changed(clip(), SR, [Bad(how=how)], np.random.default_rng(0))


def test_a_change_is_left_out_with_its_probability() -> None:
    change: Sequence[Augmenter] = [Gain(db=(6.0, 6.0), probability=0.3)]
    results = [changed(clip(), SR, change, np.random.default_rng(seed)) for seed in range(200)]
    share = np.mean([not np.array_equal(y, clip()) for y in results])
    assert share == pytest.approx(0.3, abs=0.1)
