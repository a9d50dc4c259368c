"""From a feature matrix to a row."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audioclf.components.pooling import Flatten, Stats, delta


def features(n_bins: int = 3, n_frames: int = 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_bins, n_frames)).astype(np.float32)


def test_flatten_is_frame_by_frame_and_pads_or_cuts_at_the_end() -> None:
    matrix = np.array([[1, 2], [3, 4]], dtype=np.float32)
    assert Flatten().pool(matrix, 2).tolist() == [1, 3, 2, 4]
    assert Flatten(pad=-80.0).pool(matrix, 3).tolist() == [1, 3, 2, 4, -80, -80]
    assert Flatten().pool(matrix, 1).tolist() == [1, 3]


def test_statistics_are_numpys() -> None:
    f = features(4, 31)
    row = Stats(percentiles=(0, 10, 50, 97.5), segments=0).pool(f, 99).reshape(6, 4)
    np.testing.assert_allclose(row[0], f.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(row[1], f.std(axis=1), rtol=1e-5)
    np.testing.assert_allclose(row[2:], np.percentile(f, [0, 10, 50, 97.5], axis=1), rtol=1e-5)


def test_segments_divide_the_time() -> None:
    f = features(2, 9)
    row = Stats(statistics=(), percentiles=(), segments=3, segment_statistics=("mean", "std"))
    parts = row.pool(f, 9).reshape(3, 2, 2)
    for index in range(3):
        third = f[:, 3 * index : 3 * index + 3]
        np.testing.assert_allclose(parts[index, 0], third.mean(axis=1), rtol=1e-5)
        np.testing.assert_allclose(parts[index, 1], third.std(axis=1), rtol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 7])
def test_fewer_frames_than_segments_still_fill_the_row(n_frames: int) -> None:
    row = Stats(segments=5).pool(features(2, n_frames), 9)
    assert row.shape == (Stats(segments=5).width(2, 9),)
    assert np.isfinite(row).all()


@pytest.mark.parametrize("n_frames", [1, 5, 9, 40])
def test_delta_is_librosas_nearest(n_frames: int) -> None:
    f = features(3, n_frames)
    np.testing.assert_allclose(delta(f), librosa.feature.delta(f, mode="nearest"), atol=1e-6)


def test_deltas_double_the_row_with_the_statistics_of_the_delta() -> None:
    f = features(3, 20)
    pooling = Stats(deltas=True)
    row = pooling.pool(f, 20)
    np.testing.assert_array_equal(row[: len(row) // 2], Stats().pool(f, 20))
    np.testing.assert_array_equal(row[len(row) // 2 :], Stats().pool(delta(f), 20))


def test_no_statistic_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one statistic"):
        Stats(statistics=(), percentiles=(), segments=0)


def test_an_even_delta_width_is_refused() -> None:
    with pytest.raises(ValidationError, match="delta_width must be odd, not 4"):
        Stats(delta_width=4)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    n_bins=st.integers(1, 5),
    n_frames=st.integers(1, 40),
    segments=st.integers(0, 6),
    deltas=st.booleans(),
)
def test_the_row_is_as_wide_as_promised(
    n_bins: int, n_frames: int, segments: int, deltas: bool
) -> None:
    for pooling in (Flatten(), Stats(segments=segments, deltas=deltas)):
        row = pooling.pool(features(n_bins, n_frames), 17)
        assert row.dtype == np.float32
        assert row.shape == (pooling.width(n_bins, 17),)


@pytest.mark.parametrize("pooling", [Flatten(), Stats(deltas=True)])
def test_a_row_does_not_depend_on_the_clips_that_are_pooled_with_it(
    pooling: Flatten | Stats,
) -> None:
    matrices = [features(20, n_frames, seed) for seed, n_frames in enumerate([30, 31, 30] * 30)]
    matrices += [np.asfortranarray(features(20, 30, seed)) for seed in range(3)]
    for row, matrix in zip(pooling.pool_many(matrices, 30), matrices, strict=True):
        np.testing.assert_array_equal(row, pooling.pool(matrix, 30))
